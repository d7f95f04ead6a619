"""gradlab new"""

from __future__ import annotations

from typing import Annotated

import typer


def new(cell: Annotated[str, typer.Argument(help="A kind of cell.", show_default=False)]) -> None:
    """Print a commented config for a cell to start from."""
    from gradlab.config import starter

    typer.echo(starter(cell), nl=False)
