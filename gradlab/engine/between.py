"""What the chains of one layer hand to those of the layer below: the gradient of their inputs.

In a bidirectional network of several layers y_t, the output of a layer, is the input of both chains
above it. With g_t = dL/dy_t, and the pull of each direction taken at the same step of the sequence,

    g_t = pull(forward)_t + pull(backward)_t          (+ dL/dy_t of the layer above: residual)

The rows of g_t are those of [h forward, h backward]: each half enters its own chain at every step,
as a loss does. It has gone through Jacobians, so it carries a power-of-two exponent for each step
and member.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from gradlab.engine.backward import Block
from gradlab.engine.forward import Trajectory
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Scaled, add, renormalize
from gradlab.nonlinearity import Array


class InputGradients:
    """dL/dx_t of all steps of a backward pass, in the chain's own time."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._cell, self._weights, self._T = trajectory.cell, trajectory.weights, trajectory.T
        self._mantissa: Array | None = None
        self._exponent = np.zeros((trajectory.T, trajectory.marks.shape[1]), np.int64)

    def add(self, block: Block) -> None:
        """Take a block of the backward pass."""
        cotangents, p = block.cotangents, self._weights.over(block.t)
        pulled = self._cell.pull(p, block.local, cotangents.mantissa)
        if self._mantissa is None:
            self._mantissa = np.empty((self._T, *pulled.shape[1:]), pulled.dtype)
        at = slice(block.t0, block.t0 + len(pulled))
        self._mantissa[at], self._exponent[at] = pulled, cotangents.exponent

    @property
    def found(self) -> Scaled:
        """(T, R, I, B), exponents (T, R)."""
        assert self._mantissa is not None  # the pass is done
        return Scaled(self._mantissa, self._exponent)


@dataclass(frozen=True)
class Handed:
    """A gradient that enters at every step 1 .. T, with its exponents; `also` enters with it."""

    dh: Scaled  # (T, R, H, B), exponents (T, R)
    also: Loss | None = None

    @property
    def steps(self) -> Collection[int]:
        """At which it enters: all."""
        return range(1, len(self.dh.exponent) + 1)

    def at(self, t: int) -> Scaled | None:
        """dL/dh_t from the layers above; None at t = 0, which they do not see."""
        if t == 0:
            return None
        own = Scaled(self.dh.mantissa[t - 1], self.dh.exponent[t - 1])
        more = None if self.also is None else self.also.at(t)
        if more is None:
            return own
        if not isinstance(more, Scaled):
            more = Scaled(more, np.zeros_like(own.exponent))
        return Scaled(*renormalize(*add(own, more)))


def hand_down(pulled: list[Scaled], losses: list[Loss], residual: bool) -> list[Loss]:
    """What enters the chains (forward, backward) of the layer below, each in its own time.

    pulled: dL/dx_t of the chains above, each in its own time, the rows being those of both
    directions below; losses: what entered those chains.
    """
    T, R = pulled[0].exponent.shape
    back = pulled[1].at(slice(None, None, -1))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        both = renormalize(*add(pulled[0].flat(), back.flat()))
    mantissa, exponent = Scaled(*both).leading(T, R)
    H = mantissa.shape[2] // 2
    halves = [
        Scaled(mantissa[:, :, :H], exponent),
        Scaled(mantissa[::-1, :, H:], exponent[::-1]),
    ]
    above = losses if residual else [None] * len(losses)
    return [Handed(half, loss) for half, loss in zip(halves, above, strict=True)]
