"""gradlab show"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.options import Json

if TYPE_CHECKING:
    from gradlab.record import Record
    from gradlab.sweeps.result import SweepResult


def show(
    folder: Annotated[Path, typer.Argument(help="A results folder.", show_default=False)],
    point: Annotated[
        str | None,
        typer.Option(
            "--point", metavar="KEY=VALUE,...", help="Of a sweep: weight_scale=1.5,cell=lstm."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print what a run has found, or a sweep, or one point of it, from what is stored."""
    from gradlab.errors import GradlabError
    from gradlab.store import load
    from gradlab.sweeps.result import SweepResult
    from gradlab.sweeps.store import SweepFolder

    if not SweepFolder(folder).is_sweep():
        if point is not None:
            raise GradlabError(f"{str(folder)!r} holds no sweep, so it has no points")
        _show_record(load(folder), json)
    elif point is None:
        _show_sweep(SweepResult(folder), json)
    else:
        _show_record(SweepResult(folder).record(point_values(point)), json)


def point_values(point: str) -> dict[str, Any]:
    """The swept values in weight_scale=1.5,cell=lstm. Raises GradlabError."""
    from gradlab.config.overrides import split
    from gradlab.errors import GradlabError

    given = re.split(r",(?=[\w.]+=)", point)
    if not all("=" in part for part in given):
        raise GradlabError(f"a point of a sweep is KEY=VALUE,...; {point!r} is none")
    parts = [split(part) for part in given]
    return {".".join(map(str, key)): value for key, value in parts}


def _show_record(record: Record, json: bool) -> None:
    if json:
        import json as encoder

        head = {"gradlab": record.version, "identity": record.identity, "config": record.config}
        typer.echo(encoder.dumps(head | record.summary, indent=2))
        return
    from gradlab.report.terminal import console, show

    show(record, console(), plots=True)


def _show_sweep(result: SweepResult, json: bool) -> None:
    import json as encoder

    summary = result.folder.summary
    found = encoder.loads(summary.read_text("utf-8")) if summary.is_file() else {}
    if json:
        typer.echo(encoder.dumps(result.description | {"done": result.done} | found, indent=2))
        return
    from gradlab.report.terminal import console, show_sweep

    done = f"{result.done} of {result.size} points are done"
    axes = [f"{', '.join(keys)}: {len(values)} values" for keys, values in result.axes.items()]
    show_sweep([done, *axes, *found.get("headline", [])], console())
