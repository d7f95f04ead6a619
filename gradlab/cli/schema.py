"""gradlab schema"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write this file; default stdout."),
    ] = None,
) -> None:
    """Print the JSON Schema of a config, for completion and checking in editors."""
    import json

    from gradlab.config import schema as config_schema
    from gradlab.files import write_whole

    text = json.dumps(config_schema(), indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text)
        typer.echo(str(out))
