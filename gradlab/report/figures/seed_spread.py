"""Does one seed tell, or would it mislead?

Each mark is a seed: from left to right by what is left of its gradient at the far end, on a
logarithmic axis, and upwards by its place among all seeds. Orange triangles are seeds in which the
gradient grew, blue circles those in which it shrank. The solid line is the median over the seeds,
the dashed one the mean of the same values. Norms after many steps are spread over decades, and a
few large ones make the mean: it can be far above what nearly all seeds have. A single seed, or a
mean over some, then says little about the next one. (Of ||W^20 v||^2 with a Gaussian W of 64 units
the median is 1.1; means over a thousand matrices each came out between 4 and 11.) The figure is
there where mean and median differ by a half at least.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades
from gradlab.report.figures.ensemble import Array
from gradlab.report.words import plain, power, travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 3  # seeds
MARGIN = 3.0  # per cent, below and above: for the marks of the ends
APART = math.log10(1.5)  # decades between mean and median
MEDIAN: dict[str, Any] = {"marker": "", "linestyle": "-", "linewidth": 1.6, "color": style.INK}
SIDES = {
    "grew": ("exploding", "^"),
    "shrank": ("vanishing", "o"),
}


def applies(record: Record) -> bool:
    """Whether the seeds' gradients travel one way to the far end, and mean and median disagree."""
    if network.sums(record) or network.truncation(record) is not None:
        return False
    values = left(record)
    return len(values) >= FEWEST and _apart(values) >= APART


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    values = np.sort(left(record))
    place = 100 * (np.arange(len(values)) + 0.5) / len(values)
    low, high = decades.limits([values, np.array([log10_mean(values)])])
    for side, chosen in (("shrank", values <= 0), ("grew", values > 0)):
        verdict, marker = SIDES[side]
        look: dict[str, Any] = {"color": style.VERDICT_COLOURS[verdict], "marker": marker}
        if chosen.any():
            label = f"{chosen.sum()} seeds: it {side}"
            ax.plot(
                values[chosen], place[chosen], linestyle="", markersize=6.5, label=label, **look
            )
    middle, mean = float(np.median(values)), log10_mean(values)
    if low < 0 < high:
        ax.axvline(0, color=style.SOFT, linewidth=1.0, marker="", zorder=1.5)
    ax.axvline(middle, label=f"median: {power(middle)}", zorder=2, **MEDIAN)
    ax.axvline(mean, label=f"mean: {power(mean)}", zorder=2, **style.THEORY)
    decades.set_x(ax, low, high)
    ax.set_ylim(-MARGIN, 100 + MARGIN)
    captions.title(ax, title(record), notes=_notes(record, values))
    ax.set_xlabel("what is left of the gradient norm at the far end (log scale)")
    ax.set_ylabel("seeds with less (%)")
    captions.legend(ax)


def left(record: Record) -> Array:
    """log10 of what is left of each seed's norm at the far end, of the seeds that have any."""
    curves = record["log10_grad_norm_h"]
    start = curves[:, record["t"] == travelled(record)]
    if start.shape[1] == 0:
        return np.empty(0)
    with np.errstate(invalid="ignore"):
        found = curves[:, 0] - start[:, 0]
    return found[np.isfinite(found)]


def log10_mean(values: Array) -> float:
    """log10 of the mean of 10**values, which may be beyond float range."""
    top = float(values.max())
    return top + math.log10(float(np.mean(10 ** (values - top))))


def title(record: Record) -> str:
    """How far the mean is from the median."""
    return f"One seed can mislead: the mean is {_times(left(record))} the median"


def _apart(values: Array) -> float:
    return log10_mean(values) - float(np.median(values))


def _times(values: Array) -> str:
    apart = _apart(values)
    return f"{plain(float(f'{10**apart:.2g}'))} times" if apart < 4 else f"{power(apart)} times"


def _notes(record: Record, values: Array) -> list[str]:
    below = int((values < log10_mean(values)).sum())
    notes = network.front(record)
    notes.append(f"{below} of {len(values)} seeds lie below the mean")
    without = int((record["overflow_step"] == 0).sum()) - len(values)
    if without:
        notes.append(f"{without} seeds whose gradient is exactly zero are left out")
    return notes
