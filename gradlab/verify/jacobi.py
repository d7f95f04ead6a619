"""Singular values by one-sided Jacobi, in scaled doubles of any range.

Rotations from the right make the columns orthogonal; their norms are then the singular values. On
B D, D diagonal, every value gets a relative accuracy that depends on B alone (Demmel, Veselic
1992), whatever the range of D. Slow, simple, without LAPACK: another algorithm than the one that it
judges, gradlab.engine.products.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log

import numpy as np

from gradlab.engine.scaled import Exponents
from gradlab.nonlinearity import Array

EPS = float(np.finfo(float).eps)
SWEEPS = 60


def jacobi_log_sigma(G: Array, e: Exponents) -> Array:
    """ln of the singular values of G 2^e (n, r), exponents e (r,) of the columns: descending.

    Raises ArithmeticError where the rotations do not converge.
    """
    return _log_norms(*_orthogonal(G, e))[: G.shape[1]]


def jacobi_products(jacobians: Iterable[Array]) -> Iterator[Array]:
    """ln of the singular values (n,) of J_T, J_T J_{T-1}, ...: J (n, n), invertible, last to first.

    P^T = G 2^e Z^T, the columns of G orthogonal; Z, the rotations, is orthogonal and not kept. A
    step is J^T G and rotations again, so that what counts is the condition of each J, and never
    that of the product. Raises ArithmeticError as `jacobi_log_sigma`.
    """
    G, e = None, np.zeros(0, np.int64)
    for J in jacobians:
        if G is None:
            G, e = np.eye(len(J)), np.zeros(len(J), np.int64)
        G, e = _orthogonal(J.T @ G, e)
        G, e = G[:, : len(J)], e[: len(J)]
        yield _log_norms(G, e)


def _orthogonal(G: Array, e: Exponents) -> tuple[Array, Exponents]:
    """G 2^e with its columns made orthogonal, and one of zeros more where their number is odd.

    A column is g 2^e with |g| about 1. In the rotation by t between columns p and q, d = e_q - e_p
    <= 0, everything is divided by 2^(2 e_p), and t = s 2^d, so only 2^(2 d) <= 1 is formed:
        g_p <- c (g_p - s 2^(2d) g_q),    g_q <- c (g_q + s g_p).
    """
    G, e = np.array(G, float), np.array(e, np.int64)
    if G.shape[1] % 2:  # pairs want an even number; a zero column pairs with no one
        G, e = np.pad(G, ((0, 0), (0, 1))), np.append(e, e.min())
    r = len(e)
    ring = np.arange(r)
    for _ in range(SWEEPS):
        worst = 0.0
        for _ in range(r - 1):
            worst = max(worst, _rotate(G, e, ring[: r // 2], ring[: r // 2 - 1 : -1]))
            ring = np.concatenate((ring[:1], ring[-1:], ring[1:-1]))
        if worst < 4 * len(G) * EPS:
            return G, e
    raise ArithmeticError("Jacobi rotations did not converge")


def _log_norms(G: Array, e: Exponents) -> Array:
    """ln of the norms of the columns of G 2^e, descending."""
    with np.errstate(divide="ignore"):
        return -np.sort(-(np.log(np.linalg.norm(G, axis=0)) + e * log(2)))


def _rotate(G: Array, e: Exponents, first: Array, second: Array) -> float:
    """One rotation for each pair of columns; the largest |cos| between two columns before it."""
    _normalize(G, e)
    larger = e[first] >= e[second]
    p, q = np.where(larger, first, second), np.where(larger, second, first)
    gp, gq = G[:, p], G[:, q]
    d = np.maximum(e[q] - e[p], -400)  # beyond it 2^(2d) is nothing
    a, b = (gp * gp).sum(axis=0), (gq * gq).sum(axis=0)
    c = (gp * gq).sum(axis=0)
    two_d = np.ldexp(1.0, 2 * d)
    gap = b * two_d - a
    root = np.hypot(gap, 2 * c * np.ldexp(1.0, d))
    below = np.where(gap > 0, gap + root, gap - root)
    s = np.divide(2 * c, below, out=np.zeros_like(c), where=(below != 0) & (c != 0))
    cosine = 1 / np.sqrt(1 + s * s * two_d)
    G[:, p] = cosine * (gp - s * two_d * gq)
    G[:, q] = cosine * (gq + s * gp)
    size = np.sqrt(a * b)
    return float(np.max(np.divide(np.abs(c), size, out=np.zeros_like(c), where=size > 0)))


def _normalize(G: Array, e: Exponents) -> None:
    k = np.frexp(np.abs(G).max(axis=0))[1]
    G[:] = np.ldexp(G, -k)
    e += k
