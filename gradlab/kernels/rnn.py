"""Kernel of gradlab.cells.rnn: a_t = W_hh h_{t-1} + (W_ih x_t + b),  h_t = phi(a_t)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradlab.cells.rnn import Local, Params
from gradlab.kernels.gates import opposite_sigmoids, sigmoids, tanh_slopes
from gradlab.kernels.interface import Advance, Rows
from gradlab.kernels.layout import (
    affine_activations,
    affine_drive,
    driven,
    lean,
    lean_weights,
    times,
)
from gradlab.nonlinearity import Array


def _value(p: Params, dtype: np.dtype) -> Callable[[Array, Array], Any]:
    """phi, as a function of a and of where to write phi(a)."""
    zero, one = np.zeros((), dtype), np.ones((), dtype)
    values: dict[str, Callable[[Array, Array], Any]] = {
        "tanh": np.tanh,
        "relu": lambda a, h: np.maximum(a, zero, out=h),
        "sigmoid": lambda a, h: sigmoids(a, h, one),
    }
    return values[p.phi.name]


def _slope(p: Params, dtype: np.dtype) -> Callable[[Array, Array, Array], Any]:
    """phi', as a function of a, phi(a) and of where to write phi'(a)."""
    zero, one = np.zeros((), dtype), np.ones((), dtype)

    def of_sigmoid(a: Array, h: Array, slope: Array) -> None:
        opposite_sigmoids(a, slope, one)
        np.multiply(slope, h, slope)

    slopes: dict[str, Callable[[Array, Array, Array], Any]] = {
        "tanh": lambda a, h, slope: tanh_slopes(a, slope, one),
        "relu": lambda a, h, slope: np.greater(a, zero, out=slope),
        "sigmoid": of_sigmoid,
    }
    return slopes[p.phi.name]


def rows(p: Params) -> Rows:
    H = p.affine.W.shape[-1]
    return Rows(activations=H, local=H if p.phi.max_slope == 1 else 2 * H, work=H)


def drive(p: Params, x: Array) -> Callable[[], Array]:
    return affine_drive(p.affine, x)


def forward(p: Params, u: Array, states: Array, activations: Array) -> None:
    (W, product), s, phi = lean_weights(p.affine.W), lean(states), _value(p, states.dtype)
    for h_prev, h, a, u_t in zip(s[:-1], s[1:], lean(activations), lean(u), strict=True):
        product(W, h_prev, a)
        np.add(a, u_t, a)
        phi(a, h)


def linearize(p: Params, states: Array, activations: Array, memory: Array) -> Local:
    h, H = states[1:], states.shape[2]
    slope = memory[:, :, :H]
    _slope(p, states.dtype)(activations, h, slope)
    if p.phi.max_slope == 1:
        return Local(h, slope, slope)
    return Local(h, slope, np.divide(slope, p.phi.max_slope, out=memory[:, :, H:]))


def recurrence(p: Params, like: Array) -> Advance:
    product, phi, b = times(p.affine.W), _value(p, like.dtype), p.affine.b_ih + p.affine.b_hh

    def advance(x: Array, states: Array) -> None:
        s, add = lean(states), np.add
        for h_prev, h, u_t in zip(s[:-1], s[1:], lean(driven(p.affine.U, b, x)), strict=True):
            product(h_prev, h)
            add(h, u_t, h)
            phi(h, h)

    return advance


def activations(p: Params, x: Array, states: Array, out: Array) -> None:
    affine_activations(p.affine, x, states[:-1], out)


def backward(p: Params, local: Local, delta: Array, work: Array) -> None:
    (Wt, product), d = lean_weights(p.affine.Wt), lean(delta)[::-1]
    each = zip(d[:-1], d[1:], lean(local.slope)[::-1], lean(work)[::-1], strict=True)
    for g, g_prev, slope, g_a in each:
        np.multiply(g, slope, g_a)
        product(Wt, g_a, g_prev)


def cotangents(work: Array) -> Array:
    return work
