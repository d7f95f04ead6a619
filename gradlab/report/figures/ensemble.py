"""Curves over an ensemble: the median and the spread, and how they are drawn.

Median and quantiles are values that were measured, or means of two of them (no interpolation), so
that an exact zero, whose log is -inf, stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

MANY = 20  # members from which the spread is 5 to 95 %, not the whole range


@dataclass(frozen=True)
class Curve:
    """log10 values over steps: median, lower and upper edge of the spread, (N,) each."""

    t: NDArray[np.int64]
    median: Array
    low: Array
    high: Array
    members: int  # of which it is the median
    measured: Array  # what the limits of an axis should hold: all finite

    @property
    def spread(self) -> str:
        """What the band is."""
        return "5 to 95 %" if self.members >= MANY else "min to max"

    def finite_median(self) -> Array:
        """The medians that are drawn."""
        return self.median[np.isfinite(self.median)]


def over_members(t: NDArray[np.int64], values: Array) -> Curve:
    """The Curve of log10 values (members, N). Members without a single value are left out."""
    values = values[~np.isnan(values).all(axis=1)]
    if len(values) == 0:
        nothing = np.full(len(t), np.nan)
        return Curve(t, nothing, nothing, nothing, 0, nothing[:0])
    tail = 0.05 if len(values) >= MANY else 0.0
    low, high = np.quantile(values, (tail, 1 - tail), axis=0, method="inverted_cdf")
    median = np.median(values, axis=0)
    # where a member is zero, the smallest of those that are not
    least = np.min(values, axis=0, where=np.isfinite(values), initial=np.inf)
    edge = np.where(np.isneginf(low), least, low)
    measured = np.concatenate((median, edge, high))
    return Curve(t, median, low, high, len(values), measured[np.isfinite(measured)])


def draw_curve(
    ax: Axes, curve: Curve, colour: str, label: str, marker: str = "o", main: bool = True
) -> None:
    """The median with markers, and the spread as a band; thin, and without the band, if not main.

    Steps where the median is exactly zero are a gap; a band that reaches zero goes down to the
    lower edge of the axes, whose limits must be set before.
    """
    every = max(1, -(-len(curve.t) // style.MARKS))
    look: dict[str, Any] = {"linewidth": 1.4 if main else 0.9, "markersize": 4.0 if main else 3.0}
    ax.plot(
        curve.t,
        _gaps(curve.median),
        color=colour,
        marker=marker,
        markevery=((len(curve.t) - 1) % every, every),  # the last step is marked
        label=label,
        zorder=3 if main else 2.5,
        **look,
    )
    if main and curve.members > 1:
        floor = ax.get_ylim()[0]
        low = np.where(np.isneginf(curve.low), floor, curve.low)
        ax.fill_between(
            curve.t,
            np.where(np.isfinite(curve.high), low, np.nan),
            _gaps(curve.high),
            color=colour,
            alpha=style.BAND,
            linewidth=0,
        )


def _gaps(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def members(count: int, what: str = "seed") -> str:
    """'median of 8 seeds', or 'one seed'."""
    return f"median of {count} {what}s" if count > 1 else f"one {what}"
