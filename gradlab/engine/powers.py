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
largest eigenvalue, and the p-th root divides that by 2 p. The sum over all squarings and G itself,
of factors too, is below n (n + 1) eps. So the relative error of sigma is below SLACK / 2 + n (n +
1) eps / 2, 6e-13 for n up to 64, whatever the gaps are; speed alone depends on them.

Every operation is one of a matrix of its own, so a value's bits do not depend on the company.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import Exponents, binary, power
from gradlab.engine.scaled import squares
from gradlab.nonlinearity import Array

SLACK = 2.0**-42
APART = 1.5  # p_1^2 / p_2 below which the lower bound holds, well below 2
BEFORE = 3  # squarings before there is anything to see
# squarings before each look, up to p = 1024; and the p_1^2 / p_2 from which on the powers that
# follow will not do (a guess that may fail: LAPACK is slower, that is all)
LOOKS = ((3, 2.5), (1, 1.7), (1, 1.2), (1, 1.02), (1, 1.0))
SCALED = (8, 128)  # p: a trace of 1 there leaves the next powers, and p_2, in a double's range
PLAIN = 2.0**24  # a trace within this factor of 1: neither it nor its 8th power needs a scale
MODEST = 2.0**300  # of factors below it all that underflows in their products is below rounding
AT_ONCE = 2**20  # bytes of matrices: a few of them stay in the cache


class Values(NamedTuple):
    """Of m matrices."""

    sigma: Array  # (m,) 0 for a zero matrix, NaN for one that is not finite, inf beyond a double
    proved: NDArray[np.bool_]  # (m,) without LAPACK


def cuts(A: Array, most: int) -> list[slice]:
    """A (m, ...) in parts of about the same length, of so many bytes at most."""
    parts = max(-(-A.nbytes // most), 1)
    step = max(-(-len(A) // parts), 1)
    return [slice(k, k + step) for k in range(0, len(A), step)]


def largest_values(A: Array) -> Values:
    """Of A (m, n, n) float64."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        parts = [_largest(A[cut]) for cut in cuts(A, AT_ONCE)]
    return parts[0] if len(parts) == 1 else Values(*map(np.concatenate, zip(*parts, strict=True)))


def largest_values_of_rows(d: Array, W: Array) -> Array:
    """sigma (...) of D(d) W, all float64: d (..., n), W (..., n, n), whose leading axes broadcast.

    D W W^T D has the eigenvalues that G has, and W W^T is the same for every d.
    """
    lead, n = d.shape[:-1], d.shape[-1]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        K = W @ W.swapaxes(-1, -2)
        G = d[..., :, None] * d[..., None, :]
        G *= K
        small = (np.trace(K, axis1=-1, axis2=-2) < MODEST) & (np.abs(d).max(axis=-1) < MODEST)
        W, d, G = np.broadcast_to(W, G.shape), d.reshape(-1, n), G.reshape(-1, n, n)
        plain = _plain(G) & small.reshape(-1)

        def matrices(chosen: NDArray[np.int64]) -> Array:
            return d[chosen, :, None] * W[np.unravel_index(chosen, lead)]

        return _values(G, plain, matrices, largest_values).sigma.reshape(lead)


def _largest(A: Array) -> Values:
    G = A.swapaxes(1, 2) @ A
    return _values(G, _plain(G), lambda chosen: A[chosen], _largest_scaled)


def _plain(G: Array) -> NDArray[np.bool_]:
    """Which of G (m, n, n) need no scale; those that are zero or not finite are not among them."""
    trace = np.trace(G, axis1=1, axis2=2)
    return np.asarray((trace > 1 / PLAIN) & (trace < PLAIN))


def _values(
    G: Array,
    plain: NDArray[np.bool_],
    matrices: Callable[[NDArray[np.int64]], Array],
    strange: Callable[[Array], Values],
) -> Values:
    """By powers of those of G that are plain, or else LAPACK; and `strange` of what is not.
    matrices: those that G is made of, for some of them.
    """
    some, others = np.flatnonzero(plain), np.flatnonzero(~plain)
    sigma, proved = np.full(len(G), np.nan), np.ones(len(G), bool)
    sigma[some] = _by_powers(G if len(some) == len(G) else G[some])
    proved[some] = ~np.isnan(sigma[some])
    rest = np.flatnonzero(~proved)
    if len(rest):
        sigma[rest] = np.linalg.svd(matrices(rest), compute_uv=False)[:, 0]
    if len(others):
        sigma[others], proved[others] = strange(matrices(others))
    return Values(sigma, proved)


def _largest_scaled(A: Array) -> Values:
    """Of A (m, n, n) whose largest entry is brought to [1/2, 1) first."""
    top = np.abs(A).max(axis=(1, 2))
    sigma = np.where(np.isfinite(top), 0.0, np.nan)
    proved = np.ones(len(A), bool)
    some = np.flatnonzero((top > 0) & np.isfinite(top))
    exponent = np.frexp(top[some])[1]
    B = np.ldexp(A[some], -exponent[:, None, None])
    found = _values(
        B.swapaxes(1, 2) @ B, np.ones(len(B), bool), lambda chosen: B[chosen], _largest_scaled
    )
    sigma[some], proved[some] = np.ldexp(found.sigma, exponent), found.proved
    return Values(sigma, proved)


def _by_powers(S: Array) -> Array:
    """The root of the largest eigenvalue of each S (m, n, n); NaN where that is not known."""
    root, left = np.full(len(S), np.nan), np.arange(len(S))
    S, shift, p = squared(S, BEFORE), np.zeros(len(S), np.int64), 1 << BEFORE
    for squarings, most in LOOKS:
        if p in SCALED:
            b = -binary(np.trace(S, axis1=1, axis2=2))  # the trace comes to [1/2, 1)
            S *= power(b)[:, None, None]
            shift += b
        S, shift, p = squared(S, squarings), shift << squarings, p << squarings
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
    first, second = np.trace(S, axis1=1, axis2=2), squares(S)
    square = first * first
    lower = (first + np.sqrt(np.maximum(2 * second - square, 0))) / 2
    alone = square < APART * second  # else it is no bound
    return lower, alone & (np.sqrt(second) <= (1 + p * SLACK) * lower), square / second


def squared(S: Array, times: int) -> Array:
    """S, symmetric (m, n, n), to the power 2^times."""
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
