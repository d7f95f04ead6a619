"""gradlab ls"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.options import RESULTS, Json

if TYPE_CHECKING:
    from gradlab.record import Record
    from gradlab.sweeps.result import SweepResult

# of every row of --json, whatever results there are
ALWAYS = {"name": None, "kind": None, "unfinished": False, "unfinished_after": None, "done": None}


def ls(
    root: Annotated[
        Path, typer.Argument(envvar="GRADLAB_RESULTS", help="Where results lie.")
    ] = RESULTS,
    json: Json = False,
) -> None:
    """List the results under a folder, and trainings that were interrupted. What cannot be read is
    named, and the rest listed. With --json all rows have the same keys: null where one has nothing.
    """
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
    begun = _begun(root)
    if json:
        _print_json(found, begun)
    else:
        from gradlab.report.tables import overview
        from gradlab.report.terminal import console, print_table

        print_table(overview(found, begun), console())


def _begun(root: Path) -> dict[str, int | None]:
    """Interrupted trainings; what trains is loaded where there may be one."""
    from gradlab.store import UNFINISHED

    if not (root / UNFINISHED).is_dir():
        return {}
    from gradlab.training.kept import unfinished

    return unfinished(root)


def _print_json(found: dict[str, Record | SweepResult], begun: dict[str, int | None]) -> None:
    import json

    from gradlab.record import Record

    rows: list[dict[str, Any]] = []
    for name, result in found.items():
        row: dict[str, Any] = {"name": name}
        if isinstance(result, Record):
            row |= {"kind": "training" if "train" in result.summary else "run"}
            row |= {"identity": result.identity, "config": result.config} | result.summary
        else:
            row |= {"kind": "sweep", "done": result.done} | result.description
        rows.append(row)
    for name, update in begun.items():
        row = {"name": name, "kind": "training", "unfinished": True, "unfinished_after": update}
        rows.append(row)
    nothing = ALWAYS | dict.fromkeys(key for row in rows for key in row if key not in ALWAYS)
    typer.echo(json.dumps([nothing | row for row in rows], indent=2))
