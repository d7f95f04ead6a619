"""How far are the gates open, and are they stuck?

For every gate: how often it has which value, over all units, sequences and steps; of a cell without
gates, the activation. The steps of the curve are the mean over the seeds, the bars their spread; of
several layers all count together. A gate that keeps the state lets the gradient through where its
values are near 1, and blocks it near 0. A unit is saturated where its slope is below a tenth of the
largest: at the ends, where no gradient gets through to the gate itself. A peak at an end is a gate
that is stuck; one at the middle is a gate that no input moves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import CELLS
from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, histogram, panes
from gradlab.report.figures.ensemble import MANY, Array
from gradlab.report.words import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "gate_histogram"
SIZE = (6.4, 4.6)  # inches
ROOM = 1.45  # of the highest step: the words above it
NAMES = {
    "i": "input gate i",
    "f": "forget gate f",
    "o": "output gate o",
    "g": "candidate g",
    "r": "reset gate r",
    "z": "update gate z",
    "n": "candidate n",
    "h": "activation h",
    "delta": "what is added",
}
FEW = 0.05  # saturated: less is no message


def applies(record: Record) -> bool:
    """Whether the gates of any seed that did not overflow were counted, and half lie in -1 .. 1."""
    if ARRAY not in record.arrays:
        return False
    counts = record[ARRAY][record["overflow_step"] == 0]
    inside, whole = int(counts[..., 1:-1].sum()), int(counts.sum())
    return 0 < whole <= 2 * inside and len(gates(record)) <= panes.MOST


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    from matplotlib.ticker import MaxNLocator

    found = gates(record)
    shapes = {gate: shape(counts) for gate, counts in found.items()}
    top = ROOM * max(one.highest for one in shapes.values())
    some = next(iter(shapes.values()))
    seeds = f"mean of {some.members} seeds, {some.spread}" if some.members > 1 else "one seed"
    alike = len({one.edges[0] for one in shapes.values()}) == 1
    grid = panes.grid(ax, len(found), "value", "share in a bin (%)", alike)
    for pane, (gate, one) in zip(grid, shapes.items(), strict=True):
        pane.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        label = f"share of all values: {seeds}" if pane is ax else "_"
        histogram.draw(pane, one, style.INDIGO, label)
        pane.set_ylim(0, top)
        margin = 0.02 * (one.edges[-1] - one.edges[0])
        pane.set_xlim(one.edges[0] - margin, one.edges[-1] + margin)
        mean, saturated = _told(record, gate)
        panes.name(pane, NAMES.get(gate, gate), f"mean {mean:z.2f}, saturated {share(saturated)}")
    captions.title(ax, title(record), notes=_notes(record, found))
    captions.legend(ax)


def gates(record: Record) -> dict[str, NDArray[np.int64]]:
    """The counts (seeds, bins) of every gate, those of all layers together, by its bare name."""
    alive = record["overflow_step"] == 0
    found: dict[str, NDArray[np.int64]] = {}
    for k, name in enumerate(record.names["gates"]):
        own = record[ARRAY][alive][:, k]
        found[_bare(name)] = found.get(_bare(name), 0) + own
    return found


def shape(counts: NDArray[np.int64]) -> histogram.Histogram:
    """Per cent of all values in each of 50 bins: of 0 .. 1, or of -1 .. 1 where any is below 0."""
    total = counts.sum(axis=1, keepdims=True)
    inside = counts[:, 1:-1]
    half = inside.shape[1] // 2
    signed = bool(inside[:, :half].any() or counts[:, 0].any())
    bins = inside.reshape(len(inside), half, 2).sum(axis=2) if signed else inside[:, half:]
    each: Array = 100 * bins / np.maximum(total, 1)
    tail = 0.05 if len(each) >= MANY else 0.0
    low, high = np.quantile(each, (tail, 1 - tail), axis=0, method="inverted_cdf")
    edges = np.linspace(-1.0 if signed else 0.0, 1.0, half + 1)
    return histogram.Histogram(edges, each.mean(axis=0), low, high, len(each))


def title(record: Record) -> str:
    """How much of the state is kept, or which gate is saturated most."""
    keeps = CELLS[record.config["cell"]["type"]].KEEPS
    if keeps in gates(record):
        return f"The {NAMES[keeps]} keeps {_told(record, keeps)[0]:.2f} of the state on average"
    told = {gate: _told(record, gate)[1] for gate in gates(record)}
    most = max(told, key=lambda gate: told[gate])
    of = NAMES.get(most, most)
    if told[most] < FEW:
        return "Hardly a gate is saturated" if len(told) > 1 else f"The {of} is hardly saturated"
    return f"The {of} is saturated in {share(told[most])} of all cases"


def _told(record: Record, gate: str) -> tuple[float, float]:
    """Mean value and saturated share, over seeds, recorded steps and layers."""
    alive, steps = record["overflow_step"] == 0, record["t"] > 0
    own = [k for k, name in enumerate(record.names["gates"]) if _bare(name) == gate]
    mean, saturated = (
        float(np.mean(record[name][alive][:, steps][..., own]))
        for name in ("gate_mean", "gate_saturation")
    )
    return mean, saturated


def _bare(name: str) -> str:
    """i for i_l0."""
    return re.sub(r"_[lb]\d+$", "", name)


def _notes(record: Record, found: dict[str, NDArray[np.int64]]) -> list[str]:
    notes = [f"all {network.layers(record)} layers together"] * (network.layers(record) > 1)
    if network.bidirectional(record):
        notes.append("of the forward direction")
    outside = {g: float(c[:, [0, -1]].sum() / c.sum()) for g, c in found.items()}
    notes += [f"{share(part)} of {g} beyond ±1, not drawn" for g, part in outside.items() if part]
    return notes
