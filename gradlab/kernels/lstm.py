"""Kernel of gradlab.cells.lstm; the equations are there.

A call costs as much as some hundred numbers, so there are few calls a step, on neighbours:
- all four gates go through the sigmoid together, g as well, whose values are not used;
- [i, f] times [g, c_{t-1}] is one product: c is kept beside g while the steps go by;
- so are delta_h times [h_o, k], and dc times [f, c_i, c_f, c_g].
"""

from __future__ import annotations

import numpy as np

from gradlab.cells.affine import Affine, blocks
from gradlab.cells.lstm import Local
from gradlab.kernels.gates import both_sigmoids, sigmoids, tanh_slopes
from gradlab.kernels.interface import Advance, Rows
from gradlab.kernels.layout import (
    affine_activations,
    affine_drive,
    apart,
    beside_parts,
    driven,
    in_turn,
    lean,
    lean_weights,
    repeated,
    room,
    times,
)
from gradlab.nonlinearity import Array


def rows(p: Affine) -> Rows:
    H = p.W.shape[-1]
    return Rows(activations=4 * H, local=14 * H, work=6 * H)


drive = affine_drive


def forward(p: Affine, u: Array, states: Array, activations: Array) -> None:
    n, R, _, B = u.shape
    (W, product), H, one = lean_weights(p.W), p.W.shape[-1], np.ones((), states.dtype)
    add, multiply, tanh = np.add, np.multiply, np.tanh
    g_c = np.empty((n + 1, R, 2 * H, B), states.dtype)  # g_t and c_{t-1}
    g_c[0, :, H:] = states[0, :, H:]
    gates, i_f, o = room(states[0], H, 4, slice(0, 2), slice(3, 4))
    products, i_g, f_c = room(states[0], H, 2, slice(0, 1), slice(1, 2))
    (tanh_c,) = room(states[0], H, 1)
    h, a_g = lean(states[:, :, :H]), lean(activations[:, :, 2 * H : 3 * H])
    g, c = lean(g_c[:-1, :, :H]), lean(g_c[1:, :, H:])
    each = zip(h[:-1], h[1:], lean(activations), a_g, lean(u), lean(g_c)[:-1], g, c, strict=True)
    for h_prev, h_t, a, a_g_t, u_t, g_and_c, g_t, c_t in each:
        product(W, h_prev, a)
        add(a, u_t, a)
        sigmoids(a, gates, one)
        tanh(a_g_t, g_t)
        multiply(i_f, g_and_c, products)
        add(f_c, i_g, c_t)
        tanh(c_t, tanh_c)
        multiply(o, tanh_c, h_t)
    states[1:, :, H:] = g_c[1:, :, H:]


def linearize(p: Affine, states: Array, activations: Array, memory: Array) -> Local:
    H, one, multiply = p.W.shape[-1], np.ones((), states.dtype), np.multiply
    c_prev, c = states[:-1, :, H:], states[1:, :, H:]
    to_c, to_h, gates, slopes = in_turn(memory, 4 * H, 2 * H, 4 * H, 4 * H)
    i_f, g, o = in_turn(gates, 2 * H, H, H)
    slopes_i_f, dg, do = in_turn(slopes, 2 * H, H, H)
    a_i_f, a_g, a_o = in_turn(activations, 2 * H, H, H)
    for a, value, slope in ((a_i_f, i_f, slopes_i_f), (a_o, o, do)):
        both_sigmoids(a, value, slope, one)
        multiply(slope, value, slope)
    np.tanh(a_g, g)
    tanh_slopes(a_g, dg, one)
    (i, own_f), (di, df) = blocks(i_f, 2), blocks(slopes_i_f, 2)
    (f, c_i, c_f, c_g), (h_o, k) = blocks(to_c, 4), blocks(to_h, 2)
    f[...] = own_f
    multiply(g, di, c_i)
    multiply(c_prev, df, c_f)
    multiply(i, dg, c_g)
    np.tanh(c, h_o)
    multiply(h_o, do, h_o)
    tanh_slopes(c, k, one)
    multiply(o, k, k)
    for slope in (slopes_i_f, do):
        multiply(slope, 4, slope)
    return Local(to_c, to_h, gates, slopes)


def recurrence(p: Affine, like: Array) -> Advance:
    """A gate is 1 / (1 + exp(-a)), with the sign in its weights; what it multiplies is divided:
    [g, c_{t-1}] by the denominators of [i, f], tanh(c_t) by that of o.
    """
    H, one, W, U = p.W.shape[-1], np.ones((), like.dtype), _signed(p.W), _signed(p.U)
    b, product = _signed(p.b_ih + p.b_hh), times(W)
    add, divide, exp, tanh = np.add, np.divide, np.exp, np.tanh
    some = slice(0, 1), slice(1, 4), slice(1, 3), slice(3, 4)
    a, a_g, gates, i_f, o = room(like, H, 4, *some)
    products, i_g, f_c = room(like, H, 2, slice(0, 1), slice(1, 2))
    (tanh_c,) = room(like, H, 1)

    def advance(x: Array, states: Array) -> None:
        g_c = np.empty_like(states)  # g_t and c_{t-1}
        g_c[0, :, H:] = states[0, :, H:]
        h, g, c = lean(states[:, :, :H]), lean(g_c[:-1, :, :H]), lean(g_c[1:, :, H:])
        u = lean(driven(U, b, x))
        each = zip(h[:-1], h[1:], u, lean(g_c)[:-1], g, c, strict=True)
        for h_prev, h_t, u_t, g_and_c, g_t, c_t in each:
            product(h_prev, a)
            add(a, u_t, a)
            tanh(a_g, g_t)
            exp(gates, gates)
            add(gates, one, gates)
            divide(g_and_c, i_f, products)
            add(f_c, i_g, c_t)
            tanh(c_t, tanh_c)
            divide(tanh_c, o, h_t)
        states[1:, :, H:] = g_c[1:, :, H:]

    return advance


def _signed(a: Array) -> Array:
    """Rows of i, f, g, o as those of g, -i, -f, -o."""
    i, f, g, o = blocks(a, 4)
    return np.concatenate((g, -i, -f, -o), axis=-2)


def activations(p: Affine, x: Array, states: Array, out: Array) -> None:
    affine_activations(p, x, states[:-1, :, : p.W.shape[-1]], out)


def backward(p: Affine, local: Local, delta: Array, work: Array) -> None:
    """work: delta_{c, t-1}; the cotangents of i, f, g, o; delta_h k, to which delta_c is added."""
    if delta.shape[1] == delta.shape[3] == 1:
        _backward_of_one(p, local, delta, work)
        return
    (Wt, product), H = lean_weights(p.Wt), p.W.shape[-1]
    add, multiply = np.add, np.multiply
    d_h = lean(delta[:, :, :H])[::-1]
    from_c, from_h = apart(work[:, :, : 4 * H], 4), apart(work[:, :, 4 * H :], 2)
    d_c = [lean(delta[-1:, :, H:])[0], *lean(work[:, :, :H])[:0:-1]]
    g_a, dc = lean(work[:, :, H : 5 * H]), lean(work[:, :, 5 * H :])
    each = zip(
        d_h[:-1],
        d_h[1:],
        d_c,
        *(a[::-1] for a in (from_c, from_h, g_a, dc)),
        *(a[::-1] for a in (apart(local.to_c, 4), apart(local.to_h, 2))),
        strict=True,
    )
    wide = beside_parts(p.W)
    for g_h, g_h_prev, g_c, c_rows, h_rows, g_a_t, dc_t, to_c, to_h in each:
        multiply(g_h[wide], to_h, h_rows)
        add(dc_t, g_c, dc_t)
        multiply(dc_t[wide], to_c, c_rows)
        product(Wt, g_a_t, g_h_prev)
    delta[:-1, :, H:] = work[:, :, :H]


def _backward_of_one(p: Affine, local: Local, delta: Array, work: Array) -> None:
    """Of one member and sequence: it is faster to repeat a row than to multiply beside it."""
    product, H, add, multiply = times(p.Wt), p.W.shape[-1], np.add, np.multiply
    (g_h_twice, twice), (dc_by_four, by_four) = repeated(delta, H, 2), repeated(delta, H, 4)
    d_h, d_c = lean(delta[:, :, :H])[::-1], lean(work[:, :, :H])[::-1]
    c_rows, h_rows = lean(work[:, :, : 4 * H])[::-1], lean(work[:, :, 4 * H :])[::-1]
    g_a, dc = lean(work[:, :, H : 5 * H])[::-1], lean(work[:, :, 5 * H :])[::-1]
    to_c, to_h, g_c = lean(local.to_c)[::-1], lean(local.to_h)[::-1], delta[-1, 0, H:, 0]
    each = zip(d_h[:-1], d_h[1:], d_c, c_rows, h_rows, g_a, dc, to_c, to_h, strict=True)
    for g_h, g_h_prev, g_c_prev, c_rows_t, h_rows_t, g_a_t, dc_t, to_c_t, to_h_t in each:
        twice[...] = g_h
        multiply(g_h_twice, to_h_t, h_rows_t)
        add(dc_t, g_c, dc_t)
        by_four[...] = dc_t
        multiply(dc_by_four, to_c_t, c_rows_t)
        product(g_a_t, g_h_prev)
        g_c = g_c_prev
    delta[:-1, :, H:] = work[:, :, :H]


def cotangents(work: Array) -> Array:
    H = work.shape[2] // 6
    return work[:, :, H : 5 * H]
