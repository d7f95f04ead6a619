"""Single units of gated cells, for a population that stands for a net (`dmft`).

The cells' equations (gradlab/cells) with the products W_k h_{t-1} replaced by given numbers w_k,
one for each unit and gate; N units at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradlab.nonlinearity import Array, sigmoid, sigmoid_slope, tanh_slope


@dataclass(frozen=True)
class Unit:
    """One unit of a cell, as functions of its gates' pre-activations.

    step(w, x, h, c) -> (h, c, local): w and x (gates, N), the recurrent and the input part with its
    bias. back(local, dh, dc) -> (d, own, dc): the cotangents of w (gates, N), what the unit hands
    on itself to dh and dc of the step before. c and dc are unused where there is no cell state.
    """

    gates: int
    keeps: int  # the gate with the forget bias
    step: Callable[[Array, Array, Array, Array], tuple[Array, Array, tuple[Array, ...]]]
    back: Callable[[tuple[Array, ...], Array, Array], tuple[Array, Array, Array]]


def _lstm_step(w: Array, x: Array, h: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    a = w + x
    i, f, o, g = sigmoid(a[0]), sigmoid(a[1]), sigmoid(a[3]), np.tanh(a[2])
    new = f * c + i * g
    slopes = sigmoid_slope(a)
    local = (
        np.tanh(new) * slopes[3],  # dh / da_o
        o * tanh_slope(new),  # dh / dc
        f,
        np.stack((g * slopes[0], c * slopes[1], i * tanh_slope(a[2]))),  # dc / da_i, a_f, a_g
    )
    return o * np.tanh(new), new, local


def _lstm_back(local: tuple[Array, ...], dh: Array, dc: Array) -> tuple[Array, Array, Array]:
    h_o, h_c, f, c_gates = local
    total = dc + dh * h_c
    return np.concatenate((total * c_gates, (dh * h_o)[None])), np.zeros_like(dh), total * f


def _gru_step(w: Array, x: Array, h: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    a_r, a_z = w[0] + x[0], w[1] + x[1]
    r, m = sigmoid(a_r), w[2]
    new, (z, gates) = _mixed(a_z, x[2] + r * m, h)
    h_z, h_n = gates
    return new, c, (z, np.stack((h_n * m * sigmoid_slope(a_r), h_z, h_n * r)))


def _minimal_step(w: Array, x: Array, h: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    new, local = _mixed(w[0] + x[0], w[1] + x[1], h)
    return new, c, local


def _mixed(a_z: Array, a_n: Array, h: Array) -> tuple[Array, tuple[Array, Array]]:
    """(1 - z) n + z h, and (z, its derivatives by a_z and a_n)."""
    z, n = sigmoid(a_z), np.tanh(a_n)
    derivatives = np.stack(((h - n) * sigmoid_slope(a_z), sigmoid(-a_z) * tanh_slope(a_n)))
    return sigmoid(-a_z) * n + z * h, (z, derivatives)


def _gru_back(local: tuple[Array, ...], dh: Array, dc: Array) -> tuple[Array, Array, Array]:
    z, h_gates = local
    return dh * h_gates, dh * z, dc


UNITS = {
    "lstm": Unit(4, 1, _lstm_step, _lstm_back),  # i, f, g, o
    "gru": Unit(3, 1, _gru_step, _gru_back),  # r, z, n
    "gru_minimal": Unit(2, 0, _minimal_step, _gru_back),  # z, n
}
