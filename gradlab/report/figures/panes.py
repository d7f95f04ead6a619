"""Several axes of one kind in a figure: the first is the figure's own, the others hang on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradlab.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 4
ACROSS = 2  # side by side
BESIDE, BELOW = 0.06, 0.08  # gaps, in widths and heights of one
TICKS = 0.24  # the gap below, where each has its own ticks
CORNER = 0.03  # of a pane: from its edges to the words in it
LINE = 13.0  # points


def grid(ax: Axes, count: int, x: str, y: str, alike: bool = True) -> list[Axes]:
    """So many axes, at most MOST, two in a row; ticks and axes are labelled at the left and below.

    x, y: short, for they stand at every outer one. alike: all have the same x axis.
    """
    panes = [ax]
    below = BELOW if alike else TICKS
    for k in range(1, count):
        row, column = divmod(k, ACROSS)
        panes.append(ax.inset_axes((column * (1 + BESIDE), -row * (1 + below), 1, 1)))
    for k, pane in enumerate(panes):
        left, lowest = k % ACROSS == 0, k + ACROSS >= count
        pane.tick_params(labelleft=left, labelbottom=lowest or not alike)
        pane.set_ylabel(y if left else "")
        pane.set_xlabel(x if lowest else "")
    return panes


def name(ax: Axes, text: str, more: str = "") -> None:
    """Words in the upper left corner, and smaller ones below them."""
    lines = ((text, style.INK, "bold"), (more, style.SOFT, "normal"))
    for line, (words, colour, weight) in enumerate(lines):
        ax.annotate(
            words,
            (CORNER, 1 - CORNER),
            (0, -LINE * line),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=style.SMALL,
            zorder=5,
            color=colour,
            fontweight=weight,
        )
