"""gradlab schema"""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of a config, for completion and checking in editors."""
    import json

    from gradlab.config import schema as config_schema

    typer.echo(json.dumps(config_schema(), indent=2))
