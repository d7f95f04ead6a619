"""Does the network learn the task?

The loss of every batch before its update, on a logarithmic axis: the median over the seeds of the
means over a few updates, and the spread of the seeds as a band. A seed whose loss is not finite
counts as infinite. The grey line is the baseline, the loss of who does not look at the
inputs: above it nothing is learned.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import style, training
from gradlab.report.figures import captions, decades, updates
from gradlab.report.figures.ensemble import draw_curve, members, over_members
from gradlab.report.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def applies(record: Record) -> bool:
    """Whether the record is that of a training with a loss to draw."""
    return training.applies(record) and bool((record["train_loss"] > 0).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    t, values = updates.blocks(record, "loss")
    with np.errstate(divide="ignore"):
        log10 = np.log10(values.mean(axis=-1))
    curve = over_members(t, np.where(np.isnan(log10), np.inf, log10))
    baseline = record.summary["train"]["baseline"]
    line = [np.array([math.log10(baseline)])] if baseline > 0 else []
    decades.set_limits(ax, *decades.limits([curve.measured, *line], 0.5))
    updates.axis(ax, record)
    band = f", {curve.spread}" if curve.members > 1 else ""
    draw_curve(ax, curve, style.INDIGO, f"{members(curve.members)}{band}")
    if line:
        ax.axhline(math.log10(baseline), label=f"baseline {plain(baseline)}", **style.THRESHOLD)
    captions.title(ax, title(record), notes=updates.notes(record))
    ax.set_ylabel(f"loss ({record.config['loss']['type'].replace('_', ' ')})")
    captions.legend(ax)


def title(record: Record) -> str:
    """From where to where."""
    told = record.summary["train"]
    first, final = told["first_loss"], told["final_loss_median"]
    end = "infinity" if final is None else plain(final)
    start = "infinity" if first is None else plain(first)
    return f"{told['task'].replace('_', ' ')}: the loss goes from {start} to {end}"
