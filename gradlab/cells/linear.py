"""Linear recurrence: the texts' bare case, dh multiplied by W_hh^T T times.

    h_t = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih

State: h (H). There is no activation: J_t = W_hh at every step, whatever the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells.affine import Affine, affine, affine_shares, nothing_more
from gradlab.cells.affine import shapes as affine_shapes
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array

SOURCE = "Pascanu, Mikolov, Bengio 2013, On the difficulty of training RNNs, section 2.1"
EQUATIONS = "h_t = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih"
GATES = ("h",)
PACKED = GATES
STATE = ("h",)
KEEPS = None
BIASES = 2


@dataclass(frozen=True)
class Options:
    """The linear cell has no options."""


class Local(NamedTuple):
    """Nothing is local to a step; `h` only tells how many steps and sequences there are."""

    h: Array  # (..., H, B)


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(1, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


def max_slope(options: Options) -> float:
    return 1.0


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + (p.b_ih + p.b_hh)


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    h = p.W @ s + u
    return h, h


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    return Local(s)


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    return p.Wt @ g, g


def jacobian(p: Affine, loc: Local) -> Array:
    H, B = loc.h.shape[-2:]
    return np.broadcast_to(p.W[..., None, :, :], (*loc.h.shape[:-2], B, H, H))


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    return p.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    return affine_shares(cot, cot, s_prev, x)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return {"h": Reading(loc.h, np.ones_like(loc.h))}
