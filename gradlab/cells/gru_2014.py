"""Gated recurrent unit as it was published: the reset gate acts before the product. Packed r, z, n.

    r, z = sigmoid(a_r), sigmoid(a_z),   a_k = W_k h_{t-1} + U_k x_t + b_k,   k = r, z
    n = tanh(a_n),   a_n = W_n (r h_{t-1}) + U_n x_t + b_n
    h_t = (1 - z) n + z h_{t-1}

State: h (H). Cotangents: a_n: delta (1 - z) n',   a_z: delta (h_{t-1} - n) z',
r h_{t-1}: q = W_n^T g_n,   a_r: q h_{t-1} r';
    J_t = D(z) + D((h_{t-1} - n) z') W_z + D((1 - z) n') W_n [D(r) + D(h_{t-1} r') W_r].
The paper's z is 1 - z here, as in PyTorch and everywhere in gradlab: z keeps the state.
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
from gradlab.nonlinearity import Array, sigmoid, sigmoid_slope, tanh_slope

SOURCE = "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder"
EQUATIONS = (
    "h_t = (1 - z) n + z h_{t-1};"
    "r, z = sigmoid(a), a = W_hh h_{t-1} + W_ih x_t + b_ih;"
    "n = tanh(W_hn (r h_{t-1}) + W_in x_t + b_in)"
)
GATES = ("r", "z", "n")
PACKED = GATES
STATE = ("h",)
KEEPS = "z"
BIASES = 1


@dataclass(frozen=True)
class Options:
    """The GRU of 2014 has no options."""


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    z: Array  # dh_t / dh_{t-1} at fixed gates
    r: Array  # d(r h_{t-1}) / dh_{t-1} at fixed r
    h_n: Array  # dh_t / da_n = (1 - z) n'
    h_z: Array  # dh_t / da_z = (h_{t-1} - n) z'
    q_r: Array  # d(r h_{t-1}) / da_r = h_{t-1} r'
    n: Array
    slopes: Array  # (..., 3 H, B) r', z', n', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(3, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


max_slope = no_bound


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + (p.b_ih + p.b_hh)


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    H = s.shape[-2]
    a = p.W[..., : 2 * H, :] @ s + u[..., : 2 * H, :]
    a_r, a_z = blocks(a, 2)
    a_n = p.W[..., 2 * H :, :] @ (sigmoid(a_r) * s) + u[..., 2 * H :, :]
    h = sigmoid(-a_z) * np.tanh(a_n) + sigmoid(a_z) * s
    return h, np.concatenate((a, a_n), axis=-2)


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    a_r, a_z, a_n = blocks(a, 3)
    n = np.tanh(a_n)
    dr, dz, dn = sigmoid_slope(a_r), sigmoid_slope(a_z), tanh_slope(a_n)
    return Local(
        z=sigmoid(a_z),
        r=sigmoid(a_r),
        h_n=sigmoid(-a_z) * dn,
        h_z=(s_prev - n) * dz,
        q_r=s_prev * dr,
        n=n,
        slopes=np.concatenate((4 * dr, 4 * dz, dn), axis=-2),
    )


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    H = g.shape[-2]
    g_n = g * loc.h_n
    q = p.Wt[..., 2 * H :] @ g_n
    g_rz = np.concatenate((q * loc.q_r, g * loc.h_z), axis=-2)
    pulled = g * loc.z + q * loc.r + p.Wt[..., : 2 * H] @ g_rz
    return pulled, np.concatenate((g_rz, g_n), axis=-2)


def jacobian(p: Affine, loc: Local) -> Array:
    W_r, W_z, W_n = blocks(p.W, 3)
    reset = diagonal(loc.r) + times_rows(loc.q_r, W_r)
    return diagonal(loc.z) + times_rows(loc.h_z, W_z) + times_rows(loc.h_n, W_n) @ reset


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    return p.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    H = s_prev.shape[-2]
    r = sigmoid(a[..., :H, :])
    return (
        Share("weight_hh", cot[..., : 2 * H, :], s_prev),
        Share("weight_hh", cot[..., 2 * H :, :], r * s_prev, row=2 * H),
        Share("weight_ih", cot, x),
        Share("bias_ih", cot, None),
        Share("bias_hh", cot, None),
    )


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, (loc.r, loc.z, loc.n), loc.slopes)
