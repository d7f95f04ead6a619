"""Kernel of gradlab.cells.linear: h_t = W_hh h_{t-1} + (W_ih x_t + b)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gradlab.cells import linear
from gradlab.cells.affine import Affine
from gradlab.cells.linear import Local
from gradlab.kernels.interface import Advance, Rows
from gradlab.kernels.layout import affine_drive, driven, lean, lean_weights, times
from gradlab.nonlinearity import Array


def rows(p: Affine) -> Rows:
    H = p.W.shape[-1]
    return Rows(activations=H, local=0, work=H)


drive = affine_drive


def forward(p: Affine, u: Array, states: Array, activations: Array) -> None:
    (W, product), s = lean_weights(p.W), lean(states)
    for h_prev, h, u_t in zip(s[:-1], s[1:], lean(u), strict=True):
        product(W, h_prev, h)
        np.add(h, u_t, h)
    activations[...] = states[1:]


def linearize(p: Affine, states: Array, activations: Array, memory: Array) -> Local:
    return linear.linearize(p, states[:-1], activations, states[1:])


def recurrence(p: Affine, like: Array) -> Advance:
    product, b = times(p.W), p.b_ih + p.b_hh

    def advance(x: Array, states: Array) -> None:
        s, add = lean(states), np.add
        for h_prev, h, u_t in zip(s[:-1], s[1:], lean(driven(p.U, b, x)), strict=True):
            product(h_prev, h)
            add(h, u_t, h)

    return advance


def activations(p: Affine, x: Array, states: Array, out: Array) -> None:
    out[...] = states[1:]


def backward(p: Affine, local: Local, delta: Array, work: Array) -> None:
    (Wt, product), d = lean_weights(p.Wt), lean(delta)[::-1]
    for g, g_prev in pairwise(d):
        product(Wt, g, g_prev)
    work[...] = delta[1:]


def cotangents(work: Array) -> Array:
    return work
