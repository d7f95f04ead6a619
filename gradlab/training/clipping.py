"""The gradients of an update as plain numbers: clipped, and told whether they are fit to be used.

The norm is the one of gradlab.engine.clip. Where all is within a safe range the sum of squares is
taken as it is; a member whose gradient is beyond it goes the engine's way, exponents apart, so that
a gradient of 10^400 is clipped and not lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.drawn import Member
from gradlab.engine.clip import (
    EPSILON,
    clip_by_global_norm,
    clip_by_value,
    global_norm,
)
from gradlab.engine.scaled import Scaled, shift
from gradlab.nonlinearity import Array
from gradlab.training.gradient import EMBEDDING, Found, Rows

SAFE = 1e-250, 1e250  # sums of squares that have lost nothing
PIECE = 2**16  # numbers that are made float64 at a time


class Clipped(NamedTuple):
    """Plain gradients with their norms, of R members."""

    gradients: dict[str, Array]  # (R, ...), without the embedding
    rows: list[Rows]
    log10_norm: Array  # (R,) before clipping
    log10_clipped: Array  # (R,) after it
    rate: Array  # (R,) the factor, at most 1
    fit: NDArray[np.bool_]  # (R,) whether loss, gradient and the square of its norm are finite


def clipped(found: Found, members: Sequence[Member]) -> Clipped:
    """Each member's gradient, clipped as its experiment says. What `found` holds is used up."""
    with np.errstate(all="ignore"):
        plain = {name: shift(g.mantissa, g.exponent) for name, g in found.gradients.items()}
        rows, R = list(found.rows), len(members)
        square = _squares(plain, rows, R)
        safe = (square > SAFE[0]) & (square < SAFE[1])
        for g in found.gradients.values():
            safe &= g.exponent == 0
        norm, rate, after = np.log10(square) / 2, np.ones(R), np.full(R, np.nan)
        factor = np.ones(R)
        for r, member in enumerate(members):
            threshold, by = _clip(member)
            if safe[r] and by == "global_norm":
                factor[r] = rate[r] = min(threshold / (np.sqrt(square[r]) + EPSILON), 1.0)
                after[r] = norm[r] + np.log10(rate[r])
            else:
                norm[r], rate[r], after[r] = _alone(found, plain, rows, r, threshold, by)
        _scale(plain, rows, factor)
        fit = np.isfinite(found.loss) & (found.overflow == 0) & ~np.isnan(norm) & (norm < np.inf)
        largest = np.log10(float(np.finfo(next(iter(plain.values())).dtype).max)) / 2
        rates = np.array([max(m.spec.train.learning_rate, 1.0) for m in members if m.spec.train])
        fit &= ~(after + np.log10(rates) > largest - 4)
    return Clipped(plain, rows, norm, after, rate, fit)


def _clip(member: Member) -> tuple[float, str]:
    """Threshold and way of a clip of the whole gradient; a threshold of infinity where none is."""
    return member.spec.whole_clip or (math.inf, "global_norm")


def _squares(plain: dict[str, Array], rows: list[Rows], R: int) -> Array:
    """Sum of squares of all entries of each member (R,), tensor by tensor."""
    total = np.zeros(R)
    for g in plain.values():
        total += _square(g.reshape(R, -1))
    for r, own in enumerate(rows):
        total[r] += _square(own.values.reshape(1, -1))[0]
    return total


def _square(a: Array) -> Array:
    """Sum of squares of (R, n), in float64: (R,)."""
    total = np.zeros(len(a))
    for start in range(0, a.shape[1], PIECE):
        some = a[:, start : start + PIECE].astype(float, copy=False)
        total += np.vecdot(some, some)
    return total


def _alone(
    found: Found, plain: dict[str, Array], rows: list[Rows], r: int, threshold: float, by: str
) -> tuple[float, float, float]:
    """log10 of the norm before, the factor, log10 of the norm after, of one member; its clipped
    gradient goes where the plain one was.
    """
    own = {
        n: Scaled(g.mantissa[r : r + 1], g.exponent[r : r + 1]) for n, g in found.gradients.items()
    }
    if rows:
        own[EMBEDDING] = Scaled(rows[r].values[None], np.zeros(1, np.int64))
    if not np.isfinite(global_norm(own).mantissa).all():
        return float("nan"), 1.0, float("nan")
    way = clip_by_value if by == "value" else clip_by_global_norm
    got = way(own, threshold)
    for name, g in got.gradients.items():
        value = shift(g.mantissa, g.exponent)[0]
        if name == EMBEDDING:
            rows[r] = rows[r]._replace(values=value)
        else:
            plain[name][r] = value
    before, after = float(got.norm.log10()[0]), float(got.clipped_norm.log10()[0])
    return before, min(float(got.rate[0]), 1.0), after


def _scale(plain: dict[str, Array], rows: list[Rows], factor: Array) -> None:
    """Multiply each member's gradient by its factor; 1 changes no bit."""
    if (factor == 1).all():
        return
    for g in plain.values():
        g *= factor.astype(g.dtype).reshape(-1, *(1,) * (g.ndim - 1))
    for r, own in enumerate(rows):
        own.values[...] *= own.values.dtype.type(factor[r])
