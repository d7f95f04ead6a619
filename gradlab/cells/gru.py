"""Gated recurrent unit in PyTorch's form: the reset gate acts after the product. Packed r, z, n.

    r, z = sigmoid(a_r), sigmoid(a_z),   a_k = W_k h_{t-1} + b_hk + U_k x_t + b_ik,   k = r, z
    m = W_n h_{t-1} + b_hn
    n = tanh(a_n),   a_n = U_n x_t + b_in + r m
    h_t = (1 - z) n + z h_{t-1}

State: h (H). Cotangents: a_n: delta (1 - z) n',   a_z: delta (h_{t-1} - n) z',   a_r: g_n m r',
m: g_n r;
    J_t = D(z) + D((h_{t-1} - n) z') W_z + D((1 - z) n') [D(r) W_n + D(m r') W_r].
The term with h_{t-1} dz/dh is the one that public code forgets.
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

    z: Array  # dh_t / dh_{t-1} at fixed gates
    r: Array  # da_n / dm
    h_n: Array  # dh_t / da_n = (1 - z) n'
    h_z: Array  # dh_t / da_z = (h_{t-1} - n) z'
    n_r: Array  # da_n / da_r = m r'
    n: Array
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
    a_r, a_z, a_n, m = blocks(a, 4)
    (r, dr), (z, dz) = sigmoid_and_slope(a_r), sigmoid_and_slope(a_z)
    n, dn = np.tanh(a_n), tanh_slope(a_n)
    return Local(
        z=z,
        r=r,
        h_n=sigmoid(-a_z) * dn,
        h_z=(s_prev - n) * dz,
        n_r=m * dr,
        n=n,
        slopes=np.concatenate((4 * dr, 4 * dz, dn), axis=-2),
    )


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    g_n = g * loc.h_n
    g_a = np.concatenate((g_n, g_n * loc.n_r, g * loc.h_z, g_n * loc.r), axis=-2)  # n, r, z, m
    return g * loc.z + p.Wt @ g_a[..., g.shape[-2] :, :], g_a


def jacobian(p: Affine, loc: Local) -> Array:
    W_r, W_z, W_n = blocks(p.W, 3)
    candidate = times_rows(loc.r, W_n) + times_rows(loc.n_r, W_r)
    h_n = loc.h_n.swapaxes(-1, -2)[..., None]
    return diagonal(loc.z) + times_rows(loc.h_z, W_z) + h_n * candidate


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    g_n, g_r, g_z, _ = blocks(cot, 4)
    return p.Ut @ np.concatenate((g_r, g_z, g_n), axis=-2)


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    g_n, g_r, g_z, g_m = blocks(cot, 4)
    du = np.concatenate((g_r, g_z, g_n), axis=-2)
    dv = np.concatenate((g_r, g_z, g_m), axis=-2)
    return affine_shares(du, dv, s_prev, x)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, (loc.r, loc.z, loc.n), loc.slopes)
