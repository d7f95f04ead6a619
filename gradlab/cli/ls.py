"""gradlab ls"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gradlab.record import Record


def ls(
    root: Annotated[
        Path, typer.Argument(envvar="GRADLAB_RESULTS", help="Where results lie.")
    ] = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the results under a folder. What cannot be read is named, and the rest listed."""
    from gradlab.errors import GradlabError
    from gradlab.store import Folder, load

    if not root.is_dir():
        raise GradlabError(f"there is no folder {str(root)!r}; `gradlab run` makes it")
    records: dict[str, Record] = {}
    for path in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if not Folder(path).is_result():
            continue
        try:
            records[path.name] = load(path)
        except GradlabError as error:
            typer.echo(f"gradlab: {error}", err=True)
    if json:
        _print_json(records)
    else:
        from gradlab.report.tables import overview
        from gradlab.report.terminal import console, print_table

        print_table(overview(records), console())


def _print_json(records: dict[str, Record]) -> None:
    import json

    rows = [
        {"name": name, "identity": r.identity, "config": r.config} | r.summary
        for name, r in records.items()
    ]
    typer.echo(json.dumps(rows, indent=2))
