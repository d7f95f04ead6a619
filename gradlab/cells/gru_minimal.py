"""Gated recurrent unit with the update gate alone: no reset gate. Packed z, n.

    z = sigmoid(a_z),   n = tanh(a_n),   a_k = W_k h_{t-1} + U_k x_t + b_k,   k = z, n
    h_t = (1 - z) n + z h_{t-1}

State: h (H). Cotangents: a_n: delta (1 - z) n',   a_z: delta (h_{t-1} - n) z';
    J_t = D(z) + D((h_{t-1} - n) z') W_z + D((1 - z) n') W_n.
It is the GRU with r = 1, and the least that still has the gate that carries the state on.
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
from gradlab.nonlinearity import Array, sigmoid, sigmoid_slope, tanh_slope

SOURCE = "Cho et al. 2014 without the reset gate"
EQUATIONS = (
    "h_t = (1 - z) n + z h_{t-1};z = sigmoid(a), n = tanh(a), a = W_hh h_{t-1} + W_ih x_t + b_ih"
)
GATES = ("z", "n")
PACKED = GATES
STATE = ("h",)
KEEPS = "z"
BIASES = 1


@dataclass(frozen=True)
class Options:
    """The minimal GRU has no options."""


class Local(NamedTuple):
    """What a step's derivative needs; every array (..., H, B)."""

    z: Array  # dh_t / dh_{t-1} at fixed z and n
    h_z: Array  # dh_t / da_z = (h_{t-1} - n) z'
    h_n: Array  # dh_t / da_n = (1 - z) n'
    n: Array
    slopes: Array  # (..., 2 H, B) z', n', each over its largest value


def shapes(H: int, I: int, biases: int, options: Options) -> dict[str, Shape]:
    return affine_shapes(2, H, I, biases)


def init(tensors: Tensors, options: Options) -> Affine:
    return affine(tensors)


max_slope = no_bound


def drive(p: Affine, x: Array) -> Array:
    return p.U @ x + (p.b_ih + p.b_hh)


def step(p: Affine, s: Array, u: Array) -> tuple[Array, Array]:
    a = p.W @ s + u
    a_z, a_n = blocks(a, 2)
    return sigmoid(-a_z) * np.tanh(a_n) + sigmoid(a_z) * s, a


def linearize(p: Affine, s_prev: Array, a: Array, s: Array) -> Local:
    a_z, a_n = blocks(a, 2)
    n, dz, dn = np.tanh(a_n), sigmoid_slope(a_z), tanh_slope(a_n)
    return Local(
        z=sigmoid(a_z),
        h_z=(s_prev - n) * dz,
        h_n=sigmoid(-a_z) * dn,
        n=n,
        slopes=np.concatenate((4 * dz, dn), axis=-2),
    )


def vjp(p: Affine, loc: Local, g: Array) -> tuple[Array, Array]:
    g_a = np.concatenate((g * loc.h_z, g * loc.h_n), axis=-2)
    return g * loc.z + p.Wt @ g_a, g_a


def jacobian(p: Affine, loc: Local) -> Array:
    W_z, W_n = blocks(p.W, 2)
    return diagonal(loc.z) + times_rows(loc.h_z, W_z) + times_rows(loc.h_n, W_n)


def pull(p: Affine, loc: Local, cot: Array) -> Array:
    return p.Ut @ cot


def shares(cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
    return affine_shares(cot, cot, s_prev, x)


totals = nothing_more


def readings(loc: Local) -> dict[str, Reading]:
    return gate_readings(GATES, (loc.z, loc.n), loc.slopes)
