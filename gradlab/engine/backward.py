"""Backpropagation through time: the adjoint recurrence delta_{t-1} = J_t^T delta_t +
dL_{t-1}/ds_{t-1}.

`sweep` goes from t = T down to 0 in blocks of steps and yields each block with what was found
there; who needs what (norms, gradients of the parameters, singular values) takes it from the block.

delta carries a power-of-two exponent for each member, so that it neither overflows nor underflows.
The exponent moves lazily: at the start of a block when the norm has drifted out of a window. A
block in which the norm still leaves the safe range is done again with rescaling at every step.
Powers of two are exact, so neither changes a digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.engine.clip import StepClip
from gradlab.engine.forward import BLOCK, Segment, Trajectory
from gradlab.engine.loss import Injection
from gradlab.engine.scaled import Exponents, Scaled, renormalize, shift
from gradlab.nonlinearity import Array


class Block(NamedTuple):
    """Steps t0 + 1 .. t0 + n of the backward pass."""

    t0: int
    local: Any  # the cell's local derivatives, arrays (n, R, rows, B)
    delta: Scaled  # (n + 1, R, D, B): delta_{t0} .. delta_{t0+n}, before a step clip
    cotangents: Scaled  # (n, R, A', B) of the pre-activations; exponent (n, R)
    clip_scale: Array  # (n + 1, R) the factor of a step clip, 1 where none
    segment: Segment  # where states, inputs and pre-activations of these steps are
    steps: slice  # of this block within the segment


class _State(NamedTuple):
    """delta on its way down, ready to be pulled back through the next step."""

    delta: Array  # (R, D, B)
    exponent: Exponents  # (R,)


def sweep(trajectory: Trajectory, loss: Injection, clip: StepClip | None = None) -> Iterator[Block]:
    """Blocks from the last to the first. clip scales delta_t at every step on its way down."""
    R, D, B = trajectory.marks.shape[1:]
    cell, p = trajectory.cell, trajectory.p
    state = _State(np.zeros((R, D, B), trajectory.marks.dtype), np.zeros(R, np.int64))
    top = _inject(state, loss.at(trajectory.T))
    for segment in trajectory.backwards():
        n = len(segment.x)
        for start in range((n - 1) // BLOCK * BLOCK, -1, -BLOCK):
            steps = slice(start, min(start + BLOCK, n))
            # not around the loop: an errstate would leak to the caller at every yield
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                block = _block(cell, p, segment, steps, top, loss, clip)
            yield block
            top = _State(block.delta.mantissa[0], block.delta.exponent[0])


def _block(
    cell: Cell,
    p: Any,
    segment: Segment,
    steps: slice,
    top: _State,
    loss: Injection,
    clip: StepClip | None,
) -> Block:
    states = segment.states[steps.start : steps.stop + 1]
    local = cell.linearize(p, states[:-1], segment.activations[steps], states[1:])
    descent = _Descent(cell, p, local, segment.t0 + steps.start, len(states) - 1, loss, clip)
    if not descent.run(top, eager=clip is not None):
        descent.run(top, eager=True)
    return Block(
        descent.t0,
        local,
        Scaled(descent.delta, descent.exponent),
        Scaled(descent.cotangents, descent.frame),
        descent.clip_scale,
        segment,
        steps,
    )


class _Descent:
    """delta through the n steps of one block."""

    def __init__(
        self,
        cell: Cell,
        p: Any,
        local: Any,
        t0: int,
        n: int,
        loss: Injection,
        clip: StepClip | None,
    ) -> None:
        self.cell, self.p, self.t0, self.n, self.loss, self.clip = cell, p, t0, n, loss, clip
        self.at_step = [type(local)(*fields) for fields in zip(*local, strict=True)]

    def run(self, top: _State, eager: bool) -> bool:
        """Fill delta, cotangents and their exponents; False when the safe range was left."""
        R, D, B = top.delta.shape
        self.delta = np.empty((self.n + 1, R, D, B), top.delta.dtype)
        self.exponent = np.empty((self.n + 1, R), np.int64)
        self.frame = np.empty((self.n, R), np.int64)
        self.clip_scale = np.ones((self.n + 1, R))
        state = _State(*renormalize(*top)) if eager else _within_window(top)
        self.delta[self.n], self.exponent[self.n] = state
        for k in range(self.n - 1, -1, -1):
            if self.clip is not None:
                delta, exponent, self.clip_scale[k + 1] = self.clip(*state)
                state = _State(delta, exponent)
            g, cotangent = self.cell.vjp(self.p, self.at_step[k], state.delta)
            if k == self.n - 1:
                self.cotangents = np.empty((self.n, *cotangent.shape), cotangent.dtype)
            self.cotangents[k], self.frame[k] = cotangent, state.exponent
            state = _inject(_State(g, state.exponent), self.loss.at(self.t0 + k))
            if eager:
                state = _State(*renormalize(*state))
            self.delta[k], self.exponent[k] = state
        return eager or _safe(self.delta)


def _inject(state: _State, dh: Array | None) -> _State:
    """delta + dh, dh entering the first rows (h). A delta far below 1 comes back to the plain
    frame.
    """
    if dh is None:
        return state
    below = np.minimum(state.exponent, 0)
    delta, exponent = shift(state.delta, below), state.exponent - below
    if delta is state.delta:
        delta = delta.copy()
    delta[:, : dh.shape[1]] += shift(dh, -exponent)
    return _State(delta, exponent)


def _norm_exponents(delta: Array) -> tuple[Array, Array]:
    """Sums of squares (..., R) of delta (..., R, D, B) and the binary exponents of their roots."""
    flat = delta.reshape(*delta.shape[:-2], -1)
    square = np.vecdot(flat, flat)
    return square, np.frexp(square)[1] // 2


def _within_window(state: _State) -> _State:
    """Rescale the members whose norm has left 2^(+-a quarter of the exponent range)."""
    _, size = _norm_exponents(state.delta)
    k = np.where(np.abs(size) > np.finfo(state.delta.dtype).maxexp // 4, size, 0).astype(np.int64)
    return _State(shift(state.delta, -k), state.exponent + k)


def _safe(delta: Array) -> bool:
    """No norm outside 2^(+-half of the exponent range), and no zero that is only an underflow."""
    square, size = _norm_exponents(delta)
    limit = np.finfo(delta.dtype).maxexp // 2 - 8
    zero = square == 0
    inside = np.isfinite(square) & (np.abs(size) < limit)
    return bool(np.all(inside | zero)) and not (zero.any() and delta[zero].any())
