"""How does the growth rate of the gradient change along a swept number?

The growth rate, in nats per step, against the number: above zero the gradient explodes, below zero
it vanishes, on the line it is preserved. Markers are the mean over the seeds, the band is its 95 %
interval; a diamond on the line is where the mean crosses zero, by linear interpolation. Dashes and
dots are the textbook's bound, ln(gamma sigma_max): no seed can be above it, and most are far below;
it may leave the picture. Dashes are the growth rate of mean-field theory, at the net's width where
the theory knows it, else at large width. Points without a growth rate are marked at the edge:
at the top where the forward pass overflowed, at the bottom where the gradient is exactly zero or
the point failed. One line for each value of a second axis, one panel for each value of a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report import style
from gradlab.report.sweep_figures import edges, losses, panels, roles, scales, series
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.grid import Grid
from gradlab.report.sweep_figures.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM = 0.2  # of the span of the data, above them: for the bound to be seen leaving
FEW_BANDS = 3  # more are drawn fainter
SAME = 1e-9  # nats per step
LABEL = "growth rate (nats per step)"


def applies(grid: Grid) -> bool:
    """Whether a number is swept, and any point has a growth rate."""
    return grid.known and bool(roles.numeric(grid))


def draw(figure: Figure, grid: Grid) -> None:
    """Draw the figure of the module's docstring."""
    role = roles.lines(grid)
    assert role.x is not None
    x = grid.axes[role.x]
    across = None if role.across is None else grid.axes[role.across]
    third = None if role.panels is None else grid.axes[role.panels]
    shown = [0] if third is None else roles.chosen(third, roles.MOST_PANELS)
    drawn = series.along(across)
    axes = panels.add(figure, ["" if third is None else third.at(k) for k in shown])
    limits = _limits(grid, role, shown, [one.place for one in drawn])
    for ax, panel in zip(axes, shown, strict=True):
        ax.set_ylim(limits)
        scales.set_x(ax, x, panels.columns(len(axes)))
        scales.half_planes(ax, *limits)
        _panel(ax, grid, role, panel, drawn, alone=len(shown) == 1)
    frame = panels.Frame(
        edges.title(grid, role, ", by curve"),
        _notes(grid, role, across, drawn, third, shown),
        x.label,
        LABEL,
        right=panels.RIGHT + panels.WORDS,
    )
    panels.arrange(figure, axes, frame)
    panels.words(figure, axes)


def _panel(
    ax: Axes, grid: Grid, role: roles.Roles, panel: int, drawn: Sequence[Series], alone: bool
) -> None:
    """All lines of one panel."""
    assert role.x is not None
    axis = grid.axes[role.x]
    assert axis.positions is not None
    mean, low, high, bound, theory, status = (
        role.take(array)[panel]
        for array in (grid.mean, grid.low, grid.high, grid.bound, grid.theory, grid.status)
    )
    opacity = style.BAND * min(1.0, FEW_BANDS / len(drawn))
    for rank, one in enumerate(drawn):
        k = one.place
        at = edges.values_of(axis, mean[k])
        label = one.label or "mean over seeds, 95 % interval"
        if at and one.label and alone:
            label += f", zero at {edges.between(at)}"
        if one.label or np.isfinite(mean[k]).any():
            _line(ax, axis.positions, mean[k], one, label)
        look: dict[str, Any] = {"color": one.colour, "alpha": opacity, "linewidth": 0}
        ax.fill_between(axis.positions, low[k], high[k], **look)
        losses.mark(ax, axis.positions, status[k], one.colour, rank)
    if np.isfinite(mean).any():
        _bounds(ax, axis.positions, bound, drawn)
    _theories(ax, axis.positions, theory, drawn)
    for one in drawn:
        _zeros(ax, edges.crossings(axis.positions, mean[one.place]), one.colour)


def _line(ax: Axes, x: Array, mean: Array, one: Series, label: str) -> None:
    known = np.isfinite(mean)
    every = max(1, -(-len(mean) // style.MARKS)) if known.all() else 1  # none may stand alone
    look: dict[str, Any] = {"color": one.colour, "marker": one.marker, "zorder": 3}
    ax.plot(x, mean, label=label, markevery=every, **look)


def _zeros(ax: Axes, at: Sequence[float], colour: str) -> None:
    if at:
        look: dict[str, Any] = {"markeredgecolor": colour, "markerfacecolor": "white"}
        label = "mean crosses zero"
        ax.plot(at, np.zeros(len(at)), "D", markersize=5.5, zorder=5, label=label, **look)


def _bounds(ax: Axes, x: Array, bound: Array, drawn: Sequence[Series]) -> None:
    """The textbook's bound; one line where it is the same for all, else in a series' own colour."""
    kept: list[tuple[Series, Array]] = []
    for one in drawn:
        values = bound[one.place]
        same = any(np.allclose(values, other, 0, SAME, equal_nan=True) for _, other in kept)
        if np.count_nonzero(np.isfinite(values)) > 1 and not same:
            kept.append((one, values))
    lowest = min((float(np.nanmin(values)) for _, values in kept), default=0.0)
    where = " (above the picture)" if lowest > ax.get_ylim()[1] else ""
    for one, values in kept:
        look = dict(style.BOUND)
        if len(kept) > 1 or not all(np.isfinite(bound[other.place]).any() for other in drawn):
            look["color"] = one.colour
        ax.plot(x, values, label=f"textbook bound{where}", zorder=2.5, **look)


def _theories(ax: Axes, x: Array, theory: Array, drawn: Sequence[Series]) -> None:
    """Theory's growth rate, each in its series' colour; one entry in the legend for all."""
    known = [one for one in drawn if np.isfinite(theory[one.place]).any()]
    for one in known:
        look = {**style.THEORY, "color": one.colour if len(drawn) > 1 else style.INK}
        if np.count_nonzero(np.isfinite(theory[one.place])) == 1:
            look |= {"marker": "_", "markersize": 12}
        ax.plot(x, theory[one.place], zorder=3.5, **look)
    if known:
        ax.plot([], [], label="theory: mean field", **style.THEORY)


def _limits(
    grid: Grid, role: roles.Roles, shown: Sequence[int], lines: Sequence[int]
) -> tuple[float, float]:
    """All that is measured, and some room for the bound, and for theory, to be seen leaving."""
    mean, low, high, bound, theory = (
        role.take(array)[np.ix_(shown, lines)]
        for array in (grid.mean, grid.low, grid.high, grid.bound, grid.theory)
    )
    bottom, top = scales.growth_limits(mean, low, high)
    known, room = np.isfinite(theory), ROOM * (top - bottom)
    bottom = max(bottom - room, float(np.min(theory, initial=bottom, where=known)))
    top = min(top + room, float(np.max(theory, initial=top, where=known)))
    if np.isfinite(mean).any():
        highest = float(np.max(bound, initial=top, where=np.isfinite(bound)))
        top = min(highest, top + ROOM * (top - bottom))
    return losses.room(bottom, top, role.take(grid.status)[np.ix_(shown, lines)])


def _notes(
    grid: Grid,
    role: roles.Roles,
    across: Axis | None,
    drawn: Sequence[Series],
    third: Axis | None,
    shown: Sequence[int],
) -> list[str]:
    parts = ["above zero exploding, below vanishing", *role.fixed(grid)]
    parts += [] if across is None else roles.thinned(across, [one.place for one in drawn])
    parts += [] if third is None else roles.thinned(third, shown)
    if across is not None and drawn[0].label:
        parts.insert(0, "mean over seeds, 95 % interval")
    return ["; ".join(parts), *losses.notes(grid)]
