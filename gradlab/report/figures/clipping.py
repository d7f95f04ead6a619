"""How large is the gradient before it is clipped, and how often does clipping act?

The histogram is of the norms before clipping, on a logarithmic axis: of the gradient of all
parameters, one of each seed; or, where dL/dh itself is clipped at every step, of all steps and
seeds. The vertical line is the threshold. What is hatched was clipped. A clip that nearly always
acts sets the length of the step by itself, and one that never acts changes nothing; with a clip by
value the threshold is of each entry, and there is no line for it on an axis of norms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades
from gradlab.report.figures.ensemble import Array
from gradlab.report.words import plain, power, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 24
ROOM = 1.08  # of the highest bar
CLIPPED: dict[str, Any] = {"facecolor": style.ROSE, "edgecolor": "white", "hatch": "////"}
PASSED: dict[str, Any] = {"facecolor": style.INDIGO, "edgecolor": "white", "alpha": 0.75}


def applies(record: Record) -> bool:
    """Whether anything is clipped, and a norm is neither lost nor zero."""
    return bool(record.config.get("clip")) and bool(np.isfinite(norms(record)[0]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    from matplotlib.ticker import MaxNLocator

    before, acted = norms(record)
    there = np.isfinite(before)
    threshold, by = record.config["clip"]["threshold"], record.config["clip"]["by"]
    line = math.log10(threshold) if by != "value" else None
    edges = _edges(before[there], line)
    weight = 1.0 if by != "step_norm" else 100 / there.sum()
    bottom = np.zeros(len(edges) - 1)
    for chosen, label, look in (
        (~acted, "not clipped", PASSED),
        (acted, "clipped", CLIPPED),
    ):
        counts = weight * np.histogram(before[there & chosen], edges)[0]
        if counts.any():
            ax.bar(edges[:-1], counts, np.diff(edges), bottom, align="edge", label=label, **look)
        bottom = bottom + counts
    if line is not None:
        ax.axvline(line, label=f"threshold {plain(threshold)}", zorder=4, **THRESHOLD)
    decades.set_x(ax, edges[0], edges[-1])
    ax.set_ylim(0, ROOM * bottom.max())
    if by != "step_norm":
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))  # seeds are whole
    captions.title(ax, title(record), notes=_notes(record, before))
    of = "of dL/dhₜ" if by == "step_norm" else "of the gradient of all parameters"
    ax.set_xlabel(f"norm {of} before clipping (log scale)")
    ax.set_ylabel("share of all steps (%)" if by == "step_norm" else "number of seeds")
    captions.legend(ax)


THRESHOLD: dict[str, Any] = {**style.THRESHOLD, "linewidth": 1.8, "color": style.INK}


def norms(record: Record) -> tuple[Array, NDArray[np.bool_]]:
    """log10 of the norms before clipping, and which of them were clipped: of seeds, or of all
    recorded steps and seeds; not of t = 0, where the gradient has arrived.
    """
    alive, steps = record["overflow_step"] == 0, record["t"] > 0
    if record.config["clip"]["by"] != "step_norm":
        return record["log10_clip_norm"][alive], record["clip_rate"][alive] < 1
    parts = [part for part in record.names["parts"] if not part.endswith("_total")]
    squares = [
        2 * math.log(10) * record[f"log10_grad_norm_{part}"][alive][:, steps] for part in parts
    ]
    whole: Array = np.logaddexp.reduce(squares, axis=0) / (2 * math.log(10))
    return whole.ravel(), record["clip_scale"][alive][:, steps].ravel() < 1


def _edges(values: Array, line: float | None) -> Array:
    """Of the bins; the threshold is one of them, so that no bin has both kinds."""
    low, high = decades.limits([values] if line is None else [values, np.array([line])])
    width = (high - low) / BINS
    start = low if line is None else line - width * math.ceil((line - low) / width)
    edges: Array = start + width * np.arange(BINS + 2, dtype=float)
    return edges


def title(record: Record) -> str:
    """How often it acts."""
    before, acted = norms(record)
    acted = acted[~np.isnan(before)]
    if not acted.any():
        return "Clipping never acts: no norm is above the threshold"
    if record.config["clip"]["by"] == "step_norm":
        return f"Clipping acts at {share(record.summary['clip']['acted'])} of the steps"
    return f"Clipping acts in {int(acted.sum())} of {len(acted)} seeds"


def _notes(record: Record, before: Array) -> list[str]:
    notes = network.front(record) if record.config["clip"]["by"] == "step_norm" else []
    if record.config["clip"]["by"] == "value":
        threshold = plain(record.config["clip"]["threshold"])
        notes.append(f"by value: the threshold {threshold} is of each entry, not of the norm")
    zeros = int(np.isneginf(before).sum())
    if zeros:
        notes.append(f"{zeros} norms are exactly zero, and not drawn")
    median = power(float(np.median(before[~np.isnan(before)])))
    return [*notes, f"median of the norms: {median}"]
