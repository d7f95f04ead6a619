"""Loops over many steps of a cell in memory that is there already: what a run spends its time in.

A cell is defined by its pure functions, one step at a time; each of their steps makes new arrays. A
kernel goes through a block of steps and writes everything where it belongs. It is one file for one
cell and one line here. The pure functions are what it is held against, and what runs where there is
no kernel: for any other cell or network, for weights that change from step to step.
"""

from __future__ import annotations

from typing import cast

from gradlab.cells import gru as gru_cell
from gradlab.cells import linear as linear_cell
from gradlab.cells import lstm as lstm_cell
from gradlab.cells import rnn as rnn_cell
from gradlab.cells.interface import Cell
from gradlab.kernels import gru, linear, lstm, rnn
from gradlab.kernels.interface import Kernel

KERNELS: tuple[tuple[Cell, Kernel], ...] = (
    (cast(Cell, linear_cell), cast(Kernel, linear)),
    (cast(Cell, rnn_cell), cast(Kernel, rnn)),
    (cast(Cell, lstm_cell), cast(Kernel, lstm)),
    (cast(Cell, gru_cell), cast(Kernel, gru)),
)


def kernel_of(cell: Cell) -> Kernel | None:
    """The kernel of a cell, None where it has none."""
    return next((kernel for own, kernel in KERNELS if own is cell), None)
