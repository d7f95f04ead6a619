"""Axes of swept numbers: ticks, edges of cells, and the two half-planes of growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report import style
from gradlab.report.figures import decades
from gradlab.report.sweep_figures.axis import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as Side

FEW = 8  # values that have a tick each
APART = 0.08  # of the span, at least, for that
LINE = 85  # characters that stand below all panels
PLAIN = (-3.1, 3.1)  # decades whose numbers are written out
ROUNDING = 1e-9  # decades: ends that are powers of ten have their ticks
MARGIN = 0.03  # of the span, on both sides
TICKS = 6
LEAST = 0.02  # nats per step that an axis shows
SHADE = 0.08  # opacity of the half-planes


def set_ticks(side: Side, axis: Axis, panels: int = 1) -> None:
    """Ticks at round numbers, or at every value if they are few and fit.

    panels: that stand beside each other, for an x axis.
    """
    from matplotlib.ticker import MaxNLocator

    positions = axis.positions
    assert positions is not None
    span = float(positions[-1] - positions[0])
    written = panels * sum(len(text) + 2 for text in axis.texts)
    apart = np.diff(positions).min(initial=np.inf) >= APART * span
    if len(positions) <= FEW and apart and written <= LINE:
        side.set_ticks(positions.tolist(), list(axis.texts))
    elif axis.log:
        low, high = float(positions[0]) - ROUNDING, float(positions[-1]) + ROUNDING
        ticks = decades.ticks(low, high, TICKS)
        plain = PLAIN[0] <= low and high <= PLAIN[1]
        texts = [f"{10**tick:.3g}" for tick in ticks] if plain else decades.labels(ticks)
        side.set_ticks(ticks, texts)
    else:
        side.set_major_locator(
            MaxNLocator(nbins=TICKS, steps=[1, 2, 2.5, 5, 10], integer=axis.whole)
        )


def set_x(ax: Axes, axis: Axis, panels: int = 1) -> None:
    """The x axis of curves along an axis of numbers."""
    assert axis.positions is not None
    low, high = float(axis.positions[0]), float(axis.positions[-1])
    margin = MARGIN * (high - low) or 0.5
    ax.set_xlim(low - margin, high + margin)
    set_ticks(ax.xaxis, axis, panels)


def growth_limits(mean: Array, low: Array, high: Array) -> tuple[float, float]:
    """Limits that show zero, all means, and of their intervals as much as does not squash them."""
    shown = np.append(mean[np.isfinite(mean)], 0.0)
    bottom, top = float(shown.min()), float(shown.max())
    wider = max(0.0, LEAST - (top - bottom)) / 2
    bottom, top = bottom - wider, top + wider
    room = (top - bottom) / 2
    bottom = max(bottom - room, float(np.min(low, initial=bottom, where=np.isfinite(low))))
    top = min(top + room, float(np.max(high, initial=top, where=np.isfinite(high))))
    margin = 0.08 * (top - bottom)
    return bottom - margin, top + margin


def half_planes(ax: Axes, low: float, high: float, upright: bool = True) -> None:
    """Zero growth as a line, with the colours of the verdicts on both sides of it."""
    span, line = (ax.axhspan, ax.axhline) if upright else (ax.axvspan, ax.axvline)
    for ends, verdict in (((0, high), "exploding"), ((low, 0), "vanishing")):
        span(*ends, color=style.VERDICT_COLOURS[verdict], alpha=SHADE, linewidth=0, zorder=0)
    line(0, color=style.INK, linewidth=1.0, zorder=1.5, label="zero: preserved")
