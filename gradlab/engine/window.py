"""The range in which delta is left as it is, and the safe one, outside which its squares end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradlab.engine.scaled import Exponents, shift
from gradlab.nonlinearity import Array


class State(NamedTuple):
    """delta on its way down, ready to be pulled back through the next step.

    R stands for all leading axes: members, or steps and members.
    """

    delta: Array  # (R, D, B)
    exponent: Exponents  # (R,)


def _norm_exponents(delta: Array) -> tuple[Array, Array]:
    """Sums of squares (..., R) of delta (..., R, D, B) and the binary exponents of their roots."""
    flat = delta.reshape(*delta.shape[:-2], -1)
    square = np.vecdot(flat, flat)
    return square, np.frexp(square)[1] // 2


def within_window(state: State) -> State:
    """Rescale the members whose norm has left 2^(+-a 16th of the exponent range): most of the range
    is for the steps until the next time.
    """
    _, size = _norm_exponents(state.delta)
    k = np.where(np.abs(size) > np.finfo(state.delta.dtype).maxexp // 16, size, 0).astype(np.int64)
    return State(shift(state.delta, -k), state.exponent + k)


def unsafe_members(delta: Array) -> Array:
    """Which members (R,) of delta (n + 1, R, D, B) had a norm outside 2^(+-half of the exponent
    range), or a norm of zero that is only an underflow.
    """
    square, size = _norm_exponents(delta)
    limit = np.finfo(delta.dtype).maxexp // 2 - 8
    zero = square == 0
    outside = ~np.isfinite(square) | (~zero & (np.abs(size) >= limit))
    if zero.any():
        outside[zero] = delta[zero].any(axis=(-1, -2))
    return outside.any(axis=0)
