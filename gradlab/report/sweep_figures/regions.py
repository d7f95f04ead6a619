"""Names of the verdicts written into a phase diagram, where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report import style
from gradlab.report.figures import mesh
from gradlab.report.sweep_figures.axis import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGE = 1e9  # nats per step: what is infinite
PIXEL = 4.0  # points
WIDTH, HEIGHT = 6.8, 18.0  # of a character and of the line, with some room around


def name(ax: Axes, x: Axis, y: Axis, growth: Array) -> None:
    """Write vanishing and exploding into the regions of growth (Y, X), well inside of them."""
    for verdict, sign in (("vanishing", -1), ("exploding", 1)):
        place = _place(ax, x, y, sign * growth, len(verdict))
        if place is None:
            continue
        ax.text(
            *place,
            verdict,
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize=style.TEXT,
            color=style.INK,
            zorder=4,
            bbox={
                "boxstyle": "round,pad=0.2",
                "facecolor": "white",
                "alpha": 0.75,
                "linewidth": 0,
            },
        )


def _place(
    ax: Axes, x: Axis, y: Axis, growth: Array, characters: int
) -> tuple[float, float] | None:
    """Where a word fits nearest to the middle of growth > 0, in fractions of the axes."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box, (width, height) = ax.get_position(), figure.get_size_inches() * 72
    columns, rows = int(box.width * width / PIXEL), int(box.height * height / PIXEL)
    wide, high = round(WIDTH * characters / PIXEL), round(HEIGHT / PIXEL)
    if columns <= wide or rows <= high:
        return None
    pixels = _between(x, y, growth, columns, rows) > 0
    sums = np.pad(pixels.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    fits = np.argwhere(inside == wide * high)
    if not len(fits):
        return None
    middle = np.argwhere(pixels).mean(axis=0) - (high / 2, wide / 2)
    row, column = fits[int(np.argmin(((fits - middle) ** 2).sum(axis=1)))]
    return float((column + wide / 2) / columns), float((row + high / 2) / rows)


def _between(x: Axis, y: Axis, growth: Array, columns: int, rows: int) -> Array:
    """Growth at every pixel, interpolated as the edge is; NaN beside what is unknown."""
    assert x.positions is not None
    assert y.positions is not None
    across, up = _pixels(x.positions, columns), _pixels(y.positions, rows)
    finite = np.clip(growth, -LARGE, LARGE)
    lines = np.array([np.interp(across, x.positions, line) for line in finite])
    return np.array([np.interp(up, y.positions, line) for line in lines.T]).T


def _pixels(positions: Array, count: int) -> Array:
    borders = mesh.borders(positions)
    return borders[0] + (np.arange(count) + 0.5) / count * (borders[-1] - borders[0])
