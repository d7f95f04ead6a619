"""The simplified LSTM: gates that see only the input, and the input itself as the candidate.

    f, i = sigmoid(a_f), sigmoid(a_i),   a_k = W_k x_t + b_k,   k = f, i
    s_t = tanh(v_t),   v_t = f s_{t-1} + i x_t

State: h = s (H); x_t is added to it, so I = H. Packed f, i. There is no recurrent matrix, and the
Jacobian is diagonal:

    J_t = D(tanh'(v_t) f)

so each unit carries its own gradient, a product of T numbers below 1. Cotangents:
    a_f: g_v s_{t-1} f',   a_i: g_v x_t i',   with g_v = delta tanh'(v_t)
and x_t has a direct term beside those through the gates: dL/dx_t = W^T g_a + g_v i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells.affine import blocks, diagonal, no_bound, nothing_more
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array, sigmoid, sigmoid_slope, tanh_slope

SOURCE = "the texts' simplification of Hochreiter, Schmidhuber 1997: gates see the input alone"
EQUATIONS = "s_t = tanh(f s_{t-1} + i x_t);f, i = sigmoid(W_ih x_t + b_ih)"
GATES = ()
PACKED = ("f", "i")
STATE = ("h",)
KEEPS = "f"
BIASES = 1


@dataclass(frozen=True)
class Options:
    """The simplified LSTM has no options."""


class Params(NamedTuple):
    """The gates' weights, as columns want them."""

    U: Array  # (R, 2 H, I)
    b: Array  # (R, 2 H, 1)


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    slope: Array  # tanh'(v)
    f: Array  # dv / ds_{t-1}
    i: Array  # dv / dx_t at fixed gates
    v_f: Array  # dv / da_f = s_{t-1} f'
    v_i: Array  # dv / da_i = x_t i'
    slopes: Array  # (..., 2 H, B) f', i', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    if I != H:
        raise ValueError("input_size must equal hidden_size: x_t is added to the state")
    # there is no product with the state that a second bias could belong to
    return {"weight_ih": (2 * H, I)} | dict.fromkeys(("bias_ih",)[:biases], (2 * H,))


def init(tensors: Tensors, options: Options) -> Params:
    U = tensors["weight_ih"]
    return Params(U, tensors.get("bias_ih", np.zeros(U.shape[:-1], U.dtype))[..., None])


max_slope = no_bound


def drive(p: Params, x: Array) -> Array:
    """a_f, a_i and x_t itself, which the step adds to the state: (..., 3 H, B)."""
    return np.concatenate((p.U @ x + p.b, x), axis=-2)


def step(p: Params, s: Array, u: Array) -> tuple[Array, Array]:
    a_f, a_i, x = blocks(u, 3)
    return np.tanh(sigmoid(a_f) * s + sigmoid(a_i) * x), u


def linearize(p: Params, s_prev: Array, a: Array, s: Array) -> Local:
    a_f, a_i, x = blocks(a, 3)
    f, i = sigmoid(a_f), sigmoid(a_i)
    df, di = sigmoid_slope(a_f), sigmoid_slope(a_i)
    return Local(
        slope=tanh_slope(f * s_prev + i * x),
        f=f,
        i=i,
        v_f=s_prev * df,
        v_i=x * di,
        slopes=np.concatenate((4 * df, 4 * di), axis=-2),
    )


def vjp(p: Params, loc: Local, g: Array) -> tuple[Array, Array]:
    g_v = g * loc.slope
    # the last block is the cotangent of x_t at fixed gates
    return g_v * loc.f, np.concatenate((g_v * loc.v_f, g_v * loc.v_i, g_v * loc.i), axis=-2)


def factor(p: Params, loc: Local) -> Array:
    return loc.slope * loc.f


def jacobian(p: Params, loc: Local) -> Array:
    return diagonal(factor(p, loc))


def pull(p: Params, loc: Local, cot: Array) -> Array:
    g_f, g_i, g_x = blocks(cot, 3)
    return p.U.swapaxes(-1, -2) @ np.concatenate((g_f, g_i), axis=-2) + g_x


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    g_a = cot[..., : 2 * s_prev.shape[-2], :]
    return Share("weight_ih", g_a, x), Share("bias_ih", g_a, None)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    df, di = blocks(loc.slopes, 2)
    return {"f": Reading(loc.f, df), "i": Reading(loc.i, di)}
