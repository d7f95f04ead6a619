"""Singular values of a product of doubles in arithmetic of any length.

The product is multiplied out, with so many digits that what cancels does not matter, and one-sided
Jacobi rotations make its columns orthogonal. For a handful of small factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np

from gradlab.nonlinearity import Array


def decimal_log_sigma(factors: Sequence[Array], digits: int) -> list[float]:
    """ln of the singular values of the product factors[0] @ factors[1] @ ... with `digits` digits.

    The doubles enter exactly. A factor (n,) is a diagonal. Zero is what is below 10^-(digits / 2)
    of the largest: choose more than twice the digits that the case spans. Raises ArithmeticError
    where the rotations do not converge.
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
    raise ArithmeticError("Jacobi rotations did not converge")


def _logs(columns: list[list[Decimal]], digits: int) -> list[float]:
    norms = sorted((_dot(x, x).sqrt() for x in columns), reverse=True)
    zero = norms[0].scaleb(-(digits // 2))
    return [float(norm.ln()) if norm > zero else -np.inf for norm in norms]
