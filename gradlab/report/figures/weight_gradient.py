"""From which steps does the gradient of the recurrent weights come?

dL/dW_hh is a sum with one term for every step. Against t, on a logarithmic axis: the norm of the
term of step t, the median over the seeds with their spread. The shaded steps hold 95 % of the sum
of these norms, counted from whichever end needs fewer steps: a network whose gradient vanishes
learns from the last few steps only. t is when in the sequence a step is, not how far before the
loss: that is in lag_split, and where the gradient enters at every step, a network learns from all
times and yet from few steps back. (Norms of parts do not add up to the norm of the whole: what is
counted is the sum of norms, not the norm of the sum.) For a cell without a recurrent matrix it is
W_ih. Of a net with its own weights at every step, t is the layer, and the norms are those of the
layers' own gradients: the title says which layers learn more than the others; whether any learns at
all, the axis says: where the states vanish on their way, so do all these gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gradlab.record import Record
from gradlab.report import lags, network, style
from gradlab.report.figures import captions, decades, marks
from gradlab.report.figures.ensemble import Array, draw_curve, members, over_members
from gradlab.report.words import travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARE = 0.95
ALL = 0.8  # a stretch of more of the steps than this is no stretch


class Stretch(NamedTuple):
    """The steps first .. last, at one end of those that the gradient reaches."""

    first: int
    last: int
    late: bool  # counted from the end where the gradient enters

    @property
    def steps(self) -> int:
        """How many."""
        return self.last - self.first + 1


def applies(record: Record) -> bool:
    """Whether any step contributes, and this is known: from h = 0 throughout nothing comes."""
    return bool(np.isfinite(record.arrays.get("log10_weight_grad_norm", np.nan)).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    steps = record["t"] > 0
    t = record["t"][steps]
    curve = over_members(t, record["log10_weight_grad_norm"][:, steps])
    decades.set_limits(ax, *decades.limits([curve.measured]))
    captions.steps(ax, 1, record.config["seq_len"], network.unit(record))
    spread = f", {curve.spread}" if curve.members > 1 else ""
    draw_curve(ax, curve, style.INDIGO, f"{members(curve.members)}{spread}")
    stretch = holding(record)
    if stretch.steps <= ALL * travelled(record):
        label = f"{100 * SHARE:.0f} % of the sum of the norms"
        ends = (stretch.first - 0.5, stretch.last + 0.5)
        ax.axvspan(*ends, color=style.HIGHLIGHT, zorder=0, linewidth=0, label=label)
    marks.steps(ax, record)
    captions.title(ax, title(record), notes=_notes(record))
    of = "step t's term in" if network.tied(record) else "layer t's"
    ax.set_ylabel(f"norm of {of} ∂L/∂{network.weights(record)}")
    captions.legend(ax)


def title(record: Record) -> str:
    """How many steps the weights learn from, or how many layers learn."""
    stretch, reached = holding(record), travelled(record)
    end = "last" if stretch.late else "first"
    count = f" {stretch.steps}" if stretch.steps > 1 else ""
    some = stretch.steps <= ALL * reached
    if not network.tied(record):
        few = f"Only the {end}{count} of {reached} layers learn"
        return few if some else "The gradients of all layers are of a like size"
    most = "at most " if np.diff(record["t"]).max(initial=0) > 1 else ""
    which = f"{most}the {end}{count or ' one'} of {reached} steps" if some else "all steps"
    if network.bidirectional(record):
        return f"By time: the forward direction learns from {which}"
    return f"By time: the weights learn from {which}"


def holding(record: Record) -> Stretch:
    """The shortest stretch at either end with 95 % of the sum of the norms, median over seeds.

    Where not every step is recorded it may be shorter: it reaches to the next that is.
    """
    reached = (record["t"] > 0) & (record["t"] <= travelled(record))
    t, logs = record["t"][reached], record["log10_weight_grad_norm"][:, reached]
    logs = logs[np.isfinite(logs).any(axis=1)]
    norms = 10.0 ** (logs - logs.max(axis=1, keepdims=True))
    late, early = _needed(norms[:, ::-1]), _needed(norms)
    last = travelled(record)
    start = int(t[-late - 1]) + 1 if late < len(t) else 1
    end = int(t[early]) - 1 if early < len(t) else last
    if last - start <= end - 1:
        return Stretch(start, last, late=True)
    return Stretch(1, end, late=False)


def _needed(norms: Array) -> int:
    """How many columns from the left hold that share, median over rows, rounded up."""
    sums = norms.cumsum(axis=1)
    counts = (sums < SHARE * sums[:, -1:]).sum(axis=1) + 1
    return int(np.ceil(np.median(counts)))


def _notes(record: Record) -> list[str]:
    lost = int(np.count_nonzero(record["overflow_step"] > 0))
    seeds = len(record["seeds"])
    left_out = [f"{lost} of {seeds} seeds left out: their states overflowed"] if lost else []
    other = ["t is when in the sequence; lag_split shows how far before the loss"]
    beside = other if network.tied(record) and lags.applies(record) else []
    return network.front(record) + beside + left_out + marks.notes(record)
