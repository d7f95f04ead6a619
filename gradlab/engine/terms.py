"""All terms of the loss sent back side by side, one axis for them.

One backward pass cannot tell apart what comes from which loss term. Delta_tau[t], the adjoint that
the term at step t has at step t - tau, can: it costs one batched vjp for every tau.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Shape
from gradlab.engine.backward import inject
from gradlab.engine.forward import Trajectory
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Scaled, neighbours, renormalize
from gradlab.engine.window import State
from gradlab.nonlinearity import Array


class Lag(NamedTuple):
    """All loss terms, tau steps before their own step."""

    steps: NDArray[np.int64]  # (m,) t - tau of each term that reaches as far
    delta: Scaled  # (m, R, D, B) the adjoint there
    cotangents: Scaled  # (m, R, A', B) of the pre-activations of that step
    pulled: Array  # (m, R, D, B) the adjoint one step further back, in the frame of delta


class Whole:
    """A trajectory kept whole, with all local derivatives."""

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory, self.segment = trajectory, trajectory.whole()
        segment, T = self.segment, trajectory.T
        p = trajectory.weights.over(np.arange(1, T + 1))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self.local = trajectory.cell.linearize(
                p, segment.states[:-1], segment.activations, segment.states[1:]
            )

    def local_at(self, steps: NDArray[np.int64]) -> Any:
        """Local derivatives of some steps, arrays (m, R, rows, B)."""
        k = neighbours(steps - 1)
        return type(self.local)(*(field[k] for field in self.local))

    def part(self, steps: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Pre-activations, states before, and inputs of some steps."""
        k = neighbours(steps - 1)
        return self.segment.activations[k], self.segment.states[k], self.segment.x[k]


def by_lag(whole: Whole, loss: Loss, entries: Sequence[int], most: int) -> Iterator[Lag]:
    """The loss terms at `entries`, at lags 0 .. most - 1."""
    trajectory = whole.trajectory
    R, D, B = trajectory.marks.shape[1:]
    steps = np.array(sorted(entries), np.int64)
    start = [_entry(loss, int(t), (R, D, B), trajectory.marks.dtype) for t in steps]
    delta = Scaled(np.stack(start), np.zeros((len(steps), R), np.int64))
    for _ in range(most):
        alive = steps >= 1
        steps, delta = steps[alive], delta.at(alive)
        if not len(steps):
            return
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            # terms differ in size, and shrink unseen
            delta = Scaled(*renormalize(*delta.flat())).leading(len(steps), R)
            p = trajectory.weights.over(steps)
            g, cotangents = trajectory.cell.vjp(p, whole.local_at(steps), delta.mantissa)
            del p  # it may be a copy for every step: gone before the next is made
        yield Lag(steps, delta, Scaled(cotangents, delta.exponent), g)
        steps, delta = steps - 1, Scaled(g, delta.exponent)


def _entry(loss: Loss, t: int, shape: Shape, dtype: np.dtype) -> Array:
    zero = State(np.zeros(shape, dtype), np.zeros(shape[0], np.int64))
    return inject(zero, loss.at(t)).delta
