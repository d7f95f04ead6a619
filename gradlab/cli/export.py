"""gradlab export"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What a sweep can be exported to."""

    CSV = "csv"
    PARQUET = "parquet"
    NETCDF = "netcdf"


def export(
    folder: Annotated[Path, typer.Argument(help="A sweep's folder.", show_default=False)],
    to: Annotated[
        Format,
        typer.Option("--to", help="csv, parquet: every curve as rows; netcdf: labelled arrays."),
    ] = Format.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file; default FOLDER/export.FORMAT.")
    ] = None,
) -> None:
    """Write a sweep's points and curves as one file for other programs."""
    from gradlab.report.export import write
    from gradlab.sweeps.result import SweepResult

    typer.echo(str(write(SweepResult(folder), to.value, out)))
