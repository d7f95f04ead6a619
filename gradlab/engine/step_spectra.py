"""Singular values of the recorded steps' Jacobians, found while the backward pass goes on."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell
from gradlab.engine.backward import Block
from gradlab.engine.schedule import Schedule
from gradlab.engine.spectrum import step_singular_values
from gradlab.nonlinearity import Array
from gradlab.team import Begun, begin

JACOBIANS = 2**21  # bytes of them that are made at once


class StepSpectra:
    """Of the steps `rows`, ascending, within 0 .. T: (N, R, sequences, D), or the largest
    alone (N, R, sequences, 1); NaN at t = 0.

    Those of a block are found while the next one is made, where there are other threads.
    """

    def __init__(
        self,
        cell: Cell,
        weights: Schedule,
        rows: NDArray[np.int64],
        shape: tuple[int, int, int],
        largest: bool,
    ) -> None:
        """shape: R, sequences, D."""
        self._cell, self._weights, self._rows = cell, weights, rows
        self._shape, self._largest = shape, largest
        R, sequences, D = shape
        self._values = np.full((len(rows), R, sequences, 1 if largest else D), np.nan)
        self._begun: Begun[None] | None = None

    def add(self, block: Block) -> None:
        """Take a block of the backward pass."""
        self._complete()
        t = block.t
        low, high = np.searchsorted(self._rows, (t[0], t[-1] + 1))
        R, sequences, D = self._shape
        some = max(JACOBIANS // (R * sequences * D * D * 8), 1)
        pieces = []
        for start in range(low, high, some):
            at = slice(start, min(start + some, high))
            k = self._rows[at] - t[0]
            # copies: the block's memory is used again
            own = type(block.local)(*(field[..., :sequences][k] for field in block.local))
            pieces.append(partial(self._find, at, own))
        self._begun = begin(pieces)

    def values(self) -> Array:
        """All of them."""
        self._complete()
        return self._values

    def _complete(self) -> None:
        if self._begun is not None:
            self._begun.results()
            self._begun = None

    def _find(self, at: slice, local: object) -> None:
        p, sequences = self._weights.over(self._rows[at]), self._shape[1]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self._values[at] = step_singular_values(self._cell, p, local, sequences, self._largest)
