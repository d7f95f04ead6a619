"""Kernel of gradlab.cells.gru; the equations are there. h_t = (1 - z) n + z h_{t-1}.

1 - z is sigmoid(-a_z): nothing is left of it where z is rounded to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradlab.cells.affine import Affine, blocks
from gradlab.cells.gru import Local
from gradlab.kernels.gates import both_sigmoids, opposite_sigmoids, sigmoids, tanh_slopes
from gradlab.kernels.interface import Advance, Rows
from gradlab.kernels.layout import (
    apart,
    begin_driven,
    beside_parts,
    driven,
    in_turn,
    lean,
    lean_weights,
    of_all_steps,
    repeated,
    room,
    times,
)
from gradlab.nonlinearity import Array, sigmoid


def rows(p: Affine) -> Rows:
    H = p.W.shape[-1]
    return Rows(activations=4 * H, local=11 * H, work=5 * H)


def drive(p: Affine, x: Array) -> Callable[[], Array]:
    return begin_driven(p.U, _biases(p)[0], x)


def forward(p: Affine, u: Array, states: Array, activations: Array) -> None:
    (W, product), H, one = lean_weights(p.W), states.shape[2], np.ones((), states.dtype)
    add, multiply = np.add, np.multiply
    b_m = p.b_hh[0, 2 * H :] if len(p.W) == 1 else p.b_hh[:, 2 * H :]
    v, v_rz, v_m = room(states[0], H, 3, slice(0, 2), slice(2, 3))
    gates, r, z = room(states[0], H, 2, slice(0, 1), slice(1, 2))
    keep, new, old = (room(states[0], H, 1)[0] for _ in range(3))
    h, (a_rz, a_z, a_n, m) = lean(states), _parts(activations, H)
    u_rz, u_n = lean(u[:, :, : 2 * H]), lean(u[:, :, 2 * H :])
    if b_m.ndim > h[0].ndim:
        b_m = b_m[:, 0]
    each = zip(h[:-1], h[1:], u_rz, u_n, a_rz, a_z, a_n, m, strict=True)
    for h_prev, h_t, u_rz_t, u_n_t, a_rz_t, a_z_t, a_n_t, m_t in each:
        product(W, h_prev, v)
        add(v_rz, u_rz_t, a_rz_t)
        add(v_m, b_m, m_t)
        sigmoids(a_rz_t, gates, one)
        multiply(r, m_t, new)
        add(new, u_n_t, a_n_t)
        np.tanh(a_n_t, new)
        opposite_sigmoids(a_z_t, keep, one)
        multiply(keep, new, new)
        multiply(z, h_prev, old)
        add(new, old, h_t)


def recurrence(p: Affine, like: Array) -> Advance:
    """A gate is 1 / (1 + exp(-a)), with the sign in its weights; what it multiplies is divided: m
    by the denominator of r, [h_{t-1}, n] by those of z and 1 - z.
    """
    H, product, U = p.W.shape[-1], times(_signed(p.W)), _signed(p.U)
    one, minus_one = np.full((), 1, like.dtype), np.full((), -1, like.dtype)
    b, b_m = _biases(p)
    signed_b = _signed(b)
    add, divide, exp, multiply, tanh = np.add, np.divide, np.exp, np.multiply, np.tanh
    some = slice(0, 3), slice(0, 1), slice(1, 4), slice(1, 2), slice(2, 3), slice(3, 4), slice(2, 4)
    _, v, m, gates, r, minus_a_z, a_z, z_keep = room(like, H, 4, *some)
    products, z_h, keep_n = room(like, H, 2, slice(0, 1), slice(1, 2))
    (a_n,) = room(like, H, 1)

    def advance(x: Array, states: Array) -> None:
        h_n = np.empty((*states.shape[:2], 2 * H, 1), states.dtype)  # h_{t-1} and n_t
        h_n[0, :, :H] = states[0]
        u = driven(U, signed_b, x)
        u_n = lean(u[:, :, :H].copy())
        u[:, :, :H] = b_m
        h, n = lean(h_n[:, :, :H]), lean(h_n[:-1, :, H:])
        each = zip(h[:-1], h[1:], lean(u), u_n, n, lean(h_n)[:-1], strict=True)
        for h_prev, h_t, u_t, u_n_t, n_t, h_and_n in each:
            product(h_prev, v)
            add(v, u_t, v)
            multiply(minus_a_z, minus_one, a_z)  # as gates.minus does
            exp(gates, gates)
            add(gates, one, gates)
            divide(m, r, a_n)
            add(a_n, u_n_t, a_n)
            tanh(a_n, n_t)
            divide(h_and_n, z_keep, products)
            add(z_h, keep_n, h_t)
        states[1:] = h_n[1:, :, :H]

    return advance


def _signed(a: Array) -> Array:
    """Rows of r, z, n as those of n, -r, -z."""
    r, z, n = blocks(a, 3)
    return np.concatenate((n, -r, -z), axis=-2)


def _biases(p: Affine) -> tuple[Array, Array]:
    """Of what does not depend on the state, (R, 3 H, 1), and of m."""
    H, b = p.W.shape[-1], p.b_ih.copy()
    b[:, : 2 * H] += p.b_hh[:, : 2 * H]
    return b, p.b_hh[:, 2 * H :]


def activations(p: Affine, x: Array, states: Array, out: Array) -> None:
    H, (b, b_m) = p.W.shape[-1], _biases(p)
    v = np.empty((*out.shape[:2], 3 * H, 1), out.dtype)
    of_all_steps(p.W, states[:-1], v)
    out[:, :, : 3 * H] = driven(p.U, b, x)
    a_rz, a_n, m = out[:, :, : 2 * H], out[:, :, 2 * H : 3 * H], out[:, :, 3 * H :]
    a_rz += v[:, :, : 2 * H]
    np.add(v[:, :, 2 * H :], b_m, m)
    a_n += m * sigmoid(a_rz[:, :, :H])


def _parts(activations: Array, H: int) -> tuple[Array, ...]:
    """Rows of a_r and a_z, a_z, a_n, m."""
    each = (slice(0, 2 * H), slice(H, 2 * H), slice(2 * H, 3 * H), slice(3 * H, None))
    return tuple(lean(activations[:, :, rows]) for rows in each)


def linearize(p: Affine, states: Array, activations: Array, memory: Array) -> Local:
    H, one, multiply = p.W.shape[-1], np.ones((), states.dtype), np.multiply
    to_h, gates, slopes = in_turn(memory, 5 * H, 3 * H, 3 * H)
    h_n, h_r, h_z, h_m, keep = in_turn(to_h, H, H, H, H, H)
    r_z, n = in_turn(gates, 2 * H, H)
    slopes_r_z, dn = in_turn(slopes, 2 * H, H)
    a_r_z, a_n, m = in_turn(activations, 2 * H, H, H)
    (r, z), (dr, dz) = in_turn(r_z, H, H), in_turn(slopes_r_z, H, H)
    both_sigmoids(a_r_z, r_z, slopes_r_z, one)
    np.tanh(a_n, n)
    tanh_slopes(a_n, dn, one)
    multiply(dz, dn, h_n)  # dz is still sigmoid(-a_z)
    multiply(slopes_r_z, r_z, slopes_r_z)
    multiply(m, dr, h_r)
    multiply(h_n, h_r, h_r)
    np.subtract(states[:-1], n, h_z)
    multiply(h_z, dz, h_z)
    multiply(h_n, r, h_m)
    keep[...] = z
    multiply(slopes_r_z, 4, slopes_r_z)
    return Local(to_h, gates, slopes)


def backward(p: Affine, local: Local, delta: Array, work: Array) -> None:
    """work: the cotangents of a_n, a_r, a_z, m, and delta z."""
    if delta.shape[1] == delta.shape[3] == 1:
        _backward_of_one(p, local, delta, work)
        return
    (Wt, product), H, d = lean_weights(p.Wt), p.W.shape[-1], lean(delta)[::-1]
    g_v, kept = lean(work[:, :, H : 4 * H]), lean(work[:, :, 4 * H :])
    parts, to_h = apart(work, 5), apart(local.to_h, 5)
    each = zip(d[:-1], d[1:], *(a[::-1] for a in (parts, to_h, g_v, kept)), strict=True)
    wide = beside_parts(p.W)
    for g, g_prev, parts_t, to_h_t, g_v_t, kept_t in each:
        np.multiply(g[wide], to_h_t, parts_t)
        product(Wt, g_v_t, g_prev)
        np.add(g_prev, kept_t, g_prev)


def _backward_of_one(p: Affine, local: Local, delta: Array, work: Array) -> None:
    """Of one member and sequence: it is faster to repeat a row than to multiply beside it."""
    product, H, d = times(p.Wt), p.W.shape[-1], lean(delta)[::-1]
    g_by_five, by_five = repeated(delta, H, 5)
    g_v, kept = lean(work[:, :, H : 4 * H])[::-1], lean(work[:, :, 4 * H :])[::-1]
    each = zip(d[:-1], d[1:], lean(work)[::-1], lean(local.to_h)[::-1], g_v, kept, strict=True)
    for g, g_prev, parts_t, to_h_t, g_v_t, kept_t in each:
        by_five[...] = g
        np.multiply(g_by_five, to_h_t, parts_t)
        product(g_v_t, g_prev)
        np.add(g_prev, kept_t, g_prev)


def cotangents(work: Array) -> Array:
    return work[:, :, : work.shape[2] // 5 * 4]
