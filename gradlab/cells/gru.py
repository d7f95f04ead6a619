"""Gated recurrent unit in PyTorch's form: the reset gate acts after the product. Packed r, z, n.

    r, z = sigmoid(a_r), sigmoid(a_z),   a_k = W_k h_{t-1} + b_hk + U_k x_t + b_ik,   k = r, z
    m = W_n h_{t-1} + b_hn
    n = tanh(a_n),   a_n = U_n x_t + b_in + r m
    h_t = (1 - z) n + z h_{t-1}

State: h (H). Cotangents: delta times
    dh_t/da_n = (1 - z) n',   dh_t/da_r = (1 - z) n' m r',   dh_t/da_z = (h_{t-1} - n) z',
    dh_t/dm = (1 - z) n' r;
    J_t = D(z) + D(dh_t/da_z) W_z + D(dh_t/dm) W_n + D(dh_t/da_r) W_r.
The term with h_{t-1} dz/dh is the one that public code forgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells.affine import (
    Affine,
    affine,
    blocks,
    diagonal,
    gate_readings,
    no_bound,
    nothing_more,
    times_rows,
)
from gradlab.cells.affine import shapes as affine_shapes
from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array, sigmoid, sigmoid_and_slope, tanh_slope

SOURCE = "Cho et al. 2014, with the reset gate after the product: layout of torch.nn.GRU"
EQUATIONS = (
    "h_t = (1 - z) n + z h_{t-1};"
    "r, z = sigmoid(a), a = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih;"
    "n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))"
)
GATES = ("r", "z", "n")
PACKED = GATES
STATE = ("h",)
KEEPS = "z"
BIASES = 2


@dataclass(frozen=True)
class Options:
    """The GRU has no options."""


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    to_h: Array  # (..., 5 H, B) dh_t / da_n, / da_r, / da_z, / dm, / dh_{t-1} at fixed gates
    gates: Array  # (..., 3 H, B) r, z, n
    slopes: Array  # (..., 3 H, B) r', z', n', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(3, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


max_slope = no_bound


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + p.b_ih


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    u_r, u_z, u_n = blocks(u, 3)
    v_r, v_z, m = blocks(p.W @ s + p.b_hh, 3)
    a_r, a_z = u_r + v_r, u_z + v_z
    a_n = u_n + sigmoid(a_r) * m
    h = sigmoid(-a_z) * np.tanh(a_n) + sigmoid(a_z) * s
    return h, np.concatenate((a_r, a_z, a_n, m), axis=-2)


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    _, a_z, a_n, m = blocks(a, 4)
    gates, slopes = sigmoid_and_slope(a[..., : 3 * s.shape[-2], :])  # of all: a call costs too
    (r, z, n), (dr, dz, dn) = blocks(gates, 3), blocks(slopes, 3)
    n[...], dn[...] = np.tanh(a_n), tanh_slope(a_n)
    h_n = sigmoid(-a_z) * dn
    to_h = np.concatenate((h_n, h_n * (m * dr), (s_prev - n) * dz, h_n * r, z), axis=-2)
    for slope in (dr, dz):
        slope *= 4
    return Local(to_h, gates, slopes)


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    h_n, h_r, h_z, h_m, z = blocks(loc.to_h, 5)
    g_a = np.concatenate((g * h_n, g * h_r, g * h_z, g * h_m), axis=-2)  # n, r, z, m
    return g * z + p.Wt @ g_a[..., g.shape[-2] :, :], g_a


def jacobian(p: Affine, loc: Local) -> Array:
    W_r, W_z, W_n = blocks(p.W, 3)
    _, h_r, h_z, h_m, z = blocks(loc.to_h, 5)
    gated = times_rows(h_r, W_r) + times_rows(h_z, W_z) + times_rows(h_m, W_n)
    return diagonal(z) + gated


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    g_n, g_r, g_z, _ = blocks(cot, 4)
    return p.Ut @ np.concatenate((g_r, g_z, g_n), axis=-2)


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    H = s_prev.shape[-2]
    n, rz, rzm = cot[..., :H, :], cot[..., H : 3 * H, :], cot[..., H:, :]
    return (
        Share("weight_hh", rzm, s_prev),
        Share("bias_hh", rzm, None),
        Share("weight_ih", rz, x),
        Share("bias_ih", rz, None),
        Share("weight_ih", n, x, row=2 * H),
        Share("bias_ih", n, None, row=2 * H),
    )


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, blocks(loc.gates, 3), loc.slopes)
