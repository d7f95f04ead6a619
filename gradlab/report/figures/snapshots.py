"""How does the way of the gradient through the steps change while the network learns?

The norm of dL/dh_t against t, as in gradient_norms, at successive snapshots of a training: from
dark, before the first update, to light, after the last. Every line is the median over the seeds.
All snapshots are of the same batch, so that what differs is the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network, style, training
from gradlab.report.figures import captions, decades, marks
from gradlab.report.figures.ensemble import Array, over_members
from gradlab.report.words import plain, travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "snapshot_log10_grad_norm_h"
MOST = 24  # lines
LIGHTEST = 0.92  # of the colour map: what is lighter is hard to see on white


def applies(record: Record) -> bool:
    """Whether the record has snapshots with a gradient that is neither lost nor zero."""
    return training.applies(record) and bool(np.isfinite(record[ARRAY]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    from matplotlib import colormaps

    at, medians = shown(record)
    decades.set_limits(ax, *decades.limits(list(medians)))
    captions.steps(ax, 0, record.config["seq_len"], network.unit(record))
    colours = colormaps[style.SEQUENTIAL](np.linspace(0, LIGHTEST, len(at)))
    for k, (curve, colour) in enumerate(zip(medians, colours, strict=True)):
        last = k in (0, len(at) - 1)
        values = np.where(np.isfinite(curve), curve, np.nan)
        ax.plot(record["t"], values, color=colour, linewidth=1.9 if last else 1.1, zorder=3 + last)
    marks.steps(ax, record)
    _bar(ax, at)
    captions.title(ax, title(record), notes=_notes(record))
    ax.set_ylabel("gradient norm ‖∂L/∂hₜ‖")


def shown(record: Record) -> tuple[NDArray[np.int64], Array]:
    """The updates whose snapshots are drawn (n,), and their medians over the seeds (n, N)."""
    updates, values = record["snapshot_update"], record[ARRAY]
    stopped = record["train_stopped"]
    if (stopped > 0).all():  # after that nothing changes
        until = int(np.searchsorted(updates, stopped.max())) + 1
        updates, values = updates[:until], values[:, :until]
    some = np.unique(np.linspace(0, len(updates) - 1, min(len(updates), MOST)).round().astype(int))
    medians = np.stack([over_members(record["t"], values[:, k]).median for k in some])
    return updates[some], medians


def title(record: Record) -> str:
    """What is left of the gradient at the far end, before and after."""
    at, medians = shown(record)
    enters = int(np.argmin(np.abs(record["t"] - travelled(record))))
    with np.errstate(invalid="ignore"):
        left = medians[:, 0] - medians[:, enters]
    first, last = (decades.about(float(left[k])) for k in (0, -1))
    steps = travelled(record)
    unit = network.unit(record, steps)
    if network.sums(record):
        return f"The gradient through the steps, from update 0 to {plain(float(at[-1]))}"
    return f"{steps} {unit} back {first} of the gradient is left at first, {last} at the end"


def _notes(record: Record) -> list[str]:
    seeds = len(record["seeds"])
    notes = [f"median of {seeds} seeds, on the same batch"] if seeds > 1 else ["on the same batch"]
    if network.sums(record):
        notes.append("the gradient enters at several steps: norms are of sums")
    return notes + marks.notes(record)


def _bar(ax: Axes, at: NDArray[np.int64]) -> None:
    """Which colour is which update."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    bar = ax.inset_axes((1.03, 0, 0.035, 1))
    figure = ax.get_figure(root=True)
    assert figure is not None
    colours = ListedColormap(colormaps[style.SEQUENTIAL](np.linspace(0, LIGHTEST, 256)))
    scale = Normalize(float(at[0]), float(max(at[-1], 1)))
    figure.colorbar(ScalarMappable(scale, colours), cax=bar)
    bar.set_ylabel("update")
    bar.grid(False)
