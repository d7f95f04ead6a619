"""What only some cells can show, or is wanted of them: the paths of the cell state, how a factor
and the gates are distributed.

A cell that has these functions says so by having them (`Paths` and `Factor` in cells.interface).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell, Factor, Paths
from gradlab.engine.backward import Block
from gradlab.engine.scaled import neighbours
from gradlab.engine.schedule import Schedule
from gradlab.nonlinearity import Array

BINS = 50  # of the factor, over [0, 1]
GATE_BINS = 2 * BINS  # of a gate, over [-1, 1]; before and after them what lies outside


class PathNorms:
    """The terms of dc_t/dc_{t-1} at the recorded steps: Frobenius norm over sqrt(H), root mean
    square over the sequences.

    The terms through h_{t-1} need the step before, so a block's first step waits for the next
    block. At t = 1 they are zero: h_0 is given, c_0 has no path to it.
    """

    def __init__(self, cell: Paths, weights: Schedule, rows: NDArray[np.int64], R: int) -> None:
        self._cell, self._weights, self._rows = cell, weights, rows
        self.norms = np.full((len(rows), R, len(cell.PATHS)), np.nan)
        self._waiting: tuple[int, Any] | None = None

    def add(self, block: Block) -> None:
        """Take a block of the backward pass; they come from the last to the first."""
        outlet = self._cell.outlet(block.local)
        if self._waiting is not None:
            self._put(*self._waiting, outlet[-1:])
        if len(outlet) > 1:
            self._put(block.t0 + 2, block.local_at(slice(1, None)), outlet[:-1])
        # a copy: the block's memory is used again
        first = type(block.local)(*(field[:1].copy() for field in block.local))
        self._waiting = block.t0 + 1, first
        if block.t0 == 0:
            self._put(1, first, np.zeros_like(outlet[:1]))

    def _put(self, t: int, local: Any, k_prev: Array) -> None:
        """Steps t, t + 1, ... of which `local` holds the derivatives."""
        low, high = np.searchsorted(self._rows, (t, t + len(k_prev)))
        if low == high:
            return
        k = neighbours(self._rows[low:high] - t)
        p = self._weights.over(self._rows[low:high])
        squares = self._cell.paths(p, type(local)(*(field[k] for field in local)), k_prev[k])
        self.norms[low:high] = np.sqrt(squares.mean(axis=-1, dtype=float) / k_prev.shape[2])


class FactorHistogram:
    """Counts (R, BINS) of the factor in [0, 1], over steps, units and sequences."""

    def __init__(self, cell: Factor, weights: Schedule, R: int) -> None:
        self._cell, self._weights = cell, weights
        self.counts = np.zeros((R, BINS), np.int64)

    def add(self, block: Block) -> None:
        """Count a block's factors."""
        R = block.cotangents.exponent.shape[1]
        factor = np.nan_to_num(self._cell.factor(self._weights.over(block.t), block.local))
        which = np.minimum((factor * BINS).astype(np.int64), BINS - 1)
        member = np.arange(R)[:, None, None] * BINS
        found = np.bincount((which + member).ravel(), minlength=R * BINS)
        self.counts += found.reshape(R, BINS)


class GateHistogram:
    """Counts (R, readings, 1 + GATE_BINS + 1) of the cell's gates, or of the activation of a cell
    without gates, over steps, units and sequences: below -1, in the bins of [-1, 1], above 1.
    """

    def __init__(self, cell: Cell, R: int) -> None:
        self._cell, self._R = cell, R
        self.counts: NDArray[np.int64] = np.zeros((R, 0, GATE_BINS + 2), np.int64)

    def add(self, block: Block) -> None:
        """Count a block's values."""
        readings = self._cell.readings(block.local).values()
        found = np.stack([self._count(one.value) for one in readings], axis=1)
        self.counts = found + (self.counts if self.counts.size else 0)

    def _count(self, value: Array) -> NDArray[np.int64]:
        """Of one gate (n, R, H, B)."""
        # 50 less a rounding: 1 lies in the last bin, not beyond it, and -1 in the first
        which = value * np.nextafter(BINS, 0, dtype=float)
        np.floor(which, out=which)
        np.fmax(which, -BINS - 1, out=which)  # where the state is lost, too
        np.minimum(which, BINS, out=which)
        which += np.arange(self._R)[:, None, None] * (GATE_BINS + 2) + (BINS + 1)
        found = np.bincount(which.astype(np.int64).ravel(), minlength=self._R * (GATE_BINS + 2))
        return found.reshape(self._R, GATE_BINS + 2)
