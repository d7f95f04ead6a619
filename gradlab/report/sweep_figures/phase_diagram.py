"""Where in the plane of two swept numbers does the gradient vanish, and where does it explode?

The growth rate in colours: blue where the gradient vanishes, orange where it explodes, white where
it is preserved. The bold line is the edge, where the growth rate is zero. The dashed line is where
the textbook's gamma sigma_max is 1: below that vanishing is certain, above it exploding is merely
possible. Colours end where the colour bar says; values beyond have its last colour. Cells that are
hatched have no growth rate. One panel for each value of a third axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report import style
from gradlab.report.figures import mesh
from gradlab.report.sweep_figures import edges, losses, panels, regions, roles, scales
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.grid import Grid, Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

CLIPPED, BEYOND = 95.0, 1.5  # colours end at this percentile if the largest is so many times it
LEAST = 0.01  # nats per step that colours span
EDGE: dict[str, Any] = {"colors": [style.INK], "linewidths": [3.0], "linestyles": ["solid"]}
TEXTBOOK: dict[str, Any] = {
    "colors": [style.INK],
    "linewidths": [1.4],
    "linestyles": [style.THEORY["linestyle"]],
}


def applies(grid: Grid) -> bool:
    """Whether two numbers are swept, and any point has a growth rate."""
    return grid.known and len(roles.numeric(grid, roles.FEWEST)) >= 2


def draw(figure: Figure, grid: Grid) -> None:
    """Draw the figure of the module's docstring."""
    role = roles.plane(grid)
    assert role.x is not None
    assert role.across is not None
    x, y = grid.axes[role.x], grid.axes[role.across]
    third = None if role.panels is None else grid.axes[role.panels]
    shown = [0] if third is None else roles.chosen(third, roles.MOST_PANELS)
    axes = panels.add(figure, ["" if third is None else third.at(k) for k in shown])
    growth = np.where(
        role.take(grid.status)[shown] == Status.ZERO, -np.inf, role.take(grid.mean)[shown]
    )
    bound = role.take(grid.bound)[shown]
    limit, extend = colour_limit(growth)
    handles: dict[str, Any] = {}
    for k, ax in enumerate(axes):
        scales.set_ticks(ax.xaxis, x, panels.columns(len(axes)))
        scales.set_ticks(ax.yaxis, y)
        coloured = _cells(ax, x, y, growth[k], limit, handles)
        _contours(ax, x, y, growth[k], bound[k], handles)
    parts = role.fixed(grid) + ([] if third is None else roles.thinned(third, shown))
    notes = (["; ".join(parts)] if parts else []) + losses.notes(grid)
    frame = panels.Frame(edges.title(grid, role), notes, x.label, y.label, right=panels.BAR)
    panels.arrange(figure, axes, frame, handles)
    _bar(figure, axes, coloured, limit, extend)
    for k, ax in enumerate(axes):
        regions.name(ax, x, y, growth[k])


def colour_limit(growth: Array) -> tuple[float, str]:
    """Where the colours end, on both sides of zero; which ends of the bar are arrows."""
    finite = np.abs(growth[np.isfinite(growth)])
    largest = float(finite.max(initial=0.0))
    most = float(np.percentile(finite, CLIPPED)) if len(finite) else 0.0
    limit = max(most if largest > BEYOND * most else largest, LEAST)
    below, above = bool((growth < -limit).any()), bool((growth > limit).any())
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    return limit, ends.get((below, above), "both")


def colours() -> Colormap:
    """From the verdicts' blue through white to their orange; soon away from white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("growth", style.GROWTH, N=511)


def _cells(
    ax: Axes, x: Axis, y: Axis, growth: Array, limit: float, handles: dict[str, Any]
) -> QuadMesh:
    """A coloured cell around every point; hatched where there is no growth rate."""
    from matplotlib.colors import Normalize

    assert x.positions is not None
    assert y.positions is not None
    across, up = mesh.borders(x.positions), mesh.borders(y.positions)
    ax.grid(False)
    shown = np.ma.masked_invalid(np.where(np.isneginf(growth), -1e300, growth))
    norm = Normalize(-limit, limit)
    coloured = ax.pcolormesh(across, up, shown, cmap=colours(), norm=norm, rasterized=True)
    without = mesh.hatch(ax, across, up, np.isnan(growth))
    if without is not None:
        handles["no growth rate"] = without
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    return coloured


def _contours(
    ax: Axes, x: Axis, y: Axis, growth: Array, bound: Array, handles: dict[str, Any]
) -> None:
    """The edge, and the textbook's condition."""
    from matplotlib.lines import Line2D

    lines = {
        "textbook: gamma sigma_max = 1": (bound, TEXTBOOK),
        "edge: growth rate = 0": (growth, EDGE),
    }
    for label, (values, look) in lines.items():
        known = values[np.isfinite(values)]
        if len(known) and known.min() < 0 < known.max():
            shown = np.ma.masked_invalid(values)
            ax.contour(x.positions, y.positions, shown, levels=[0.0], zorder=3, **look)
            handles[label] = Line2D(
                [],
                [],
                color=look["colors"][0],
                linewidth=look["linewidths"][0],
                linestyle=look["linestyles"][0],
            )


def _bar(
    figure: Figure, axes: Sequence[Axes], coloured: QuadMesh, limit: float, extend: str
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    clipped = "" if extend == "neither" else f", colours end at ±{limit:.2g}"
    bar = panels.colour_bar(figure, axes, coloured, f"growth rate (nats per step{clipped})", extend)
    bar.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    bar.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value)))
    bar.axhline(0, color=style.INK, linewidth=3.0)


def _signed(value: float) -> str:
    """With the sign, which tells the colours apart also in grey."""
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}") if abs(value) > LEAST / 1000 else "0"
