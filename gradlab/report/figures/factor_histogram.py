"""Is the factor that multiplies the gradient at every step basically 0 or 1, as the texts say?

Of the simplified LSTM s_t = tanh(f s_{t-1} + i x_t) a step multiplies the gradient of each unit by
tanh'(v) f, which lies between 0 and 1. The steps of the curve show how these factors are
distributed, over all units, sequences and steps: the median over the seeds, and their spread.
Shaded are the factors near 0 (below 0.1) and near 1 (above 0.9), with their shares. A factor near
1 keeps the gradient of a unit, one near 0 blocks it; with factors between it fades within a few
steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import style
from gradlab.report.figures import captions
from gradlab.report.figures.ensemble import MANY, Array, members
from gradlab.report.words import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "factor_histogram"
ROOM = 1.14  # of the highest bar: for the shares above it


def applies(record: Record) -> bool:
    """Whether the factors of any seed were counted."""
    return (
        ARRAY in record.arrays
        and bool(record.summary.get("factor"))
        and bool((record[ARRAY].sum(axis=1) > 0).any())
    )


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    shares = distribution(record)
    edges = np.linspace(0, 1, shares.shape[1] + 1)
    tail = 0.05 if len(shares) >= MANY else 0.0
    low, high = np.quantile(shares, (tail, 1 - tail), axis=0, method="inverted_cdf")
    spread = "5 to 95 %" if tail else "min to max"
    ends = f", {spread}" if len(shares) > 1 else ""
    near = record.summary["factor"]["within"]
    for first, last in ((0, near), (1 - near, 1)):
        ax.axvspan(first, last, color=style.HIGHLIGHT, zorder=0, linewidth=0)
    label = f"share of the factors: {members(len(shares))}{ends}"
    ax.stairs(
        np.median(shares, axis=0),
        edges,
        fill=True,
        color=style.INDIGO,
        alpha=0.55,
        label=label,
        zorder=2,
    )
    if len(shares) > 1:
        middle = (edges[:-1] + edges[1:]) / 2
        ax.vlines(middle, low, high, color=style.INDIGO, linewidth=1.2, zorder=3)
    top = float(high.max())
    ax.set_ylim(0, ROOM * top)
    ax.set_xlim(-0.02, 1.02)
    found = record.summary["factor"]
    for x, name, key, ha in (
        (0.0, "near 0", "near_zero", "left"),
        (0.5, "between", "between", "center"),
        (1.0, "near 1", "near_one", "right"),
    ):
        ax.text(x, ROOM * top * 0.985, f"{name}: {share(found[key])}", ha=ha, va="top")
    claim = f"the texts say: basically 0 or 1; that {found['claim']} here"
    captions.title(ax, title(record), notes=[claim])
    ax.set_xlabel("factor tanh'(v) f of a unit in a step")
    ax.set_ylabel("share of all factors in a bin (%)")
    captions.legend(ax)


def distribution(record: Record) -> Array:
    """The share of every bin in per cent (seeds, 50), of the seeds that have any."""
    counts = record[ARRAY].astype(float)
    total = counts.sum(axis=1, keepdims=True)
    return 100 * counts[total[:, 0] > 0] / total[total[:, 0] > 0]


def title(record: Record) -> str:
    """Where most of the factors are, which decides the claim."""
    factor = record.summary["factor"]
    if factor["claim"] == "holds":
        return f"Near 0 or 1: {share(1 - factor['between'])} of the factors"
    return f"Between 0 and 1: {share(factor['between'])} of the factors"
