"""gradlab ls"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.options import RESULTS, Json

if TYPE_CHECKING:
    from gradlab.record import Record
    from gradlab.sweeps.result import SweepResult


def ls(
    root: Annotated[
        Path, typer.Argument(envvar="GRADLAB_RESULTS", help="Where results lie.")
    ] = RESULTS,
    json: Json = False,
) -> None:
    """List the results under a folder. What cannot be read is named, and the rest listed."""
    from gradlab.errors import GradlabError
    from gradlab.store import Folder, load
    from gradlab.sweeps.result import SweepResult
    from gradlab.sweeps.store import SweepFolder

    if not root.is_dir():
        raise GradlabError(f"there is no folder {str(root)!r}; `gradlab run` makes it")
    found: dict[str, Record | SweepResult] = {}
    for path in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        try:
            if SweepFolder(path).is_sweep():
                found[path.name] = SweepResult(path)
            elif Folder(path).is_result():
                found[path.name] = load(path)
        except GradlabError as error:
            typer.echo(f"gradlab: {error}", err=True)
    if json:
        _print_json(found)
    else:
        from gradlab.report.tables import overview
        from gradlab.report.terminal import console, print_table

        print_table(overview(found), console())


def _print_json(found: dict[str, Record | SweepResult]) -> None:
    import json

    from gradlab.record import Record

    rows = []
    for name, result in found.items():
        if isinstance(result, Record):
            row = {"identity": result.identity, "config": result.config} | result.summary
        else:
            row = {"done": result.done} | result.description
        rows.append({"name": name} | row)
    typer.echo(json.dumps(rows, indent=2))
