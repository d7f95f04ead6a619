"""Growth rates of recorded norms, their spread over seeds, and lengths in steps derived from them.

The growth rate is the slope of ln||delta_t|| against the lag T - t, by least squares over all
recorded steps: nats per step, negative when the gradient vanishes on its way back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array

LN10 = math.log(10.0)


@dataclass(frozen=True)
class Spread:
    """A mean with its 95 % interval. std is over seeds, NaN for one seed."""

    mean: float
    std: float
    low: float
    high: float


def slopes(log10_norm: Array, lag: NDArray[np.int64]) -> tuple[Array, Array]:
    """Growth rate and its standard error for each member, (R,) each, from log10 norms (R, N).

    A member with an exact zero has rate -inf; with a NaN, or fewer than two steps, NaN. The
    standard error is that of the fitted slope: NaN below three points.
    """
    rate = np.full(len(log10_norm), np.nan)
    error = np.full(len(log10_norm), np.nan)
    x = lag - lag.mean()
    sxx = float(x @ x)
    for r, y in enumerate(log10_norm * LN10):
        if np.isneginf(y).any():
            rate[r] = -np.inf
        elif len(y) >= 2 and np.isfinite(y).all():
            rate[r] = x @ (y - y.mean()) / sxx
            if len(y) >= 3:
                residual = y - y.mean() - rate[r] * x
                error[r] = math.sqrt(float(residual @ residual) / (len(y) - 2) / sxx)
    return rate, error


def spread(rates: Array, errors: Array, points: int) -> Spread:
    """Mean over the seeds (finite rates, at least one) with its 95 % interval from Student's t.

    With a single seed the interval is that of the fitted slope over `points` points. Sums are exact
    (math.fsum), so the order of the seeds does not show in any digit.
    """
    n = len(rates)
    mean = math.fsum(rates) / n
    if n > 1:
        std = math.sqrt(math.fsum((rates - mean) ** 2) / (n - 1))
        half = student_t(n - 1) * std / math.sqrt(n)
    else:
        std, half = math.nan, float(errors[0]) * student_t(max(points - 2, 1))
        if math.isnan(half):
            half = 0.0 if points == 2 else math.inf
    return Spread(mean, std, mean - half, mean + half)


# two-sided 95 % points of Student's t, 1 to 10 degrees of freedom (Fisher, Yates 1938, table III)
_T_TABLE = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
_NORMAL = 1.959963984540054  # the same point of the normal distribution


def student_t(degrees: int) -> float:
    """The 97.5 % point of Student's t: a table up to 10, above it the expansion around the normal
    (Abramowitz, Stegun 26.7.5; off by less than 1e-4 there)."""
    if degrees <= len(_T_TABLE):
        return _T_TABLE[degrees - 1]
    z, n = _NORMAL, float(degrees)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / n ** (k + 1) for k, term in enumerate(terms))


def mean_curve(log10_norm: Array) -> Array:
    """log10 of the geometric mean over members, (N,).

    -inf where any member is exactly zero, NaN where there is no member.
    """
    R, N = log10_norm.shape
    if not R:
        return np.full(N, np.nan)
    zero = np.asarray(np.isneginf(log10_norm).any(axis=0))
    every = zip(zero, log10_norm.T.tolist(), strict=True)
    curve = [-np.inf if none else math.fsum(column) / R for none, column in every]
    return np.array(curve)


def crossing(curve: Array, lag: NDArray[np.int64], change: float) -> float | None:
    """The first lag at which a curve of log10 norms has changed by `change` from its value at the
    smallest lag.

    Interpolated between recorded steps; None where it is not reached.
    """
    order = np.argsort(lag)
    if not np.isfinite(curve[order[0]]):
        return None
    lags, moved = lag[order], curve[order] - curve[order[0]]
    reached = moved <= change if change < 0 else moved >= change
    if not reached.any():
        return None
    k = int(np.argmax(reached))
    before, after = float(moved[k - 1]), float(moved[k])
    if not math.isfinite(after):
        return float(lags[k])
    fraction = (change - before) / (after - before)
    return float(lags[k - 1] + fraction * (lags[k] - lags[k - 1]))
