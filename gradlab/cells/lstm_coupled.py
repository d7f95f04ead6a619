"""LSTM with coupled gates: what is forgotten makes room for what comes in. Packed f, g, o.

    a_k = W_k h_{t-1} + U_k x_t + b_k                   k = f, g, o
    f, o = sigmoid(a_f), sigmoid(a_o);    g = tanh(a_g);    i = 1 - f = sigmoid(-a_f)
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t)

State: [h, c] (2 H). c_t is a weighted mean of c_{t-1} and g: once in [-1, 1] it stays there.
With dc as in the LSTM the cotangents of the pre-activations are
    f: dc (c_{t-1} - g) f',   g: dc i g',   o: delta_h tanh(c_t) o'
and the Jacobian is the LSTM's with A = D((c_{t-1} - g) f') W_f + D(i g') W_g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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

SOURCE = "Greff et al. 2017, LSTM: a search space odyssey (CIFG)"
EQUATIONS = (
    "c_t = f c_{t-1} + (1 - f) g, h_t = o tanh(c_t);"
    "f, o = sigmoid(a), g = tanh(a), a = W_hh h_{t-1} + W_ih x_t + b_ih"
)
GATES = ("f", "g", "o")
PACKED = GATES
STATE = ("h", "c")
KEEPS = "f"
BIASES = 1
PATHS = ("direct", "forget", "candidate")


@dataclass(frozen=True)
class Options:
    """The coupled LSTM has no options."""


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    f: Array  # dc_t / dc_{t-1} at fixed gates
    k: Array  # dh_t / dc_t = o (1 - tanh(c_t)^2)
    c_f: Array  # dc_t / da_f = (c_{t-1} - g) f'
    c_g: Array  # dc_t / da_g = (1 - f) g'
    h_o: Array  # dh_t / da_o = tanh(c_t) o'
    gates: Array  # (..., 3 H, B) f, g, o
    slopes: Array  # (..., 3 H, B) f', g', o', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(3, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


max_slope = no_bound


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + (p.b_ih + p.b_hh)


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    h, c = blocks(s, 2)
    a = p.W @ h + u
    a_f, a_g, a_o = blocks(a, 3)
    c = sigmoid(a_f) * c + sigmoid(-a_f) * np.tanh(a_g)
    h = sigmoid(a_o) * np.tanh(c)
    return np.concatenate((h, c), axis=-2), a


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    c_prev, c = blocks(s_prev, 2)[1], blocks(s, 2)[1]
    a_f, a_g, a_o = blocks(a, 3)
    (f, df), (o, do) = sigmoid_and_slope(a_f), sigmoid_and_slope(a_o)
    g, dg = np.tanh(a_g), tanh_slope(a_g)
    return Local(
        f=f,
        k=o * tanh_slope(c),
        c_f=(c_prev - g) * df,
        c_g=sigmoid(-a_f) * dg,
        h_o=np.tanh(c) * do,
        gates=np.concatenate((f, g, o), axis=-2),
        slopes=np.concatenate((4 * df, dg, 4 * do), axis=-2),
    )


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    g_h, g_c = blocks(g, 2)
    dc = g_c + g_h * loc.k
    g_a = np.concatenate((dc * loc.c_f, dc * loc.c_g, g_h * loc.h_o), axis=-2)
    return np.concatenate((p.Wt @ g_a, dc * loc.f), axis=-2), g_a


def jacobian(p: Affine, loc: Local) -> Array:
    W_f, W_g, W_o = blocks(p.W, 3)
    A = times_rows(loc.c_f, W_f) + times_rows(loc.c_g, W_g)
    F = diagonal(loc.f)
    k = loc.k.swapaxes(-1, -2)[..., None]  # rows scaled by k: K A, K F
    return np.block([[k * A + times_rows(loc.h_o, W_o), k * F], [A, F]])


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    return p.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    return affine_shares(cot, cot, blocks(s_prev, 2)[0], x)


def totals(p: Affine, loc: Local, g: Array, cot: Array) -> dict[str, Array]:
    return with_outlet(loc.k, g)


def outlet(loc: Local) -> Array:
    return loc.k


def paths(p: Affine, loc: Local, k_prev: Array) -> Array:
    return np.stack(path_norms(loc.f, (loc.c_f, loc.c_g), p.W, k_prev), axis=-2)


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, blocks(loc.gates, 3), loc.slopes)
