"""The vanilla RNN (Elman 1990), with tanh, ReLU or sigmoid; PyTorch's nn.RNN.

    a_t = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih
    h_t = phi(a_t)

    delta_a = delta_t phi'(a_t),   delta_{t-1} = W_hh^T delta_a,   J_t = D(phi'(a_t)) W_hh

State: h (H).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gradlab.cells.affine import Affine, affine, affine_shares, nothing_more, times_rows
from gradlab.cells.affine import shapes as affine_shapes
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import NONLINEARITIES, Array, Nonlinearity

SOURCE = "Elman 1990, Finding structure in time; layout of torch.nn.RNN"
EQUATIONS = "h_t = phi(W_hh h_{t-1} + b_hh + W_ih x_t + b_ih)"
GATES = ("h",)
PACKED = GATES
STATE = ("h",)
KEEPS = None
BIASES = 2


@dataclass(frozen=True)
class Options:
    """activation: phi."""

    activation: Literal["tanh", "relu", "sigmoid"] = "tanh"


class Params(NamedTuple):
    """The affine map and phi."""

    affine: Affine
    phi: Nonlinearity


class Local(NamedTuple):
    """What a step's derivative needs."""

    h: Array  # (..., H, B) phi(a)
    slope: Array  # (..., H, B) phi'(a)
    relative: Array  # (..., H, B) phi'(a) / max phi'


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(1, H, I, biases)


def init(tensors: Tensors, options: Options) -> Params:
    return Params(affine(tensors), NONLINEARITIES[options.activation])


def max_slope(options: Options) -> float:
    return NONLINEARITIES[options.activation].max_slope


def drive(p: Params, x: Array) -> Array:
    return p.affine.U @ x + (p.affine.b_ih + p.affine.b_hh)


def step(p: Params, s: Array, u: Array) -> tuple[Array, Array]:
    a = p.affine.W @ s + u
    return p.phi.value(a), a


def linearize(p: Params, s_prev: Array, a: Array, s: Array) -> Local:
    slope = p.phi.slope(a)
    return Local(s, slope, slope if p.phi.max_slope == 1 else slope / p.phi.max_slope)


def vjp(p: Params, loc: Local, g: Array) -> tuple[Array, Array]:
    g_a = g * loc.slope
    return p.affine.Wt @ g_a, g_a


def jacobian(p: Params, loc: Local) -> Array:
    return times_rows(loc.slope, p.affine.W)


def factors(p: Params, loc: Local) -> tuple[Array, Array]:
    return loc.slope, p.affine.W


def pull(p: Params, loc: Local, cot: Array) -> Array:
    return p.affine.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    return affine_shares(cot, cot, s_prev, x)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return {"h": Reading(loc.h, loc.relative)}
