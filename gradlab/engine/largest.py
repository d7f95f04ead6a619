"""The largest singular value of each of many matrices with its vector, without the others, proved.

For G = A^T A, of each matrix for itself, two vectors are iterated. Their Ritz values theta_1 >=
theta_2 are never above what they approximate, so

    theta_1 <= sigma_max^2,

and a value is accepted only with a proof that nothing is above it: sigma_max^2 <= (1 + SLACK)
theta_1. There are two proofs. With r_1, r_2 the residuals |G u - theta u|, and mu = |A|_F^2 -
theta_1 - theta_2, all that the two vectors may have missed (|A|_F^2 is the trace of G),

    nu = the larger eigenvalue of [[theta_2, r_2], [r_2, mu]] < theta_1
    ->   sigma_max^2 <= theta_1 + r_1^2 / (theta_1 - nu),

which follows from norms of the blocks of G in the basis (u_1, u_2, rest). It needs a matrix that is
nearly of rank two, as products are, and no G: where the vectors are nearly known, as those of a
product are from a step before, G u = (u A^T) A some times is all that is done. The other works for
all: (1 + SLACK) theta_1 - G has a Cholesky factor, so it is positive definite (Rump 2006: up to n
(n + 1) eps theta_1); the vectors are then iterated with powers of G. Where no proof succeeds LAPACK
decomposes the matrix. So the relative error of sigma is below SLACK / 2 + n (n + 1) eps / 2, 6e-13
for n <= WIDEST, whatever the iteration did and wherever it began; speed alone depends on it.

Every operation is one of a matrix of its own, so a value's bits do not depend on the company.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import binary, power
from gradlab.engine.powers import SLACK, cuts, squared
from gradlab.engine.scaled import squares
from gradlab.nonlinearity import Array

WIDEST = 64  # of wider ones the powers of G cost more than LAPACK
LEAST_GAP = 2.0**-4  # to what the pair has missed, as a part of theta_1; a guess that may fail
KNOWN = 3  # how often vectors that are nearly known are multiplied by A^T A before the first proof
# how often G is squared, then by how many such powers the vectors are multiplied; after each a
# proof is tried, and only what has none goes on
STAGES = ((3, 2), (3, 2), (2, 4))
AT_ONCE = 2**21  # bytes of matrices: a few of them stay in the cache


Stages = tuple[tuple[int, int], ...]


class Start(NamedTuple):
    """Where the iteration of each matrix begins."""

    U: Array  # (m, 2, n) orthonormal rows
    known: NDArray[np.bool_]  # (m,) nearly those of the largest values, of a matrix of rank two


class Largest(NamedTuple):
    """The largest singular value, and where it was found, of matrices A (m, n, n)."""

    sigma: Array  # (m,)
    U: Array  # (m, 2, n) the two Ritz vectors; the first is the right singular vector
    seen: Array  # (m, 2, n) w^T A / |A|_F for w orthonormal, the images of the two
    missed: Array  # (m,) the part of |A|_F^2 that the two have missed
    proved: NDArray[np.bool_]  # (m,) without LAPACK


class _Pair(NamedTuple):
    """Two orthonormal vectors of each matrix, rotated to Ritz vectors, and their Ritz values."""

    U: Array  # (m, 2, n)
    Z: Array  # (m, 2, n) G u
    theta: Array  # (m, 2) descending


def largest_singular_values(
    A: Array, start: Start | None = None, stages: Stages = STAGES
) -> Largest:
    """Of A (m, n, n) float64, n at least 2: |A|_F^2 between 2^-100 and 2^100, or zero."""
    m, n = A.shape[:2]
    if start is None:
        start = Start(np.broadcast_to(_start(n), (m, 2, n)), np.zeros(m, bool))
    parts = [
        _largest(A[cut], Start(*(each[cut] for each in start)), stages) for cut in cuts(A, AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else Largest(*map(np.concatenate, zip(*parts, strict=True)))


def _largest(A: Array, start: Start, stages: Stages) -> Largest:
    total = squares(A)
    with np.errstate(under="ignore"):
        pair, proved = _proved(A, total, start, stages)
        rest = np.flatnonzero(~proved)
        if len(rest):
            for mine, exact in zip(pair, _by_lapack(A[rest]), strict=True):
                mine[rest] = exact
        first, second = pair.theta.T
        scale = np.sqrt(np.where(pair.theta > 0, pair.theta * total[:, None], np.inf))
        seen = pair.Z / scale[:, :, None]
        missed = (total - first - second) / _positive(total)
    return Largest(np.sqrt(first), pair.U, seen, missed, proved)


def _by_lapack(A: Array) -> _Pair:
    """The pair of matrices A (m, n, n) from all their singular values."""
    _, sigma, V = np.linalg.svd(A)
    theta, U = sigma[:, :2] ** 2, V[:, :2]
    return _Pair(U, theta[:, :, None] * U, theta)


def _proved(
    A: Array, total: Array, start: Start, stages: Stages
) -> tuple[_Pair, NDArray[np.bool_]]:
    """The pair of each A (m, n, n), and where there is a proof of theta_1. total: |A|_F^2."""
    m, n = A.shape[:2]
    found = _Pair(start.U.copy(), np.zeros((m, 2, n)), np.zeros((m, 2)))
    proved = total == 0
    known = np.flatnonzero(start.known)
    if len(known):
        own = A if len(known) == m else A[known]
        pair = _from_known(own, start.U[known])
        for mine, new in zip(found, pair, strict=True):
            mine[known] = new
        proved[known] = _by_residuals(pair, total[known], n)[0]
    left = np.flatnonzero(~proved)
    if len(left):
        _by_powers(A if len(left) == m else A[left], total, found, left, proved, stages)
    return found, proved


def _from_known(A: Array, U: Array) -> _Pair:
    """Without G."""
    At = A.swapaxes(1, 2)
    for _ in range(KNOWN):
        U = U @ At @ A
    U = _orthonormal(_orthonormal(U))  # again: they may have been nearly parallel
    return _ritz(U, U @ At @ A)


def _by_powers(
    A: Array,
    total: Array,
    found: _Pair,
    left: NDArray[np.int64],
    proved: NDArray[np.bool_],
    stages: Stages,
) -> None:
    """The pairs of the matrices `left`, which are A, and proofs, put into found and proved."""
    own = A.swapaxes(1, 2) @ A
    # at most 1: of a matrix of many positive entries powers would leave the float range
    S = own * power(-binary(total[left]))[:, None, None]
    for squarings, turns in stages:
        S = squared(S, squarings)
        U = found.U[left]
        for _ in range(turns):
            U = _orthonormal(U @ S)
        U = _orthonormal(U)
        pair = _ritz(U, U @ own)
        for mine, new in zip(found, pair, strict=True):
            mine[left] = new
        done = _nothing_above(own, pair, total[left])
        proved[left[done]] = True
        open_ = ~done
        left, own, S = left[open_], own[open_], S[open_]
        if not len(left):
            return


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


def _ritz(U: Array, Z: Array) -> _Pair:
    """The pair within the plane of U, Z = U G."""
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


def _by_residuals(pair: _Pair, total: Array, n: int) -> tuple[NDArray[np.bool_], Array]:
    """Where the first proof says that no eigenvalue is above (1 + SLACK) theta_1, and r_1^2."""
    first, second = pair.theta.T
    residual = pair.Z - pair.theta[:, :, None] * pair.U
    r1, r2 = np.vecdot(residual, residual).T  # squares
    missed = np.maximum(total - first - second, 0) + n * np.finfo(float).eps * total
    half = (second - missed) / 2
    below = (second + missed) / 2 + np.sqrt(half * half + r2)
    return (below < first) & (r1 < SLACK * first * (first - below)), r1


def _nothing_above(G: Array, pair: _Pair, total: Array) -> NDArray[np.bool_]:
    """Where it is proved that G (m, n, n) has no eigenvalue above (1 + SLACK) theta_1."""
    n = G.shape[-1]
    proved, r1 = _by_residuals(pair, total, n)
    first, second = pair.theta.T
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
