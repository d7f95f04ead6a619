"""Kernel of gradlab.cells.rnn: a_t = W_hh h_{t-1} + (W_ih x_t + b),  h_t = phi(a_t)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradlab.cells.rnn import Local, Params
from gradlab.kernels.gates import sigmoids
from gradlab.kernels.interface import Rows
from gradlab.kernels.layout import driven, lean, lean_weights
from gradlab.nonlinearity import Array


def _tanh(a: Array, h: Array) -> None:
    np.tanh(a, out=h)


def _relu(a: Array, h: Array) -> None:
    np.maximum(a, 0, out=h)


VALUES: dict[str, Callable[[Array, Array], None]] = {
    "tanh": _tanh,
    "relu": _relu,
    "sigmoid": sigmoids,
}


def rows(p: Params) -> Rows:
    H = p.affine.W.shape[-1]
    return Rows(activations=H, work=H)


def forward(p: Params, x: Array, states: Array, activations: Array) -> None:
    W, s, phi = lean_weights(p.affine.W), lean(states), VALUES[p.phi.name]
    u = lean(driven(p.affine.U, p.affine.b_ih + p.affine.b_hh, x))
    for h_prev, h, a, u_t in zip(s[:-1], s[1:], lean(activations), u, strict=True):
        np.matmul(W, h_prev, out=a)
        np.add(a, u_t, out=a)
        phi(a, h)


def backward(p: Params, local: Local, delta: Array, work: Array) -> None:
    Wt, d = lean_weights(p.affine.Wt), lean(delta)[::-1]
    each = zip(d[:-1], d[1:], lean(local.slope)[::-1], lean(work)[::-1], strict=True)
    for g, g_prev, slope, g_a in each:
        np.multiply(g, slope, out=g_a)
        np.matmul(Wt, g_a, out=g_prev)


def cotangents(work: Array) -> Array:
    return work
