"""Truncated BPTT in which every loss term reaches so many steps back.

(Detached at chunk borders it is an ordinary backward pass with cuts: gradlab.engine.backward.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.backward import Block
from gradlab.engine.forward import BLOCK, Segment, Trajectory
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Exponents, Scaled, add
from gradlab.engine.terms import Whole, by_lag


def sliding(
    trajectory: Trajectory, loss: Loss, entries: Sequence[int], reach: int
) -> Iterator[Block]:
    """The blocks of a backward pass in which every loss term reaches `reach` steps back.

    delta_s is the sum of the adjoints Delta_tau[s + tau] with tau < reach; what is linear in delta
    (cotangents, gradients) follows from it as in the ordinary pass.
    """
    whole = Whole(trajectory)
    R, D, B = trajectory.marks.shape[1:]
    T = trajectory.T
    total = Scaled(np.zeros((T + 1, R, D, B), trajectory.marks.dtype), np.zeros((T + 1, R), int))
    for lag in by_lag(whole, loss, entries, reach):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            _collect(total, lag.steps, lag.delta)
            if lag.steps[0] == 1:  # s_0 is given, there is nothing to detach
                pulled = Scaled(lag.pulled, lag.delta.exponent)
                _collect(total, lag.steps[:1] - 1, pulled.at(slice(0, 1)))
    for t0 in range((T - 1) // BLOCK * BLOCK, -1, -BLOCK):
        yield _block(whole, total, t0, min(BLOCK, T - t0))


def _collect(total: Scaled, steps: NDArray[np.int64], delta: Scaled) -> None:
    """Add adjoints (m, R, D, B) to those of their steps, which are distinct."""
    both = add(total.at(steps).flat(), delta.flat()).leading(*delta.exponent.shape)
    total.mantissa[steps], total.exponent[steps] = both


def _block(whole: Whole, total: Scaled, t0: int, n: int) -> Block:
    """Steps t0 + 1 .. t0 + n of that pass."""
    steps = np.arange(t0, t0 + n) + 1
    local, trajectory = whole.local_at(steps), whole.trajectory
    delta = total.at(slice(t0, t0 + n + 1))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        p = trajectory.weights.over(steps)
        cotangents = trajectory.cell.vjp(p, local, delta.mantissa[1:])[1]
    frame: Exponents = delta.exponent[1:]
    segment: Segment = whole.segment
    scale = np.ones((n + 1, delta.mantissa.shape[1]))
    return Block(t0, local, delta, Scaled(cotangents, frame), scale, segment, slice(t0, t0 + n))
