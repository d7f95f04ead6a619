"""How large is the gradient at every step, for every point of a sweep along one axis?

The norm of dL/dh_t against t, on a logarithmic axis, one curve for each value: the median over the
seeds. The gradient enters at the right and travels to the left; where the swept value is the length
itself, the curves are against the lag, the number of steps that the gradient has travelled. A
straight line is a constant factor per step. Colours go along the swept number from dark to light.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report.figures import captions, decades
from gradlab.report.sweep_figures import panels, scales, series
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.grid import Grid, Status
from gradlab.report.sweep_figures.series import Series
from gradlab.report.words import power

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST, THINNED = 40, 20  # curves that are all drawn; as many as are of more
NAMED = 8  # curves that have a place in the legend
LENGTH = "seq_len"


class Drawn(NamedTuple):
    """One curve: against t or the lag, ascending."""

    series: Series
    t: Array
    log10: Array


def applies(grid: Grid) -> bool:
    """Whether there is one axis, and curves along it."""
    return _axis(grid) is not None and bool(grid.curves) and grid.known


def draw(figure: Figure, grid: Grid) -> None:
    """Draw the figure of the module's docstring."""
    k = _axis(grid)
    assert k is not None
    axis = grid.axes[k]
    by_lag = LENGTH in axis.keys
    wanted = series.along(axis, MOST if len(axis) <= MOST else THINNED)
    found = _curves(grid, wanted, by_lag)
    (ax,) = panels.add(figure, [""])
    decades.set_limits(ax, *decades.limits([curve.log10 for curve in found] or [np.zeros(1)]))
    bar = axis.positions is not None and len(wanted) > NAMED
    for curve in found:
        _draw(ax, curve, "" if bar else curve.series.label, markers=not bar and len(found) <= NAMED)
    last = max((float(curve.t.max()) for curve in found), default=1.0)
    captions.steps(ax, 0, round(last))
    x = "steps back, T - t" if by_lag else ax.get_xlabel()
    ax.set_xlabel("")
    notes = [f"median over seeds{_thinned(axis, wanted)}", *_lost(grid, len(wanted), len(found))]
    right = panels.BAR if bar else panels.RIGHT
    frame = panels.Frame(title(grid), notes, x, "gradient norm ‖∂L/∂hₜ‖", right=right)
    panels.arrange(figure, [ax], frame)
    if bar:
        _bar(figure, ax, axis)


def title(grid: Grid) -> str:
    """What is left of the gradient after all steps, from the least to the most."""
    left = grid.left[np.isfinite(grid.left)]
    if not len(left):
        return "The gradient at every step"
    low, high = power(float(left.min())), power(float(left.max()))
    return f"Left of the gradient at t = 0: {low}" + (f" to {high}" if high != low else "")


def _axis(grid: Grid) -> int | None:
    """The only axis with more than one value."""
    varied = [k for k, one in enumerate(grid.axes) if len(one) > 1]
    return varied[0] if len(varied) == 1 else None


def _curves(grid: Grid, wanted: Sequence[Series], by_lag: bool) -> list[Drawn]:
    found = []
    index, status = grid.index.reshape(-1), grid.status.reshape(-1)
    for one in wanted:
        if status[one.place] in (Status.FAILED, Status.MISSING):
            continue
        t, log10 = (np.asarray(a, float) for a in grid.curve(int(index[one.place])))
        if not np.isfinite(log10).any():
            continue
        shown = np.where(np.isfinite(log10), log10, np.nan)
        found.append(Drawn(one, t.max() - t, shown) if by_lag else Drawn(one, t, shown))
    return found


def _draw(ax: Axes, curve: Drawn, label: str, markers: bool) -> None:
    one, n = curve.series, len(curve.t)
    every = max(1, -(-n // 12))
    look: dict[str, Any] = {"color": one.colour, "linewidth": 1.4 if markers else 1.1}
    if markers:
        look |= {"marker": one.marker, "markevery": ((n - 1) % every, every), "markersize": 4.5}
    elif one.place % (2 * series.MOST) >= series.MOST and label:
        look |= {"linestyle": (0, (4, 1.5))}
    ax.plot(curve.t, curve.log10, label=label or None, **look)


def _thinned(axis: Axis, wanted: Sequence[Series]) -> str:
    return f"; {len(wanted)} of {len(axis)} values drawn" if len(wanted) < len(axis) else ""


def _lost(grid: Grid, wanted: int, found: int) -> list[str]:
    return [f"{wanted - found} of {wanted} have no curve"] if found < wanted else []


def _bar(figure: Figure, ax: Axes, axis: Axis) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    assert axis.positions is not None
    norm = Normalize(float(axis.positions[0]), float(axis.positions[-1]))
    mappable = ScalarMappable(norm, series.sequential())
    bar = panels.colour_bar(figure, [ax], mappable, axis.label, "neither")
    scales.set_ticks(bar.yaxis, axis)
