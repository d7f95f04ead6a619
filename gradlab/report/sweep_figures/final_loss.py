"""Which of the trainings learn their task?

The loss at the end of every training, on a logarithmic axis: the mean over the seeds, and bars its
95 % interval (where that reaches zero, down to the edge). The grey line is the baseline, the loss
of who does not look at the inputs: what lies right of it is worse than that. Points of which a
seed's loss is not finite are marked at the right edge.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.learned import BELOW
from gradlab.report import style
from gradlab.report.figures import decades
from gradlab.report.sweep_figures import panels
from gradlab.report.sweep_figures.grid import Grid
from gradlab.report.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 40  # points
PITCH, AROUND, LEAST = 17.0, 130.0, 200.0  # points: of a row, around the axes, of the figure
CHARACTER, WIDEST = 5.2, 190.0  # points: of the rows' names
SHOWN = int(WIDEST / CHARACTER)  # characters of a row's name
LOST = "not finite in some seed"


def applies(grid: Grid) -> bool:
    """Whether the points are trainings, of which one has a loss at the end."""
    return bool(np.isfinite(grid.loss).any())


def draw(figure: Figure, grid: Grid) -> None:
    """Draw the figure of the module's docstring."""
    names, keys = _names(grid)
    some = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST)).round().astype(int))
    mean, low, high, baseline = (
        array.ravel()[some] for array in (grid.loss, grid.loss_low, grid.loss_high, grid.baseline)
    )
    (ax,) = panels.add(figure, [""])
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, least, most = (np.log10(np.maximum(a, 0)) for a in (mean, low, high))
    lines = np.log10(np.unique(baseline[np.isfinite(baseline)]))
    left, right = decades.limits([centre, least, most, lines])
    _prepare(ax, [names[k] for k in some], (left, right))
    y = np.arange(len(some))
    known = np.isfinite(most)
    look: dict[str, Any] = {"color": style.INDIGO, "zorder": 3}
    ax.hlines(
        y[known], np.maximum(least[known], left), most[known], linewidth=2.0, alpha=0.55, **look
    )
    label = "mean over seeds, 95 % interval" if known.any() else "mean over seeds"
    ax.plot(centre, y, linestyle="none", marker="o", markersize=6.5, label=label, **look)
    for line in lines:
        ax.axvline(line, label=f"baseline {plain(10**line)}", **style.THRESHOLD)
    lost = ~np.isfinite(mean) & np.isfinite(baseline)
    if lost.any():
        edge = np.full(lost.sum(), 0.98)
        mark: dict[str, Any] = {"color": style.INDIGO, "marker": "x", "linestyle": "none"}
        ax.plot(edge, y[lost], transform=ax.get_yaxis_transform(), label=f"{LOST} (right)", **mark)
    notes = [keys] if keys else []
    notes += [f"{len(some)} of {len(names)} points"] if len(some) < len(names) else []
    width = min(CHARACTER * max(len(names[k]) for k in some), WIDEST) + 32
    frame = panels.Frame(title(grid), notes, "loss at the end of training", "", left=width)
    rows = max(AROUND + PITCH * len(some), LEAST)
    panels.arrange(figure, [ax], frame, height=rows, least=PITCH * len(some))


def title(grid: Grid) -> str:
    """How many points end below the baseline: with the whole interval where there is one, else as
    it is told of a seed.
    """
    end = np.where(np.isfinite(grid.loss_high), grid.loss_high, grid.loss / BELOW)
    below, there = int((end < grid.baseline).sum()), int(np.isfinite(grid.baseline).sum())
    return f"{below} of {there} end below the baseline"


def _names(grid: Grid) -> tuple[list[str], str]:
    """What each row is called, and what to say of that: of long names the values alone, so that no
    two of them look alike.
    """
    axes = [axis for axis in grid.axes if len(axis) > 1]
    places = list(product(*(range(len(axis)) for axis in axes)))
    texts = [", ".join(a.at(k) for a, k in zip(axes, place, strict=True)) for place in places]
    if max(map(len, texts)) <= SHOWN:
        return texts, ""
    short = [", ".join(a.texts[k] for a, k in zip(axes, place, strict=True)) for place in places]
    return short, f"at the left: {', '.join(axis.name for axis in axes)}"


def _prepare(ax: Axes, names: list[str], limits: tuple[float, float]) -> None:
    """The empty panel: names at the left."""
    ax.set_xlim(limits)
    positions = decades.ticks(*limits)
    ax.set_xticks(positions, decades.labels(positions))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.grid(False, axis="y")
    short = [name if len(name) <= SHOWN else f"{name[: SHOWN - 4]} ..." for name in names]
    ax.set_yticks(range(len(names)), short)
