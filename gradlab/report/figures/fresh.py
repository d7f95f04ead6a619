"""The curve of weights drawn anew, beside that of trained ones: a thin line with a light band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.report import style
from gradlab.report.figures.ensemble import Curve
from gradlab.report.words import power

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 1.0  # of the span of what was measured: more would press that flat
LIGHT = 0.12  # opacity of the band


def room(curve: Curve | None, low: float, high: float) -> tuple[float, float]:
    """The limits of the axis, wider for this curve, but not by more than ROOM on either side."""
    if curve is None:
        return low, high
    span, median = high - low, curve.finite_median()
    least, most = float(median.min()), float(median.max())
    return max(low - ROOM * span, min(low, least)), min(high + ROOM * span, max(high, most))


def draw(ax: Axes, curve: Curve | None, low: float) -> None:
    """Draw it under the others. low: the lower limit of the axis, where a zero is."""
    if curve is None:
        return
    label = "freshly drawn, same scale: " + ("median" if curve.members > 1 else "one seed")
    bottom, top = ax.get_ylim()
    end = float(curve.median[0])
    if not bottom <= end <= top:
        label += f", {power(end)} at t = {curve.t[0]}"
    median = np.where(np.isfinite(curve.median), curve.median, np.nan)
    ax.plot(curve.t, median, color=style.FRESH, linewidth=0.9, marker="", label=label, zorder=2.2)
    if curve.members > 1:
        floor = np.where(np.isneginf(curve.low), low, curve.low)
        high = np.where(np.isfinite(curve.high), curve.high, np.nan)
        ax.fill_between(curve.t, floor, high, color=style.FRESH, alpha=LIGHT, linewidth=0, zorder=1)
