"""Matrices whose columns are scaled by powers of two, B 2^e: their QR and their singular values.

Stacks throughout: B (m, n, r) float64 with integer exponents e (m, r), one for each column. Each
matrix of a stack is treated as if it were alone, so its bits do not depend on the others.

What makes it accurate is that a power of two never enters a factorisation: QR commutes with the
scaling of columns, and the scale is carried through the triangular factor entry by entry,

    B = Q R   ->   B 2^e = Q (R 2^e) = Q 2^e' T,      T_ij = R_ij 2^(e_j - e'_i),

where e'_i = e_i + (the binary exponent of R_ii). With e descending no entry of T grows, its
diagonal is in [1/2, 1), and what underflows in it was negligible. Rows are sorted by size before a
QR, which keeps Householder reflections accurate row by row: rows that differ by 10^170 (a saturated
layer) cost no digits.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array

Exponents = NDArray[np.int64]
Order = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

NONE = -(2**40)  # the exponent of a column that is exactly zero: far below any other
RANK_TOL = 1e-13  # a pivot below this part of its row is rounding: a few hundred eps
CORE, CONTEXT = 128, 40  # of a piece of a wide range, see `_by_pieces`
WHOLE = CORE + 2 * CONTEXT  # the widest range of exponents that is given to LAPACK in one piece
RANGE = 700  # exponents of a matrix within it: every power of two between them is a double
FLUSH = 80  # what is so many binary digits down in a triangular factor is zero: far below eps


class Factored(NamedTuple):
    """B 2^e = Q 2^e' T P with P a permutation of the columns.

    Rows of T and columns of Q that belong to dropped columns are zero, their e' is NONE, and they
    come last.
    """

    Q: Array  # (m, n, r) orthonormal columns
    T: Array  # (m, r, r) well conditioned if B is
    e: Exponents  # (m, r) descending
    columns: Order  # (m, r): column j of T stands for column columns[j] of B
    dependent: NDArray[np.int64]  # (m,) columns dropped though not zero, nor too many for the rows


def power(exponent: Exponents) -> Array:
    """2^exponent, for exponents up to 1023; 0 below the normal range. Much faster than ldexp."""
    return (np.maximum(exponent, -1023) + 1023 << 52).view(np.float64)


def factor(B: Array, e: Exponents) -> Factored:
    """The QR of B 2^e with the scale moved out to the left. B is finite; a zero column is dropped,
    and so is one that depends on the columns before it to within rounding.
    """
    size = np.abs(B)
    top = size.max(axis=1)
    shift = binary(top)
    unit = power(-shift)[:, None, :]  # the largest entry of a column comes to [1/2, 1)
    B = B * unit
    size *= unit
    e = np.where(top > 0, e + shift, NONE)
    columns = np.lexsort((-np.einsum("mij,mij->mj", B, B), -e), axis=-1)
    extent = size.max(axis=2)
    rows = np.argsort(-extent, axis=-1, kind="stable")
    if _ascending(columns):  # as they are once the values are spread out
        B = take_rows(B, rows)
    else:
        B, e = take(B, rows, columns), _in_order(e, columns)
    Q, R = np.linalg.qr(B)
    tolerance = RANK_TOL * _in_order(extent, rows)[:, : R.shape[1]]
    pivots = _pivots(R)
    kept = pivots > tolerance
    if kept.all():
        dependent = np.zeros(len(B), np.int64)
        T, e = _scale_out(R, e, pivots)
    else:
        for m in np.flatnonzero(~kept.all(axis=-1)):
            order, rank, Q[m], R[m] = _dependent_last(B[m], Q[m], R[m], tolerance[m])
            e[m], columns[m] = e[m, order], columns[m, order]
            kept[m] = np.arange(len(order)) < rank
        # no more columns than rows that are not zero: so many are dependent exactly
        most = np.minimum((e > NONE).sum(axis=-1), (extent > 0).sum(axis=-1))
        dependent = np.maximum(most - kept.sum(axis=-1), 0)
        T, e = _scale_out(R, e, _pivots(R))
        T[~kept], e[~kept] = 0, NONE
        Q *= kept[:, None, :]
    order, back = np.argsort(-e, axis=-1, kind="stable"), np.argsort(rows, axis=-1)
    if _ascending(order):
        return Factored(take_rows(Q, back), T, e, columns, dependent)
    return Factored(
        take(Q, back, order), take_rows(T, order), _in_order(e, order), columns, dependent
    )


def pivots_of(B: Array) -> tuple[Array, Array]:
    """Q (m, n, r) of B = Q R, and ln |R_ii| (m, r): -inf where rounding hides it. A matrix that is
    not finite gives NaN.
    """
    finite = np.asarray(np.isfinite(B).all(axis=(1, 2)))
    if not finite.all():
        B = np.where(finite[:, None, None], B, 0)
    extent = np.abs(B).max(axis=2)
    rows = np.argsort(-extent, axis=-1, kind="stable")
    Q, R = np.linalg.qr(take_rows(B, rows))
    pivots = _pivots(R)
    largest = _in_order(extent, rows)[:, : R.shape[1]]
    pivots[pivots <= RANK_TOL * largest] = 0
    pivots[~finite] = np.nan
    with np.errstate(divide="ignore"):
        return take_rows(Q, np.argsort(rows, axis=-1)), np.log(pivots)


def turn(T: Array, e: Exponents) -> tuple[Array, Exponents]:
    """L and e'' with 2^e T = L 2^e'' Z^T, Z orthogonal and not formed: the scale goes from the left
    to the right of a well conditioned T. L is lower triangular and nearly orthonormal once e is
    spread out.
    """
    # transposed: R, with the reflectors below its diagonal
    packed = np.linalg.qr(T.swapaxes(-1, -2), mode="raw")[0]
    L, turned = _scale_out(packed.swapaxes(-1, -2) * _upper(T.shape[-1]), e, _pivots(packed))
    return L.swapaxes(-1, -2), np.where(e > NONE, turned, NONE)


@cache
def _upper(r: int) -> Array:
    """Ones on the diagonal and above."""
    return np.triu(np.ones((r, r)))


def log_singular_values(L: Array, e: Exponents, count: int) -> Array:
    """ln of the `count` largest singular values of L 2^e (m, r, r), descending.

    L is lower triangular as `turn` leaves it, all its columns nonzero. On such a matrix LAPACK's
    bidiagonalisation with dqds gives every value with its relative accuracy, small ones too.
    """
    near = e.max(axis=-1) - e.min(axis=-1) <= WHOLE
    if near.all():
        return _in_one_piece(L, e, count)
    out = np.empty((len(L), count))
    if near.any():
        out[near] = _in_one_piece(L[near], e[near], count)
    for m in np.flatnonzero(~near):
        out[m] = _by_pieces(L[m], e[m], count)
    return out


def _in_one_piece(L: Array, e: Exponents, count: int) -> Array:
    frame = e[:, :1]
    sigma = np.linalg.svd(L * power(e - frame)[:, None, :], compute_uv=False)[:, :count]
    return np.asarray(np.log(sigma) + frame * np.log(2.0))


def _by_pieces(L: Array, e: Exponents, count: int) -> Array:
    """The same for one matrix of a wide range, from blocks along the diagonal.

    A block holds CORE binary digits of range and CONTEXT more on either side: what is coupled
    across a gap of 2^k changes a value by a part 2^-2k. That is also much cheaper than one piece.
    """
    out, r, i = np.empty(count), len(e), 0
    while i < count:
        low = int(np.argmax(e <= e[i] + CONTEXT))
        high = r - int(np.argmax(e[::-1] >= e[i] - CORE - CONTEXT))
        end = min(r - int(np.argmax(e[::-1] >= e[i] - CORE)), count)
        block = L[low:high, low:high] * power(e[low:high] - e[low])
        sigma = np.linalg.svd(block, compute_uv=False)
        out[i:end] = np.log(sigma[i - low : end - low]) + e[low] * np.log(2.0)
        i = end
    return -np.sort(-out)


def take_rows(a: Array, order: Order) -> Array:
    """a (m, n, r) with the rows of each matrix in this order (m, n)."""
    m, n, r = a.shape
    flat = (order + n * np.arange(m)[:, None]).ravel()
    return a.reshape(m * n, r).take(flat, axis=0).reshape(m, n, r)


def take(a: Array, rows: Order, columns: Order) -> Array:
    """a (m, n, r) with rows and columns of each matrix in these orders (m, n) and (m, r)."""
    m, n, r = a.shape
    flat = (r * (rows + n * np.arange(m)[:, None]))[:, :, None] + columns[:, None, :]
    return a.ravel().take(flat)


def _in_order(a: NDArray[Scalar], order: Order) -> NDArray[Scalar]:
    """a (m, n) in this order (m, n): take_along_axis, at half its cost."""
    m, n = a.shape
    return a.ravel().take(order + n * np.arange(m)[:, None])


def _ascending(order: Order) -> bool:
    return bool((order[:, 1:] > order[:, :-1]).all())


def _scale_out(R: Array, e: Exponents, pivots: Array) -> tuple[Array, Exponents]:
    """T and e' with R 2^e = 2^e' T, R upper triangular: e' = e + the pivots' exponents."""
    out = e + binary(pivots)
    low = np.minimum(e.min(axis=-1), out.min(axis=-1))
    near = np.maximum(e.max(axis=-1), out.max(axis=-1)) - low <= RANGE
    if near.all():
        return _scaled_near(R, e, out, low), out
    T = _scaled_far(R, e, out)
    if near.any():  # a member is scaled the same way in any company
        T[near] = _scaled_near(R[near], e[near], out[near], low[near])
    return T, out


def _scaled_near(R: Array, e: Exponents, out: Exponents, low: Exponents) -> Array:
    """R_ij 2^(e_j - e'_i)."""
    middle = (low + RANGE // 2)[:, None]
    T = R * power(middle - out)[:, :, None]
    T *= power(e - middle)[:, None, :]
    return T


def _scaled_far(R: Array, e: Exponents, out: Exponents) -> Array:
    """The same where the two powers would leave the range of a double."""
    # 2^shift, in place: the passes over this array are what a step costs beside LAPACK
    shift = (e + 1023)[:, None, :] - out[:, :, None]
    np.minimum(shift, 2046, out=shift)  # beyond are only the zeros below the diagonal
    shift *= shift >= 1023 - FLUSH
    shift <<= 52
    return R * shift.view(np.float64)


def _pivots(R: Array) -> Array:
    """|R_ii|: (m, r)."""
    return np.abs(np.diagonal(R, axis1=1, axis2=2))


def _dependent_last(
    B: Array, Q: Array, R: Array, tolerance: Array
) -> tuple[NDArray[np.int64], int, Array, Array]:
    """An order of the columns of B (n, r) in which the dependent ones are last, the rank, and the
    QR in that order.

    Where pivot i vanishes, direction i of Q is arbitrary, but later columns may have a part in it.
    Unless all that is left vanishes with it, column i is put behind the others. It is made of the
    columns before it, so its coefficients in later ones are rounding, and zero is put there: e is
    not descending at this place and would blow them up.
    """
    order = np.arange(R.shape[1])
    live = len(order)
    while True:
        left = np.abs(R[:live, :live]) > tolerance[:live, None]
        gone = np.flatnonzero(~np.diagonal(left))
        rank = int(gone[0]) if len(gone) else live
        if not left[rank:, rank:].any():
            break
        order = np.append(np.delete(order, rank), order[rank])
        live -= 1
        Q, R = np.linalg.qr(B[:, order])
    R[(order[:, None] > order) & (np.arange(len(order)) >= live)] = 0
    return order, rank, Q, R


def binary(size: Array) -> Exponents:
    """Binary exponents of what is not negative, read off its bits, within what `power` can undo;
    the lowest, -1022, for 0.
    """
    return np.minimum((size.view(np.int64) >> 52) - 1022, 1022)
