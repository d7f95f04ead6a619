"""The cells: one file each, one line here. The interface is in `interface`.

To add one, write its file (equations and source at the top) and name it in CELLS: the config, the
tests, the docs and `gradlab list cells` iterate over this dict.
"""

from __future__ import annotations

from typing import cast

from gradlab.cells import (
    accumulator,
    gru,
    gru_2014,
    gru_minimal,
    linear,
    lstm,
    lstm_coupled,
    lstm_peephole,
    lstm_simple,
    rnn,
)
from gradlab.cells.interface import Cell

CELLS: dict[str, Cell] = {
    "linear": cast(Cell, linear),
    "rnn": cast(Cell, rnn),
    "lstm": cast(Cell, lstm),
    "gru": cast(Cell, gru),
    "lstm_peephole": cast(Cell, lstm_peephole),
    "lstm_coupled": cast(Cell, lstm_coupled),
    "lstm_simple": cast(Cell, lstm_simple),
    "gru_2014": cast(Cell, gru_2014),
    "gru_minimal": cast(Cell, gru_minimal),
    "accumulator": cast(Cell, accumulator),
}
