"""Histograms over an ensemble: all members together, and the spread from member to member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.report.figures.ensemble import MANY, Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Histogram:
    """Densities: of all members together, and the spread from member to member, (N,) each."""

    edges: Array  # (N + 1,)
    density: Array
    low: Array
    high: Array
    members: int

    @property
    def highest(self) -> float:
        """Of all that is drawn."""
        return float(max(self.density.max(), self.high.max()))

    @property
    def spread(self) -> str:
        """What the bars over the steps are; '' for a single member."""
        if self.members < 2:
            return ""
        return "5 to 95 %" if self.members >= MANY else "min to max"


def over_members(values: Sequence[Array], edges: Array, unit: float = 1.0) -> Histogram:
    """The Histogram of each member's values, as `unit` times a density per unit of x. What lies
    outside of the edges, or is -inf, counts in the total and in no bin: a density integrates to the
    share that is inside.
    """
    each = np.array([np.histogram(one, edges)[0] / one.size for one in values])
    each *= unit / np.diff(edges)
    sizes = np.array([one.size for one in values], float)
    tail = 0.05 if len(each) >= MANY else 0.0
    low, high = np.quantile(each, (tail, 1 - tail), axis=0, method="inverted_cdf")
    return Histogram(edges, sizes @ each / sizes.sum(), low, high, len(each))


def draw(ax: Axes, found: Histogram, colour: str, label: str) -> None:
    """Steps, filled, and a bar over each bin for the spread."""
    ax.stairs(found.density, found.edges, fill=True, color=colour, alpha=0.4, zorder=2, label=label)
    ax.stairs(found.density, found.edges, color=colour, linewidth=1.2, zorder=2.2)
    if found.members > 1:
        middle = (found.edges[:-1] + found.edges[1:]) / 2
        ax.vlines(middle, found.low, found.high, color=colour, linewidth=0.9, zorder=2.4)
