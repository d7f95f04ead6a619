"""gradlab show"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def show(
    folder: Annotated[Path, typer.Argument(help="A results folder.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="The summary as one JSON document.")] = False,
) -> None:
    """Print what a run has found, from what is stored."""
    from gradlab.store import load

    record = load(folder)
    if json:
        import json as encoder

        head = {"gradlab": record.version, "identity": record.identity, "config": record.config}
        typer.echo(encoder.dumps(head | record.summary, indent=2))
        return
    from gradlab.report.terminal import console
    from gradlab.report.terminal import show as show_record

    show_record(record, console())
