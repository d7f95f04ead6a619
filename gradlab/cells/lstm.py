"""Long short-term memory with a forget gate; PyTorch's nn.LSTM, gates packed i, f, g, o.

    a_k = W_k h_{t-1} + b_hk + U_k x_t + b_ik           k = i, f, g, o
    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);    g = tanh(a_g)
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t)

State: [h, c] (2 H). With the adjoint of c_t completed by its path through h_t,
    dc = delta_c + delta_h o (1 - tanh(c_t)^2),
the cotangents of the pre-activations are
    i: dc g i',   f: dc c_{t-1} f',   g: dc i g',   o: delta_h tanh(c_t) o'
and delta_h, delta_c at t - 1 are W^T of those and dc f. The Jacobian is the joint one:

    A = D(g i') W_i + D(c_{t-1} f') W_f + D(i g') W_g,   K = D(o (1 - tanh(c_t)^2))
    J_t = [ K A + D(tanh(c_t) o') W_o   K D(f) ]
          [ A                            D(f)  ]

The trap: dh_t/dh_{t-1} at fixed c is not the recurrence's Jacobian; with it even the sign of the
growth rate comes out wrong.
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

SOURCE = (
    "Hochreiter, Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000; "
    "layout of torch.nn.LSTM"
)
EQUATIONS = (
    "c_t = f c_{t-1} + i g, h_t = o tanh(c_t);"
    "i, f, o = sigmoid(a), g = tanh(a), a = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih"
)
GATES = ("i", "f", "g", "o")
PACKED = GATES
STATE = ("h", "c")
KEEPS = "f"
BIASES = 2
PATHS = ("direct", "forget", "input", "candidate")


@dataclass(frozen=True)
class Options:
    """The LSTM has no options."""


class Local(NamedTuple):
    """What a step's derivative needs; rows that are multiplied by the same lie side by side."""

    to_c: Array  # (..., 4 H, B) derivatives of c_t: f, c_i, c_f, c_g
    to_h: Array  # (..., 2 H, B) of h_t: h_o, k
    gates: Array  # (..., 4 H, B) i, f, g, o
    slopes: Array  # (..., 4 H, B) i', f', g', o', each over its largest value

    @property
    def c_i(self) -> Array:
        """dc_t / da_i = g i': (..., H, B)."""
        return blocks(self.to_c, 4)[1]

    @property
    def c_f(self) -> Array:
        """dc_t / da_f = c_{t-1} f': (..., H, B)."""
        return blocks(self.to_c, 4)[2]

    @property
    def c_g(self) -> Array:
        """dc_t / da_g = i g': (..., H, B)."""
        return blocks(self.to_c, 4)[3]

    @property
    def f(self) -> Array:
        """dc_t / dc_{t-1} at fixed gates: (..., H, B)."""
        return blocks(self.to_c, 4)[0]

    @property
    def h_o(self) -> Array:
        """dh_t / da_o = tanh(c_t) o': (..., H, B)."""
        return blocks(self.to_h, 2)[0]

    @property
    def k(self) -> Array:
        """dh_t / dc_t = o (1 - tanh(c_t)^2): (..., H, B)."""
        return blocks(self.to_h, 2)[1]


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(4, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


max_slope = no_bound


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + (p.b_ih + p.b_hh)


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    h, c = blocks(s, 2)
    a = p.W @ h + u
    H = h.shape[-2]
    i, f = blocks(sigmoid(a[..., : 2 * H, :]), 2)  # one call for two gates: a call costs too
    a_g, a_o = blocks(a[..., 2 * H :, :], 2)
    c = f * c + i * np.tanh(a_g)
    h = sigmoid(a_o) * np.tanh(c)
    return np.concatenate((h, c), axis=-2), a


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    c_prev, c = blocks(s_prev, 2)[1], blocks(s, 2)[1]
    gates, slopes = sigmoid_and_slope(a)  # of all four: a call costs too
    (i, f, g, o), (di, df, dg, do) = blocks(gates, 4), blocks(slopes, 4)
    a_g = blocks(a, 4)[2]
    g[...], dg[...] = np.tanh(a_g), tanh_slope(a_g)
    to_c = np.concatenate((f, g * di, c_prev * df, i * dg), axis=-2)
    to_h = np.concatenate((np.tanh(c) * do, o * tanh_slope(c)), axis=-2)
    for slope in (di, df, do):
        slope *= 4
    return Local(to_c, to_h, gates, slopes)


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    g_h, g_c = blocks(g, 2)
    dc = g_c + g_h * loc.k
    g_a = np.concatenate((dc * loc.c_i, dc * loc.c_f, dc * loc.c_g, g_h * loc.h_o), axis=-2)
    return np.concatenate((p.Wt @ g_a, dc * loc.f), axis=-2), g_a


def jacobian(p: Affine, loc: Local) -> Array:
    W_i, W_f, W_g, W_o = blocks(p.W, 4)
    A = times_rows(loc.c_i, W_i) + times_rows(loc.c_f, W_f) + times_rows(loc.c_g, W_g)
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
    direct, i, f, g = path_norms(loc.f, (loc.c_i, loc.c_f, loc.c_g), p.W, k_prev)
    return np.stack((direct, f, i, g), axis=-2)


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, blocks(loc.gates, 4), loc.slopes)
