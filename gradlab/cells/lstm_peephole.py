"""LSTM whose gates look at the cell state, through one weight a unit; packed i, f, g, o.

    a_i = W_i h_{t-1} + U_i x_t + b_i + p_i c_{t-1},   a_f likewise with p_f
    a_g = W_g h_{t-1} + U_g x_t + b_g
    c_t = f c_{t-1} + i g
    a_o = W_o h_{t-1} + U_o x_t + b_o + p_o c_t
    h_t = o tanh(c_t)

State: [h, c] (2 H). i and f see the old c, o sees the new one. Papers differ in which gates have a
peephole; one that is left out has the weight 0. Against the plain LSTM two diagonals change:

    K = D(o (1 - tanh(c_t)^2) + tanh(c_t) o' p_o)          dh_t / dc_t
    B = D(f + c_{t-1} f' p_f + g i' p_i)                   dc_t / dc_{t-1} at fixed h_{t-1}
    J_t = [ K A + D(tanh(c_t) o') W_o   K B ]
          [ A                           B   ]   with A as in the LSTM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from gradlab.cells.affine import (
    Affine,
    affine,
    affine_shares,
    blocks,
    diagonal,
    gate_readings,
    no_bound,
    path_norms,
    times_rows,
    with_outlet,
)
from gradlab.cells.affine import shapes as affine_shapes
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array, sigmoid, sigmoid_and_slope, tanh_slope

SOURCE = "Gers, Schmidhuber 2000, Recurrent nets that time and count"
EQUATIONS = (
    "c_t = f c_{t-1} + i g, h_t = o tanh(c_t);"
    "i, f = sigmoid(a + p c_{t-1}), o = sigmoid(a + p c_t), g = tanh(a);"
    "a = W_hh h_{t-1} + W_ih x_t + b_ih"
)
GATES = ("i", "f", "g", "o")
PACKED = GATES
STATE = ("h", "c")
KEEPS = "f"
BIASES = 1
PATHS = ("direct", "forget", "input", "candidate")


@dataclass(frozen=True)
class Options:
    """peepholes: the gates that see the cell state; none makes it the plain LSTM."""

    peepholes: tuple[Literal["i", "f", "o"], ...] = ("i", "f", "o")


class Params(NamedTuple):
    """The affine map, and the peepholes as columns (R, H, 1)."""

    affine: Affine
    i: Array
    f: Array
    o: Array


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    b: Array  # dc_t / dc_{t-1} at fixed h_{t-1}
    k: Array  # dh_t / dc_t
    c_i: Array  # dc_t / da_i = g i'
    c_f: Array  # dc_t / da_f = c_{t-1} f'
    c_g: Array  # dc_t / da_g = i g'
    h_o: Array  # dh_t / da_o = tanh(c_t) o'
    gates: Array  # (..., 4 H, B) i, f, g, o
    slopes: Array  # (..., 4 H, B) i', f', g', o', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    chosen = dict.fromkeys((f"peephole_{k}" for k in GATES if k in options.peepholes), (H,))
    return affine_shapes(4, H, I, 0) | chosen | affine_shapes(4, H, I, biases)


def init(tensors: Tensors, options: Options) -> Params:
    W = tensors["weight_hh"]
    none = np.zeros((*W.shape[:-2], W.shape[-1]), W.dtype)
    i, f, o = (tensors.get(f"peephole_{k}", none)[..., None] for k in "ifo")
    return Params(affine(tensors), i, f, o)


max_slope = no_bound


def drive(p: Params, x: Array) -> Array:
    return p.affine.U @ x + (p.affine.b_ih + p.affine.b_hh)


def step(p: Params, s: Array, u: Array) -> tuple[Array, Array]:
    h, c = blocks(s, 2)
    a_i, a_f, a_g, a_o = blocks(p.affine.W @ h + u, 4)
    a_i, a_f = a_i + p.i * c, a_f + p.f * c
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    a_o = a_o + p.o * c
    h = sigmoid(a_o) * np.tanh(c)
    return np.concatenate((h, c), axis=-2), np.concatenate((a_i, a_f, a_g, a_o), axis=-2)


def linearize(p: Params, s_prev: Array, a: Array, s: Array) -> Local:
    c_prev, c = blocks(s_prev, 2)[1], blocks(s, 2)[1]
    a_i, a_f, a_g, a_o = blocks(a, 4)
    (i, di), (f, df), (o, do) = (sigmoid_and_slope(a_k) for a_k in (a_i, a_f, a_o))
    g, dg = np.tanh(a_g), tanh_slope(a_g)
    c_i, c_f, h_o = g * di, c_prev * df, np.tanh(c) * do
    return Local(
        b=f + c_f * p.f + c_i * p.i,
        k=o * tanh_slope(c) + h_o * p.o,
        c_i=c_i,
        c_f=c_f,
        c_g=i * dg,
        h_o=h_o,
        gates=np.concatenate((i, f, g, o), axis=-2),
        slopes=np.concatenate((4 * di, 4 * df, dg, 4 * do), axis=-2),
    )


def vjp(p: Params, loc: Local, g: Array) -> tuple[Array, Array]:
    g_h, g_c = blocks(g, 2)
    dc = g_c + g_h * loc.k
    g_a = np.concatenate((dc * loc.c_i, dc * loc.c_f, dc * loc.c_g, g_h * loc.h_o), axis=-2)
    return np.concatenate((p.affine.Wt @ g_a, dc * loc.b), axis=-2), g_a


def jacobian(p: Params, loc: Local) -> Array:
    W_i, W_f, W_g, W_o = blocks(p.affine.W, 4)
    A = times_rows(loc.c_i, W_i) + times_rows(loc.c_f, W_f) + times_rows(loc.c_g, W_g)
    B = diagonal(loc.b)
    k = loc.k.swapaxes(-1, -2)[..., None]  # rows scaled by k: K A, K B
    return np.block([[k * A + times_rows(loc.h_o, W_o), k * B], [A, B]])


def pull(p: Params, loc: Local, cot: Array) -> Array:
    return p.affine.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    h, c_prev = blocks(s_prev, 2)
    a_i, a_f, a_g, _ = blocks(a, 4)
    c = sigmoid(a_f) * c_prev + sigmoid(a_i) * np.tanh(a_g)
    g_i, g_f, _, g_o = blocks(cot, 4)
    return (
        *affine_shares(cot, cot, h, x),
        Share("peephole_i", g_i * c_prev, None),
        Share("peephole_f", g_f * c_prev, None),
        Share("peephole_o", g_o * c, None),
    )


def totals(p: Params, loc: Local, g: Array, cot: Array) -> dict[str, Array]:
    return with_outlet(loc.k, g)


def outlet(loc: Local) -> Array:
    return loc.k


def paths(p: Params, loc: Local, k_prev: Array) -> Array:
    direct, i, f, g = path_norms(loc.b, (loc.c_i, loc.c_f, loc.c_g), p.affine.W, k_prev)
    return np.stack((direct, f, i, g), axis=-2)


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, blocks(loc.gates, 4), loc.slopes)
