"""Names of the verdicts written into a phase diagram, where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report import style
from gradlab.report.sweep_figures import scales
from gradlab.report.sweep_figures.grid import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PIXEL = 4.0  # points
WIDTH, HEIGHT = 6.4, 16.0  # of a character and of the line, with some room around


def name(ax: Axes, x: Axis, y: Axis, growth: Array) -> None:
    """Write vanishing and exploding into the regions of growth (Y, X), well inside of them."""
    for verdict, region in (("vanishing", growth < 0), ("exploding", growth > 0)):
        place = _place(ax, x, y, region, len(verdict))
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
    ax: Axes, x: Axis, y: Axis, region: Array, characters: int
) -> tuple[float, float] | None:
    """The place, in fractions of the axes, nearest to the region's middle where a word fits."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box, (width, height) = ax.get_position(), figure.get_size_inches() * 72
    columns, rows = int(box.width * width / PIXEL), int(box.height * height / PIXEL)
    wide, high = round(WIDTH * characters / PIXEL), round(HEIGHT / PIXEL)
    if columns <= wide or rows <= high:
        return None
    pixels = region[np.ix_(_cells(y, rows), _cells(x, columns))]
    sums = np.pad(pixels.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    fits = np.argwhere(inside == wide * high)
    if not len(fits):
        return None
    middle = np.argwhere(pixels).mean(axis=0) - (high / 2, wide / 2)
    row, column = fits[int(np.argmin(((fits - middle) ** 2).sum(axis=1)))]
    return float((column + wide / 2) / columns), float((row + high / 2) / rows)


def _cells(axis: Axis, pixels: int) -> np.ndarray:
    """In which cell each pixel is."""
    assert axis.positions is not None
    borders = scales.borders(axis.positions)
    at = borders[0] + (np.arange(pixels) + 0.5) / pixels * (borders[-1] - borders[0])
    return np.searchsorted(borders[1:-1], at)
