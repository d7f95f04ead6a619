"""The largest singular value of each of many matrices, without the others or any vector, proved.

For G = A^T A, of each matrix for itself, S = G^p is made by squaring. Its eigenvalues are those of
G to the p-th power, so the largest soon stands alone, and traces say how large it is. With lambda
the largest eigenvalue of S, p_1 = trace S and p_2 = trace S^2 = |S|_F^2,

    p_2 = lambda^2 + sum mu^2  <=  lambda^2 + (p_1 - lambda)^2,      mu >= 0 the other eigenvalues,

    ->   (p_1 + sqrt(2 p_2 - p_1^2)) / 2  <=  lambda  <=  sqrt(p_2)       where p_1^2 < 2 p_2.

(The other solution, lambda below the smaller root, is not: that root is below p_1 / 2, and lambda
is at least p_2 / p_1.) The lower bound to the power 1 / p is taken for sigma^2, and only where it
is proved that nothing is above it: the upper one is at most (1 + p SLACK) times it. Where the two
do not meet at the last power, or will not, LAPACK decomposes the matrix.

Rounding: what is computed for S^2 is off by a part n eps / 2 of trace S^2, at most n times its
largest eigenvalue, and the p-th root divides that by 2 p. The sum over all squarings and G itself
is below n^2 eps. So the relative error of sigma is below SLACK / 2 + n^2 eps / 2, 4e-13 for n up
to 48, whatever the gaps are; speed alone depends on them.

Every operation is one of a matrix of its own, so a value's bits do not depend on the company.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import Exponents, binary, power
from gradlab.nonlinearity import Array

SLACK = 2.0**-42
APART = 1.5  # p_1^2 / p_2 below which the lower bound holds, well below 2
BEFORE = 3  # squarings before there is anything to see
# squarings before each look, up to p = 1024; and the p_1^2 / p_2 from which on the powers that
# follow will not do (a guess that may fail: LAPACK is slower, that is all)
LOOKS = ((3, 2.5), (1, 1.7), (1, 1.2), (1, 1.02), (1, 1.0))
SCALED = (8, 128)  # p: a trace of 1 there leaves the next powers, and p_2, in a double's range
PLAIN = 2.0**24  # a trace within this factor of 1: neither it nor its 8th power needs a scale
AT_ONCE = 2**20  # bytes of matrices: a few of them stay in the cache


class Values(NamedTuple):
    """Of matrices A (m, n, n)."""

    sigma: Array  # (m,) 0 for a zero matrix, NaN for one that is not finite, inf beyond a double
    proved: NDArray[np.bool_]  # (m,) without LAPACK


def largest_values(A: Array) -> Values:
    """Of A (m, n, n) float64."""
    pieces = max(-(-A.nbytes // AT_ONCE), 1)
    step = max(-(-len(A) // pieces), 1)
    parts = [_largest(A[k : k + step]) for k in range(0, len(A), step)]
    return parts[0] if len(parts) == 1 else Values(*map(np.concatenate, zip(*parts, strict=True)))


def _largest(A: Array) -> Values:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        S, exponent = _gram(A)
        trace = np.trace(S, axis1=1, axis2=2)
        sigma = np.where(np.isfinite(trace), 0.0, np.nan)
        left = np.flatnonzero(trace > 0)  # of a zero matrix all is known
        root = _by_powers(S if len(left) == len(A) else S[left])
        sigma[left] = np.ldexp(root, exponent[left])
        proved = np.ones(len(A), bool)
        proved[left] = ~np.isnan(root)
        rest = np.flatnonzero(~proved)
        if len(rest):
            sigma[rest] = np.linalg.svd(A[rest], compute_uv=False)[:, 0]
    return Values(sigma, proved)


def _gram(A: Array) -> tuple[Array, Exponents]:
    """G = A^T A 4^-e and e (m,), which is zero where A needs no scale; NaN where A is not finite.

    Those that do are seen by the trace: their largest entry is brought to [1/2, 1).
    """
    G = A.swapaxes(1, 2) @ A
    exponent: Exponents = np.zeros(len(A), np.int64)
    trace = np.trace(G, axis1=1, axis2=2)
    strange = np.flatnonzero(~((trace > 1 / PLAIN) & (trace < PLAIN)))
    if len(strange):
        top = np.abs(A[strange]).max(axis=(1, 2))
        finite = np.isfinite(top)
        exponent[strange] = binary(np.where(finite, top, 0.0))
        B = A[strange] * power(-exponent[strange])[:, None, None]
        G[strange] = B.swapaxes(1, 2) @ B
        G[strange[~finite]] = np.nan
    return G, exponent


def _by_powers(S: Array) -> Array:
    """The root of the largest eigenvalue of each S (m, n, n); NaN where that is not known."""
    root, left = np.full(len(S), np.nan), np.arange(len(S))
    S, shift, p = _squared(S, BEFORE), np.zeros(len(S), np.int64), 1 << BEFORE
    for squarings, most in LOOKS:
        if p in SCALED:
            b = -binary(np.trace(S, axis1=1, axis2=2))  # the trace comes to [1/2, 1)
            S *= power(b)[:, None, None]
            shift += b
        S, shift, p = _squared(S, squarings), shift << squarings, p << squarings
        lower, met, crowd = _bounds(S, p)
        root[left[met]] = _root(lower[met], shift[met], p)
        on = ~met & (crowd < most)
        if not on.any():
            break
        left, S, shift = left[on], S[on], shift[on]
    return root


def _bounds(S: Array, p: int) -> tuple[Array, NDArray[np.bool_], Array]:
    """What the largest eigenvalue of each S (m, n, n) is at least, where nothing is above it, and
    p_1^2 / p_2: how many there are of about its size.
    """
    flat = S.reshape(len(S), S.shape[1] ** 2)
    first, second = np.trace(S, axis1=1, axis2=2), np.vecdot(flat, flat)
    square = first * first
    lower = (first + np.sqrt(np.maximum(2 * second - square, 0))) / 2
    alone = square < APART * second  # else it is no bound
    return lower, alone & (np.sqrt(second) <= (1 + p * SLACK) * lower), square / second


def _squared(S: Array, times: int) -> Array:
    for _ in range(times):
        S = S.swapaxes(1, 2) @ S  # symmetric: of A^T A numpy computes one triangle
    return S


def _root(value: Array, shift: Exponents, p: int) -> Array:
    """(value 2^-shift)^(1 / 2p): square roots alone, each of them correctly rounded."""
    whole = (shift + p // 2) // p
    value = value * power(p * whole - shift)
    for _ in range(p.bit_length() - 1):
        value = np.sqrt(value)
    return np.sqrt(np.ldexp(value, -whole))
