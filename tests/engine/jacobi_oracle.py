"""Singular values by one-sided Jacobi: scaled doubles of any range, and Decimal of any length.

Rotations from the right make the columns orthogonal; their norms are then the singular values. On
B D, D diagonal, every value gets a relative accuracy that depends on B alone (Demmel, Veselic
1992), whatever the range of D: slow, simple, and another algorithm than the one it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EPS = float(np.finfo(float).eps)
SWEEPS = 60


def jacobi_log_sigma(G: Array, e: Array) -> Array:
    """ln of the singular values of G 2^e (n, r), exponents e (r,) of the columns; descending.

    A column is g 2^e with |g| about 1. In the rotation by t between columns p and q, d = e_q - e_p
    <= 0, everything is divided by 2^(2 e_p), and t = s 2^d, so only 2^(2 d) <= 1 is formed:
        g_p <- c (g_p - s 2^(2d) g_q),    g_q <- c (g_q + s g_p).
    """
    G, e = np.array(G, float), np.array(e, np.int64)
    given = G.shape[1]
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
            break
    else:
        raise ArithmeticError("Jacobi did not converge")
    norms = np.linalg.norm(G, axis=0)
    with np.errstate(divide="ignore"):
        return -np.sort(-(np.log(norms) + e * log(2)))[:given]


def _rotate(G: Array, e: Array, first: Array, second: Array) -> float:
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


def _normalize(G: Array, e: Array) -> None:
    k = np.frexp(np.abs(G).max(axis=0))[1]
    G[:] = np.ldexp(G, -k)
    e += k


def decimal_log_sigma(factors: Sequence[Array], digits: int) -> list[float]:
    """ln of the singular values of the product factors[0] @ factors[1] @ ... with `digits` digits.

    The doubles enter exactly. A factor (n,) is a diagonal. Zero is what is below 10^-(digits / 2)
    of the largest: choose more than twice the digits that the case spans.
    """
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = digits, -(10**9), 10**9
        product = _exact(factors[0])
        for A in factors[1:]:
            product = _times(product, A)
        columns = [list(c) for c in zip(*product, strict=True)]
        return _logs(_orthogonal(columns, digits), digits)


def _exact(A: Array) -> list[list[Decimal]]:
    full = np.diag(A) if A.ndim == 1 else A
    return [[Decimal(float(x)) for x in row] for row in full]


def _times(P: list[list[Decimal]], A: Array) -> list[list[Decimal]]:
    if A.ndim == 1:
        return [[x * Decimal(float(a)) for x, a in zip(row, A, strict=True)] for row in P]
    columns = list(zip(*_exact(A), strict=True))
    return [[_dot(row, column) for column in columns] for row in P]


def _dot(x: Sequence[Decimal], y: Sequence[Decimal]) -> Decimal:
    return sum((a * b for a, b in zip(x, y, strict=True)), Decimal(0))


def _orthogonal(columns: list[list[Decimal]], digits: int) -> list[list[Decimal]]:
    """One-sided Jacobi until every |cos| is below 1e-30: squared, it is the error of a value."""
    small, zero = Decimal(10) ** -60, Decimal(10) ** -digits
    for _ in range(200):
        rotated = False
        columns.sort(key=lambda x: _dot(x, x), reverse=True)
        for p in range(len(columns)):
            for q in range(p + 1, len(columns)):
                x, y = columns[p], columns[q]
                a, b, c = _dot(x, x), _dot(y, y), _dot(x, y)
                if b <= zero * a or c * c <= small * a * b:
                    continue
                rotated = True
                zeta = (b - a) / (2 * c)
                t = 1 / (abs(zeta) + (1 + zeta * zeta).sqrt())
                t = -t if zeta < 0 else t
                cosine = 1 / (1 + t * t).sqrt()
                columns[p] = [cosine * (u - t * v) for u, v in zip(x, y, strict=True)]
                columns[q] = [cosine * (v + t * u) for u, v in zip(x, y, strict=True)]
        if not rotated:
            return columns
    raise ArithmeticError("Jacobi did not converge")


def _logs(columns: list[list[Decimal]], digits: int) -> list[float]:
    norms = sorted((_dot(x, x).sqrt() for x in columns), reverse=True)
    zero = norms[0].scaleb(-(digits // 2))
    return [float(norm.ln()) if norm > zero else -np.inf for norm in norms]
