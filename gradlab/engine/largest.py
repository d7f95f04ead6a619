"""The largest singular value of each of many matrices, without the others, and proved.

For G = A^T A, of each matrix for itself, two vectors are iterated with powers of G. Their Ritz
values theta_1 >= theta_2 are never above what they approximate, so

    theta_1 <= sigma_max^2,

and a value is accepted only with a proof that nothing is above it: sigma_max^2 <= (1 + SLACK)
theta_1. There are two proofs. With r_1, r_2 the residuals |G u - theta u|, and mu = trace G -
theta_1 - theta_2, all that the two vectors may have missed,

    nu = the larger eigenvalue of [[theta_2, r_2], [r_2, mu]] < theta_1
    ->   sigma_max^2 <= theta_1 + r_1^2 / (theta_1 - nu),

which follows from norms of the blocks of G in the basis (u_1, u_2, rest). It needs a matrix that is
nearly of rank two, as products are. The other works for all: (1 + SLACK) theta_1 - G has a Cholesky
factor, so it is positive definite (Rump 2006: up to n (n + 1) eps theta_1). Where no proof succeeds
LAPACK decomposes the matrix. So the relative error of sigma is below SLACK / 2 + n (n + 1) eps / 2,
5e-13 for n <= WIDEST, whatever the iteration did; speed alone depends on it.

Every operation is one of a matrix of its own, so a value's bits do not depend on the company.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import Exponents, binary, power
from gradlab.nonlinearity import Array

WIDEST = 64  # of wider ones the powers of G cost more than LAPACK
SLACK = 2.0**-42
LEAST_GAP = 2.0**-4  # to what the pair has missed, as a part of theta_1; a guess that may fail
# how often G is squared, then by how many such powers the vectors are multiplied; after each a
# proof is tried, and only what has none goes on
STAGES = ((6, 2), (0, 6))
STEEP = ((2, 2), (4, 2), (0, 6))  # where the largest value stands out, as in products
AT_ONCE = 2**20  # bytes of matrices: a few of them stay in the cache


Stages = tuple[tuple[int, int], ...]


class Largest(NamedTuple):
    """sigma = mantissa 2^exponent, and where it was found, of matrices A (m, n, n).

    Zero for a zero matrix; NaN for one that is not finite, whose vectors mean nothing.
    """

    mantissa: Array  # (m,)
    exponent: Exponents  # (m,)
    vector: Array  # (m, n) the right singular vector u
    seen: Array  # (m, 2, n) w^T A 2^-exponent for w orthonormal, the images of two Ritz vectors
    proved: NDArray[np.bool_]  # (m,) without LAPACK

    @property
    def sigma(self) -> Array:
        """(m,): inf where it is beyond a double."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.ldexp(self.mantissa, self.exponent))


class _Pair(NamedTuple):
    """Two orthonormal vectors of each matrix, rotated to Ritz vectors, and their Ritz values."""

    U: Array  # (m, 2, n)
    Z: Array  # (m, 2, n) G u
    theta: Array  # (m, 2) descending


def largest_singular_values(A: Array, stages: Stages = STAGES) -> Largest:
    """Of A (m, n, n) float64, n at least 2."""
    pieces = max(-(-A.nbytes // AT_ONCE), 1)
    step = max(-(-len(A) // pieces), 1)
    parts = [_largest(A[k : k + step], stages) for k in range(0, len(A), step)]
    return parts[0] if len(parts) == 1 else Largest(*map(np.concatenate, zip(*parts, strict=True)))


def _largest(A: Array, stages: Stages) -> Largest:
    top = np.abs(A).max(axis=(1, 2))
    finite = np.isfinite(top)
    exponent = binary(np.where(finite, top, 0.0))
    with np.errstate(under="ignore", invalid="ignore"):
        A = A * power(-exponent)[:, None, None]  # the largest entry comes to [1/2, 1)
        A[~finite] = 0
        pair, proved = _proved(A.swapaxes(1, 2) @ A, stages)
        rest = np.flatnonzero(~proved)
        if len(rest):
            for mine, exact in zip(pair, _by_lapack(A[rest]), strict=True):
                mine[rest] = exact
        mantissa = np.sqrt(pair.theta[:, 0])
        scale = np.sqrt(np.where(pair.theta > 0, pair.theta, np.inf))
        seen = pair.Z / scale[:, :, None]
    mantissa[~finite] = np.nan
    return Largest(mantissa, np.where(finite, exponent, 0), pair.U[:, 0], seen, proved)


def _by_lapack(A: Array) -> _Pair:
    """The pair of matrices A (m, n, n) from all their singular values."""
    _, sigma, V = np.linalg.svd(A)
    theta, U = sigma[:, :2] ** 2, V[:, :2]
    return _Pair(U, theta[:, :, None] * U, theta)


def _proved(G: Array, stages: Stages) -> tuple[_Pair, NDArray[np.bool_]]:
    """The pair of each G (m, n, n), and where there is a proof of theta_1."""
    m, n = G.shape[:2]
    found = _Pair(np.tile(_start(n), (m, 1, 1)), np.zeros((m, 2, n)), np.zeros((m, 2)))
    left, own = np.arange(m), G
    # at most 1: of a matrix of many positive entries powers would leave the float range
    S = G * power(-binary(np.trace(G, axis1=1, axis2=2)))[:, None, None]
    for squarings, turns in stages:
        for _ in range(squarings):
            S = S.swapaxes(1, 2) @ S  # symmetric: of A^T A numpy computes one triangle
        U = found.U[left]
        for _ in range(turns):
            U = _orthonormal(U @ S)
        pair = _ritz(_orthonormal(U), own)  # again: they may have been nearly parallel
        for mine, new in zip(found, pair, strict=True):
            mine[left] = new
        open_ = ~_nothing_above(own, pair)
        left, own, S = left[open_], own[open_], S[open_]
        if not len(left):
            break
    proved = np.ones(m, bool)
    proved[left] = False
    return found, proved


@cache
def _start(n: int) -> Array:
    """(2, n), orthonormal. Should it miss the largest direction, there will be no proof."""
    return np.linalg.qr(np.random.default_rng(n).standard_normal((n, 2)))[0].T.copy()


def _orthonormal(Y: Array) -> Array:
    """The rows y_1, y_2 of each Y (m, 2, n) made orthonormal, in place; a row of zeros stays."""
    x, y = Y[:, 0], Y[:, 1]
    y -= (np.vecdot(x, y) / _positive(np.vecdot(x, x)))[:, None] * x
    Y /= np.sqrt(_positive(np.vecdot(Y, Y)))[:, :, None]
    return Y


def _positive(square: Array) -> Array:
    """With 1 for 0, to divide by."""
    return square + (square == 0)


def _ritz(U: Array, G: Array) -> _Pair:
    """The pair within the plane of U."""
    Z = U @ G
    a, b = np.vecdot(U[:, 0], Z[:, 0]), np.vecdot(U[:, 0], Z[:, 1])
    d = np.vecdot(U[:, 1], Z[:, 1])
    half, middle = (a - d) / 2, (a + d) / 2
    root = np.sqrt(half * half + b * b)
    # (x, y) is the eigenvector of [[a, b], [b, d]] to the larger eigenvalue, without cancellation
    long = root + np.abs(half)
    x, y = np.where(half >= 0, (long, b), (b, long))
    size = np.sqrt(x * x + y * y)
    none = size == 0  # G is a multiple of the identity there: any two will do
    size = np.where(none, 1, size)
    x, y = np.where(none, 1, x) / size, y / size
    turn = np.stack((x, y, -y, x), axis=-1).reshape(-1, 2, 2)
    theta = np.maximum(np.stack((middle + root, middle - root), axis=-1), 0)
    return _Pair(turn @ U, turn @ Z, theta)


def _nothing_above(G: Array, pair: _Pair) -> NDArray[np.bool_]:
    """Where it is proved that G (m, n, n) has no eigenvalue above (1 + SLACK) theta_1."""
    first, second = pair.theta.T
    residual = pair.Z - pair.theta[:, :, None] * pair.U
    r1, r2 = np.vecdot(residual, residual).T  # squares
    trace = np.trace(G, axis1=1, axis2=2)
    n = G.shape[-1]
    missed = np.maximum(trace - first - second, 0) + n * np.finfo(float).eps * trace
    half = (second - missed) / 2
    below = (second + missed) / 2 + np.sqrt(half * half + r2)
    proved = (below < first) & (r1 < SLACK * first * (first - below))
    # what will not do is not worth the attempt: theta_1 is off by r_1^2 over the gap
    gap = np.maximum(first - second, LEAST_GAP * first)
    near = np.flatnonzero(~proved & (first > 0) & (r1 < SLACK / 2 * first * gap))
    if len(near):
        H = -G[near]
        H[:, np.arange(n), np.arange(n)] += (1 + SLACK) * first[near, None]
        proved[near] = _positive_definite(H)
    return proved


def _positive_definite(H: Array) -> NDArray[np.bool_]:
    """Which of H (m, n, n) have a Cholesky factor. numpy refuses a whole stack for one of them."""
    try:
        np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        if len(H) == 1:
            return np.zeros(1, bool)
        half = len(H) // 2
        return np.concatenate([_positive_definite(H[:half]), _positive_definite(H[half:])])
    return np.ones(len(H), bool)
