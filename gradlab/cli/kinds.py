"""gradlab list"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Kind(StrEnum):
    """What can be listed."""

    CELLS = "cells"
    INITS = "inits"
    INPUTS = "inputs"
    LOSSES = "losses"


def kinds(kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)]) -> None:
    """List the kinds of cells, initial weights, inputs or losses that a config can name."""
    from gradlab.report.terminal import console, print_entries

    entries = _cells() if kind is Kind.CELLS else _documented(kind)
    print_entries(entries, console())


def _cells() -> dict[str, list[str]]:
    """Name -> equations, source, options, numbers of parameters."""
    from dataclasses import fields
    from math import prod

    from gradlab.cells import CELLS

    entries = {}
    for name, cell in CELLS.items():
        counts = [
            sum(prod(shape) for shape in cell.shapes(100, 100, n, cell.Options()).values())
            for n in (1, 2)
        ]
        lines = [*cell.EQUATIONS.split(";"), cell.SOURCE]
        lines += [f"option {f.name}: default {f.default}" for f in fields(cell.Options)]
        lines += [f"{counts[0]:,} parameters at H = I = 100 ({counts[1]:,} with two bias vectors)"]
        entries[name] = [line.strip() for line in lines]
    return entries


def _documented(kind: Kind) -> dict[str, list[str]]:
    """Name -> the first paragraph of the kind's docstring."""
    from gradlab.engine.loss import LOSSES
    from gradlab.initial import INITS
    from gradlab.inputs import INPUTS

    tables: dict[Kind, Any] = {Kind.INITS: INITS, Kind.INPUTS: INPUTS, Kind.LOSSES: LOSSES}
    table = tables[kind]
    return {
        name: [" ".join((f.__doc__ or "").split("\n\n")[0].split())] for name, f in table.items()
    }
