"""The cells: one file each, one line here. The interface is in `interface`.

To add one, write its file (equations and source at the top) and name it in CELLS: the config, the
tests, the docs and `gradlab list cells` iterate over this dict.
"""

from __future__ import annotations

from typing import cast

from gradlab.cells import gru, linear, lstm, rnn
from gradlab.cells.interface import Cell


def find(name: str) -> Cell:
    """The cell of that name."""
    return CELLS[name]


CELLS: dict[str, Cell] = {
    "linear": cast(Cell, linear),
    "rnn": cast(Cell, rnn),
    "lstm": cast(Cell, lstm),
    "gru": cast(Cell, gru),
}
