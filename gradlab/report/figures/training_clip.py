"""How large is the gradient while the network learns, and how often does the clip act?

The norm of the gradient of all parameters at every update, before clipping, on a logarithmic axis:
the median over the seeds and a few updates, and as a band all of them, from the smallest to the
largest. The thin line is the norm after clipping. The grey line is the threshold; the dotted one
the 90th percentile of the norms, a threshold that acts on one update in ten.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import style, training
from gradlab.report.figures import captions, decades, updates
from gradlab.report.figures.ensemble import Curve, draw_curve
from gradlab.report.words import plain, power, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def applies(record: Record) -> bool:
    """Whether the record is that of a training with a gradient to draw."""
    return training.applies(record) and bool(np.isfinite(record["train_log10_norm"]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    report = record.summary["train"]["clip"]
    before = _curve(record, "log10_norm")
    after = _curve(record, "log10_clipped_norm") if report["threshold"] is not None else None
    lines = [report["log10_norm"]["p90"]]
    if after is not None:
        lines.append(math.log10(report["threshold"]))
    marked = [np.array([line for line in lines if line is not None])]
    decades.set_limits(ax, *decades.limits([before.measured, *marked]))
    updates.axis(ax, record)
    many = "all updates and seeds" if len(record["seeds"]) > 1 else "all updates"
    draw_curve(ax, before, style.INDIGO, f"before clipping: median; {many}")
    if after is not None:
        draw_curve(ax, after, style.ROSE, "after clipping", "s", main=False)
        label = f"threshold {plain(report['threshold'])}"
        if report["by"] == "global_norm":  # else the threshold is of an entry, not of the norm
            ax.axhline(math.log10(report["threshold"]), label=label, **style.THRESHOLD)
    if lines[0] is not None:
        label = f"90 % of the norms are below {power(lines[0])}"
        ax.axhline(lines[0], label=label, color=style.SOFT, **style.FIT)
    captions.title(ax, title(record), notes=updates.notes(record))
    ax.set_ylabel("gradient norm, all parameters")
    captions.legend(ax)


def title(record: Record) -> str:
    """How often the clip acted; without one, how large the gradient was."""
    report = record.summary["train"]["clip"]
    if report["acted"] is not None:
        return f"The clip acted on {share(report['acted'])} of the updates"
    norms = report["log10_norm"]
    if norms["p50"] is None:
        return "No finite gradient"
    return f"Gradient norm: {power(norms['p50'])} at the median, {power(norms['p99'])} at P99"


def _curve(record: Record, name: str) -> Curve:
    """Median and range over the seeds and the updates of a block."""
    t, values = updates.blocks(record, name)
    flat = values.swapaxes(0, 1).reshape(len(t), -1)
    finite = np.isfinite(flat)
    low = np.min(flat, axis=1, where=finite, initial=np.inf)
    high = np.max(flat, axis=1, where=finite, initial=-np.inf)
    some = finite.any(axis=1)
    median = np.full(len(t), np.nan)
    for k in np.flatnonzero(some):
        median[k] = np.median(flat[k][finite[k]])
    low, high = (np.where(some, edge, np.nan) for edge in (low, high))
    measured = np.concatenate((median[some], low[some], high[some]))
    return Curve(t, median, low, high, flat.shape[1], measured)
