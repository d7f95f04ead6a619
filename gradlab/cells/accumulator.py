"""A state that is only added to: the contrast to the RNN, which overwrites its state at every step.

    s_t = s_{t-1} + Delta(x_t),   Delta(x) = tanh(W_ih x + b)

State: h = s (H). There is no recurrent matrix; J_t = 1 at every step, so the gradient goes back
unchanged through any number of steps. delta_a = delta_t tanh'(a_t).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells.affine import no_bound, nothing_more
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array, tanh_slope

SOURCE = "Hochreiter, Schmidhuber 1997: the constant error carousel, alone"
EQUATIONS = "s_t = s_{t-1} + tanh(W_ih x_t + b_ih)"
GATES = ()
PACKED = ("delta",)
STATE = ("h",)
KEEPS = None
BIASES = 1


@dataclass(frozen=True)
class Options:
    """The accumulator has no options."""


class Params(NamedTuple):
    """The weights of Delta, as columns want them."""

    U: Array  # (R, H, I)
    b: Array  # (R, H, 1)


class Local(NamedTuple):
    """The state's derivative is 1; these are of what is added to it. Every array (..., H, B)."""

    added: Array  # tanh(a)
    slope: Array  # tanh'(a)


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    # there is no product with the state that a second bias could belong to
    return {"weight_ih": (H, I)} | dict.fromkeys(("bias_ih",)[:biases], (H,))


def init(tensors: Tensors, options: Options) -> Params:
    U = tensors["weight_ih"]
    return Params(U, tensors.get("bias_ih", np.zeros(U.shape[:-1], U.dtype))[..., None])


max_slope = no_bound


def drive(p: Params, x: Array) -> Array:
    return p.U @ x + p.b


def step(p: Params, s: Array, u: Array) -> tuple[Array, Array]:
    return s + np.tanh(u), u


def linearize(p: Params, s_prev: Array, a: Array, s: Array) -> Local:
    return Local(np.tanh(a), tanh_slope(a))


def vjp(p: Params, loc: Local, g: Array) -> tuple[Array, Array]:
    return g, g * loc.slope


def jacobian(p: Params, loc: Local) -> Array:
    H, B = loc.slope.shape[-2:]
    return np.broadcast_to(np.eye(H, dtype=loc.slope.dtype), (*loc.slope.shape[:-2], B, H, H))


def pull(p: Params, loc: Local, cot: Array) -> Array:
    return p.U.swapaxes(-1, -2) @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    return Share("weight_ih", cot, x), Share("bias_ih", cot, None)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return {"delta": Reading(loc.added, loc.slope)}
