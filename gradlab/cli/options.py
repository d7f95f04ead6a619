"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    str, typer.Argument(help="YAML file; - reads standard input.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The results folder itself; default ROOT/NAME."),
]
Results = Annotated[
    Path,
    typer.Option("--results", metavar="ROOT", envvar="GRADLAB_RESULTS", help="Where results go."),
]
RESULTS = Path("results")
NoFigures = Annotated[
    bool,
    typer.Option("--no-figures/--figures", envvar="GRADLAB_NO_FIGURES", help="Draw no figures."),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, envvar="GRADLAB_JOBS", help="0: one per core.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder and errors only.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell where values came from, and the time went.")
]


def force_option(what: str) -> Any:
    """`--force`, with what it does."""
    return typer.Option("--force", "-f", help=what)
