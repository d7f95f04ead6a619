"""Marks on an axis of steps: where encoder and decoder meet, and where the gradient is cut.

A chunked truncation cuts at multiples of its steps, counted from the start; a sliding one reaches
so many steps back from every loss term, which is one place only where there is one loss term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions
from gradlab.report.network import Truncation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 24  # borders that are drawn; more are only told
JUNCTION: dict[str, Any] = {"marker": "", "linestyle": "-", "linewidth": 0.9, "color": style.SOFT}
BORDER: dict[str, Any] = {
    "marker": "",
    "linestyle": (0, (3, 1.5)),
    "linewidth": 1.2,
    "color": style.CUT,
}


def steps(ax: Axes, record: Record) -> None:
    """Junction and borders on an axis of steps t whose limits are set; before title and legend."""
    junction(ax, record)
    cut = network.truncation(record)
    if cut is not None:
        label = cut_label(cut)
        for border in borders(record, cut):
            ax.axvline(border, zorder=1.8, label=label, **BORDER)
            label = "_"


def junction(ax: Axes, record: Record) -> None:
    """Where encoder and decoder meet; before the title."""
    after = network.junction(record)
    if after is not None:
        ax.axvline(after + 0.5, zorder=1.8, **JUNCTION)
        captions.sides(ax, after + 0.5, "encoder", "decoder")


def cut_label(cut: Truncation) -> str:
    """What a border is, in a legend."""
    if cut.mode == "chunked":
        return f"truncated: chunks of {cut.steps} steps"
    return f"truncated: {cut.steps} steps back"


def borders(record: Record, cut: Truncation) -> list[float]:
    """Where the gradient is cut, half way between the steps; none where they would be too many."""
    entries = network.loss_steps(record)
    last = entries[-1]
    if cut.mode == "chunked":
        inside = [float(t) for t in range(cut.steps, last, cut.steps)]
        found = inside if len(entries) > 1 else inside[-1:]
    else:
        found = [float(last - cut.steps)] if len(entries) == 1 and cut.steps < last else []
    return [t + 0.5 for t in found] if len(found) <= MOST else []


def notes(record: Record) -> list[str]:
    """What the borders do not tell."""
    cut = network.truncation(record)
    if cut is None or borders(record, cut):
        return []
    if cut.mode == "chunked":
        if network.sums(record) and cut.steps < record.config["seq_len"]:
            return [f"truncated at the borders of chunks of {cut.steps} steps"]
    elif network.sums(record):
        return [f"truncated: every loss term reaches {cut.steps} steps back"]
    return [f"truncation after {cut.steps} steps cuts nothing here"]
