"""Which layers does the gradient reach, and how far back in time?

The norm of dL/dh_t of every layer as a colour on a logarithmic scale, with steps from left to right
and layers upwards: the gradient enters at the top right and travels to the left and down. The
colour is the median over the seeds. Equal colours along a row mean that a layer keeps the gradient
through time; along a column, that depth keeps it. Hatched cells have no logarithm: the gradient is
exactly zero there, or no seed has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
EVEN = 0.3  # decades: less is no difference that a title speaks of
FEW = 12  # layers that have a tick each


def applies(record: Record) -> bool:
    """Whether there are layers, and any has a gradient that is neither lost nor zero."""
    return ARRAY in record.arrays and bool(np.isfinite(medians(record)).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    from matplotlib.ticker import MaxNLocator

    values = medians(record)
    t, layers = record["t"].astype(float), np.arange(1.0, values.shape[0] + 1)
    across, up = mesh.borders(t), mesh.borders(layers)
    ax.grid(False)
    captions.steps(ax, 0, record.config["seq_len"])
    ax.set_xlim(across[0], across[-1])
    low, high = decades.limits([values])
    shown = np.ma.masked_invalid(values)
    look: dict[str, Any] = {"cmap": style.SEQUENTIAL, "vmin": low, "vmax": high, "rasterized": True}
    coloured = ax.pcolormesh(across, up, shown, **look)
    without = mesh.hatch(ax, across, up, ~np.isfinite(values))
    marks.steps(ax, record)
    ax.set_ylim(up[0], up[-1])
    if len(layers) <= FEW:
        ax.set_yticks(layers)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    ax.set_ylabel("layer   (1 sees the inputs)")
    _bar(ax, coloured, low, high)
    captions.title(ax, title(record), notes=_notes(record) + marks.notes(record))
    captions.legend(ax, handles={} if without is None else {_hatched(values): without})


def medians(record: Record) -> Array:
    """log10 norms by layer and step (L, N), medians over seeds; NaN where there is none."""
    values = record[ARRAY]
    return np.stack(
        [over_members(record["t"], values[:, :, k]).median for k in range(values.shape[2])]
    )


def title(record: Record) -> str:
    """What is left of the gradient at the far corner: the first layer, the first step."""
    values, top = medians(record), network.layers(record)
    enters = int(np.argmin(np.abs(record["t"] - travelled(record))))
    first = int(record["t"][0])
    there, start = values[0, 0], values[-1, enters]
    if not np.isfinite(there) or not np.isfinite(start):
        return f"Nothing of the gradient reaches layer 1, step {first}"
    down, back = values[0, enters] - start, there - start
    whole = f"Of layer {top}'s gradient, layer 1 gets"
    return f"{whole} {_part(down)} at its step, {_part(back)} at step {first}"


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
    if alive < seeds:
        notes.append(f"{seeds - alive} of {seeds} seeds left out: their states overflowed")
    if len(network.loss_steps(record)) > 1:
        notes.append("the gradient enters at several steps: norms are of sums")
    return notes
