"""Which of the categories carry a gradient?

The growth rate of every category, in nats per step: right of the line the gradient explodes, left
of it it vanishes. Markers are the mean over the seeds, bars its 95 % interval. The upright tick
is the textbook's bound, ln(gamma sigma_max), where it is near enough to be seen. Points without a
growth rate are marked at the edge: at the right where the forward pass overflowed, at the left
where the gradient is exactly zero or the point failed. One colour for each value of a second axis,
one panel for each value of a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.report import style
from gradlab.report.sweep_figures import edges, losses, panels, roles, scales, series
from gradlab.report.sweep_figures.grid import Grid
from gradlab.report.sweep_figures.growth_rate import LABEL
from gradlab.report.sweep_figures.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST, MOST_IN_PANELS = 40, 8  # categories
PITCH, AROUND = 17.0, 130.0  # points: of a category, of what is around the axes
NAME = 60.0  # points: of the panels, for the axis' name
LEAST = 200.0  # points: of the figure
DODGE = 0.7  # of the pitch that the markers of a category fill
CHARACTER = 5.2  # points
WIDEST = 170.0  # of the category's names


def applies(grid: Grid) -> bool:
    """Whether no number is swept, and any point has a growth rate."""
    return grid.known and not roles.numeric(grid)


def draw(figure: Figure, grid: Grid) -> None:
    """Draw the figure of the module's docstring."""
    role = roles.categories(grid)
    assert role.x is not None
    first = grid.axes[role.x]
    across = None if role.across is None else grid.axes[role.across]
    third = None if role.panels is None else grid.axes[role.panels]
    shown = [0] if third is None else roles.chosen(third, roles.MOST_PANELS)
    places = roles.chosen(first, MOST if len(shown) == 1 else MOST_IN_PANELS)
    drawn = series.along(across)
    which = np.ix_(shown, [one.place for one in drawn], places)
    mean, low, high, bound, status = (
        role.take(array)[which]
        for array in (grid.mean, grid.low, grid.high, grid.bound, grid.status)
    )
    limits = losses.room(*scales.growth_limits(mean, low, high), status)
    axes = panels.add(figure, ["" if third is None else third.at(k) for k in shown])
    for k, ax in enumerate(axes):
        _prepare(ax, [first.texts[place] for place in places], limits, lines=len(drawn) > 1)
        for rank, one in enumerate(drawn):
            y = np.arange(len(places)) + DODGE * ((rank + 0.5) / len(drawn) - 0.5)
            _points(ax, one, y, mean[k, rank], low[k, rank], high[k, rank])
            _bound(ax, y, bound[k, rank])
            losses.mark(ax, y, status[k, rank], one.colour, upright=False)
    parts = roles.thinned(first, places)
    parts += [] if across is None else roles.thinned(across, [one.place for one in drawn])
    parts += [] if third is None else roles.thinned(third, shown)
    parts += role.fixed(grid)
    what = "mean over seeds, 95 % interval; left of zero vanishing, right exploding"
    notes = ["; ".join([what, *parts]), *losses.notes(grid)]
    left = min(CHARACTER * max(len(first.texts[p]) for p in places), WIDEST) + 32
    frame = panels.Frame(edges.title(grid, role), notes, LABEL, first.name, left=left)
    rows = len(places) * max(1.0, len(drawn) / 2)
    height = max(AROUND + PITCH * rows, LEAST)
    panels.arrange(figure, axes, frame, height=height, least=max(PITCH * rows, NAME))


def _prepare(ax: Axes, names: Sequence[str], limits: tuple[float, float], lines: bool) -> None:
    """The empty panel: names at the left; lines between them."""
    ax.set_xlim(limits)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.grid(False, axis="y")
    scales.half_planes(ax, *limits, upright=False)
    for k in range(1, len(names)) if lines else ():
        ax.axhline(k - 0.5, color=style.SOFT, alpha=0.35, linewidth=0.6, zorder=0.5)
    ax.set_yticks(range(len(names)), list(names))


def _points(
    ax: Axes, one: Series, y: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    label = one.label or "mean over seeds, 95 % interval"
    look: dict[str, Any] = {"color": one.colour, "zorder": 3}
    known = np.isfinite(low) & np.isfinite(high)
    ax.hlines(y[known], low[known], high[known], linewidth=2.0, alpha=0.55, **look)
    ax.plot(mean, y, linestyle="none", marker=one.marker, markersize=6.5, label=label, **look)


def _bound(ax: Axes, y: np.ndarray, bound: np.ndarray) -> None:
    left, right = ax.get_xlim()
    known = (bound > left) & (bound < right)  # which NaN is not
    if known.any():
        label = "textbook bound"
        look: dict[str, Any] = {key: style.BOUND[key] for key in ("color", "linewidth")}
        ax.plot(bound[known], y[known], "|", markersize=11, label=label, zorder=2.5, **look)
