"""gradlab list"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gradlab.cells.interface import Cell


class Kind(StrEnum):
    """What can be listed."""

    CELLS = "cells"
    INITS = "inits"
    INPUTS = "inputs"
    LOSSES = "losses"
    TASKS = "tasks"


def kinds(kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)]) -> None:
    """List the kinds of cells, initial weights, inputs, losses or tasks that a config can name."""
    from gradlab.report.terminal import console, print_entries

    made = {Kind.CELLS: _cells, Kind.TASKS: _tasks}
    print_entries(made[kind]() if kind in made else _documented(kind), console())


def _tasks() -> dict[str, list[str]]:
    """Name -> what the file of the task says of it, a paragraph each."""
    import sys

    from gradlab.tasks import TASKS

    texts = {name: sys.modules[task.__module__].__doc__ or "" for name, task in TASKS.items()}
    return {
        name: [" ".join(part.split()) for part in text.strip().split("\n\n")]
        for name, text in texts.items()
    }


def _cells() -> dict[str, list[str]]:
    """Name -> equations, numbers of parameters, options, source."""
    from dataclasses import fields

    from gradlab.cells import CELLS

    return {
        name: [
            *(line.strip() for line in cell.EQUATIONS.split(";")),
            _parameters(cell),
            *(f"option {f.name}: default {_as_written(f.default)}" for f in fields(cell.Options)),
            cell.SOURCE,
        ]
        for name, cell in CELLS.items()
    }


def _parameters(cell: Cell) -> str:
    """How many there are with one bias vector and with two, and which is the default."""
    from math import prod

    one, two = (
        sum(prod(shape) for shape in cell.shapes(100, 100, biases, cell.Options()).values())
        for biases in (1, 2)
    )
    if one == two:
        return f"{one:,} parameters at H = I = 100"
    usual, other, biases = (one, two, 2) if cell.BIASES == 1 else (two, one, 1)
    return f"{usual:,} parameters at H = I = 100; {other:,} with init.biases: {biases}"


def _as_written(value: Any) -> str:
    """An option's value as in a config."""
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)


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
