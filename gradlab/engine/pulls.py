"""One step of the backward pass as linear maps on many columns: X -> J_t^T X.

For the singular values of products each sequence has an orthonormal basis of its own, where the
gradient has one column. Members of the products are (sequence, member of the ensemble): M =
sequences times R, the sequences outermost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.engine.backward import Block
from gradlab.engine.products import Diagonal, Pull
from gradlab.engine.schedule import Schedule
from gradlab.nonlinearity import Array


class Running(Protocol):
    """What goes on with every step: a running product, a frame."""

    def push(self, t: int, *pulls: Pull) -> None:
        """Take J_t, from t = T to 1, as its factors first to last."""


class StepPulls:
    """Takes the pulls of every step from the blocks of the backward pass, once for all that run."""

    def __init__(
        self, cell: Cell, weights: Schedule, sequences: int, running: Sequence[Running]
    ) -> None:
        self._cell, self._weights, self._sequences = cell, weights, sequences
        self._running = running

    def add(self, block: Block) -> None:
        """Take a block of the backward pass; they come from the last to the first."""
        steps = list(zip(*block.local, strict=True))
        for k in range(len(steps) - 1, -1, -1):
            t, local = block.t0 + k + 1, type(block.local)(*steps[k])
            pulls = step_pulls(self._cell, self._weights.at(t), local, self._sequences)
            for each in self._running:
                each.push(t, *pulls)


def step_pulls(cell: Cell, p: Any, local: Any, sequences: int) -> tuple[Pull, ...]:
    """The factors of J_t, first to last, for the first sequences: each maps X (M, D, r) to A^T X.

    local: the cell's local derivatives at one step, arrays (R, rows, B). Where a cell tells the
    diagonal apart (`Factored`), there are two.
    """
    # Factored, Factor: `isinstance` of a protocol is too slow for every step
    factors: Callable[[Any, Any], tuple[Array, Array]] | None = getattr(cell, "factors", None)
    factor: Callable[[Any, Any], Array] | None = getattr(cell, "factor", None)
    if factors is not None:
        d, W = factors(p, local)
        return _diagonal(_sequence_first(d, sequences)), _matrix(W)
    if factor is not None:
        return (_diagonal(_sequence_first(factor(p, local), sequences)),)
    own = type(local)(*(_sequence_first(field, sequences) for field in local))
    return (_vjp(cell, p, own, sequences),)


def _sequence_first(field: Array, sequences: int) -> Array:
    """(sequences, R, rows, 1) from (R, rows, B). A copy: whoever keeps a pull keeps no block."""
    return np.asarray(field[..., :sequences].transpose(2, 0, 1)[..., None].copy())


def _diagonal(d: Array) -> Pull:
    """By D(d), d (sequences, R, H, 1)."""
    return Diagonal(d.reshape(-1, d.shape[-2]))


def _matrix(W: Array) -> Pull:
    """By W (R, H, H)."""

    def pull(X: Array) -> Array:
        apart = X.reshape(-1, len(W), *X.shape[1:])
        return (W.swapaxes(-1, -2) @ apart).reshape(X.shape)

    return pull


def _vjp(cell: Cell, p: Any, local: Any, sequences: int) -> Pull:
    """By the whole of J_t."""

    def pull(X: Array) -> Array:
        M, _, r = X.shape
        wide = (np.broadcast_to(field, (*field.shape[:-1], r)) for field in local)
        g = X.reshape(sequences, M // sequences, *X.shape[1:])
        return cell.vjp(p, type(local)(*wide), g)[0].reshape(X.shape)

    return pull
