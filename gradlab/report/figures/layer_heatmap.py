"""Which layers does the gradient reach, and how far back in time?

The norm of dL/dh_t of every layer as a colour on a logarithmic scale, with steps from left to right
and layers upwards: the gradient enters at the top right and travels to the left and down. The
colour is the median over the seeds. Equal colours along a row mean that a layer keeps the gradient
through time; along a column, that depth keeps it. Hatched cells have no logarithm: the gradient is
exactly zero there, or no seed has one. With two directions every layer has a row for each of them,
over the same steps of the sequence, and the gradient travels to both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades, marks, mesh
from gradlab.report.figures.ensemble import Array, over_members
from gradlab.report.words import travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

ARRAY = "layer_log10_grad_norm_h"
BACK = "backward_"
EVEN = 0.3  # decades: less is no difference that a title speaks of
FEW = 12  # layers that have a tick each


def applies(record: Record) -> bool:
    """Whether there are layers, and any has a gradient that is neither lost nor zero."""
    return ARRAY in record.arrays and bool(np.isfinite(medians(record)).any())


class Rows(NamedTuple):
    """What some rows of the picture show: at the steps t (N,), values (number of rows, N)."""

    t: Array
    values: Array
    where: slice  # among all rows, from below


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    last, both = record.config["seq_len"], network.chained(record)
    found = rows(record)
    up = _borders(record)
    across = [mesh.borders(one.t) for one in found]
    ax.grid(False)
    if both:
        captions.whole_numbers(ax, 1, last, "step t   (the gradient travels to both sides)")
        ax.set_xlim(0.5, last + 0.5)
    else:
        captions.steps(ax, 0, last)
        ax.set_xlim(across[0][0], across[0][-1])
    values = [one.values for one in found]
    low, high = decades.limits(values)
    look: dict[str, Any] = {"cmap": style.SEQUENTIAL, "vmin": low, "vmax": high, "rasterized": True}
    hatched: dict[str, Any] = {}
    for one, x in zip(found, across, strict=True):
        whole = np.full((len(up) - 1, len(one.t)), np.nan)
        whole[one.where] = one.values
        coloured = ax.pcolormesh(x, up, np.ma.masked_invalid(whole), **look)
        without = np.zeros(whole.shape, bool)
        without[one.where] = ~np.isfinite(one.values)
        mark = mesh.hatch(ax, x, up, without)
        if mark is not None:
            hatched[_hatched(np.concatenate([v.ravel() for v in values]))] = mark
    marks.steps(ax, record)
    _layers(ax, record, up)
    _bar(ax, coloured, low, high)
    captions.title(ax, title(record), notes=_notes(record) + marks.notes(record))
    captions.legend(ax, handles=hatched)


def rows(record: Record) -> list[Rows]:
    """The rows, from below; of two directions the forward one's lie above the backward one's.

    The state before a direction's first step is no layer's output: with two it is left out.
    """
    if not network.chained(record):
        return [Rows(record["t"].astype(float), medians(record), slice(None))]
    found = []
    for prefix, t, first in (("", record["t"], 1), (BACK, record["backward_t"], 0)):
        within = (t >= 1) & (t <= record.config["seq_len"])
        order = np.argsort(t[within])
        values = medians(record, prefix)[:, within][:, order]
        found.append(Rows(t[within][order].astype(float), values, slice(first, None, 2)))
    return found


def _borders(record: Record) -> Array:
    """Those of the rows: a layer is 1 high."""
    layers = record[ARRAY].shape[2]
    count = 2 * layers if network.chained(record) else layers
    return np.linspace(0.5, layers + 0.5, count + 1)


def _layers(ax: Axes, record: Record, up: Array) -> None:
    """The axis of the layers."""
    from matplotlib.ticker import MaxNLocator

    layers, both = np.arange(1, record[ARRAY].shape[2] + 1), network.chained(record)
    ax.set_ylim(up[0], up[-1])
    if len(up) - 1 > FEW:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    elif both:
        names = [f"{layer} {reads}" for layer in layers for reads in "←→"]
        ax.set_yticks((up[:-1] + up[1:]) / 2, names)
    else:
        ax.set_yticks(layers.astype(float))
    for border in up[2:-1:2] if both else ():
        ax.axhline(border, color="white", linewidth=1.5, marker="")
    ax.set_ylabel("layer   (1 sees the inputs)")


def medians(record: Record, prefix: str = "") -> Array:
    """log10 norms by layer and step (L, N), medians over seeds; NaN where there is none."""
    values = record[prefix + ARRAY]
    return np.stack(
        [over_members(record["t"], values[:, :, k]).median for k in range(values.shape[2])]
    )


def title(record: Record) -> str:
    """What is left of the gradient at the far corner: the first layer, the first step.

    With two directions every corner may be near: the forward rows, and the step that gets least.
    """
    values, top = medians(record), network.layers(record)
    enters = int(np.argmin(np.abs(record["t"] - travelled(record))))
    row = 0
    if network.chained(record):
        row = int(np.argmin(np.where(record["t"] > 0, values[0], np.inf)))
    first = int(record["t"][row])
    there, start = values[0, row], values[-1, enters]
    if not np.isfinite(there) or not np.isfinite(start):
        return f"Nothing of the gradient reaches layer 1, step {first}"
    down, back = values[0, enters] - start, there - start
    whole = f"Of layer {top}'s gradient, layer 1 gets {_part(down)} at its step"
    if network.chained(record):
        return f"Forward: of{whole[2:]}, at least {_part(back)} (step {first})"
    return f"{whole}, {_part(back)} at step {first}"


def _part(log10: float) -> str:
    """As much, or which part."""
    return "as much" if abs(log10) < EVEN else decades.about(float(log10))


def _hatched(values: Array) -> str:
    kinds = {"exactly zero": np.isneginf(values).any(), "no gradient": np.isnan(values).any()}
    return " or ".join(kind for kind, there in kinds.items() if there)


def _bar(ax: Axes, coloured: QuadMesh, low: float, high: float) -> None:
    """The colours' scale beside the axes, in powers of ten."""
    bar = ax.inset_axes((1.03, 0, 0.035, 1))
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.colorbar(coloured, cax=bar)
    positions = decades.ticks(low, high)
    bar.set_yticks(positions, decades.labels(positions))
    bar.set_ylabel("gradient norm ‖∂L/∂hₜ‖ of a layer")
    bar.grid(False)


def _notes(record: Record) -> list[str]:
    alive = over_members(record["t"], record[ARRAY][:, :, -1]).members
    seeds = len(record["seeds"])
    notes = [f"median of {alive} seeds"] if alive > 1 else []
    if network.chained(record):
        notes.append("of each layer: above, the forward direction (→); below, the backward one (←)")
    if alive < seeds:
        notes.append(f"{seeds - alive} of {seeds} seeds left out: their states overflowed")
    if network.sums(record):
        notes.append("the gradient enters at several steps: norms are of sums")
    return notes
