"""How far back does the network learn from? The gradient of the weights, split by lag.

dL/dW is a sum over all loss terms and all steps before them; A_lag is the part from lag steps
before the loss term. Against the lag, on a logarithmic axis: the norm of A_lag relative to that of
the whole gradient (circles), and what is still missing when all parts up to this lag are added
(squares), each the median over the seeds with their spread. The shaded lags are the memory
horizon: with them the sum is within 5 % of the whole, in norm. A lag is how far before the loss,
whatever the step t: when in the sequence the terms are, weight_gradient shows. (Norms of parts do
not add up to the norm of the whole: a part can be larger than it.) A vertical line shows where
truncation cuts; the title then says what it loses; the whole is the gradient without truncation.
What is more than 16 decades below the highest value is not shown, nor are lags from which on
nothing else is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import lags, network, style
from gradlab.report.figures import captions, decades, marks
from gradlab.report.figures.ensemble import draw_curve, members, over_members
from gradlab.report.words import plain, share, travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = 0.05  # of the norm, at the memory horizon
DEEPEST = 16.0  # decades below the highest value that are shown: below is rounding, or nothing


def applies(record: Record) -> bool:
    """Whether the gradient was split by lag."""
    return lags.applies(record)


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    lag = record["lag_split_lag"]
    parts, missing = lags.relative(record), lags.remainder(record)
    part, rest = over_members(lag, parts), over_members(lag, missing)
    shown = np.concatenate((part.measured, rest.measured, [math.log10(MISSING)]))
    lowest = shown.max() - DEEPEST
    decades.set_limits(ax, *decades.limits([np.maximum(shown, lowest)]))
    horizon, cut = lags.horizon(record), network.truncation(record)
    seen = lag[(part.high > lowest) | (rest.high > lowest)].max(initial=1)
    end = min(max(int(seen), horizon or 0, cut.steps if cut else 0), int(lag[-1]))
    label = "lag: steps before the loss term   (the past is at the right →)"
    captions.whole_numbers(ax, 0, end, label)
    near = lag <= end
    part, rest = over_members(lag[near], parts[:, near]), over_members(lag[near], missing[:, near])
    spread = f", {part.spread}" if part.members > 1 else ""
    draw_curve(ax, part, style.WHOLE, f"lag's part: {members(part.members)}{spread}")
    if len(rest.finite_median()):
        draw_curve(ax, rest, style.REST, "still missing after it, of the whole", "s")
    ax.axhline(math.log10(MISSING), label="5 % of the whole", **style.THRESHOLD)
    if horizon is not None:
        label = f"memory horizon: {horizon} {network.unit(record, horizon)}"
        ends = (-0.5, horizon - 0.5)
        ax.axvspan(*ends, color=style.HIGHLIGHT, zorder=0, linewidth=0, label=label)
    if cut is not None and cut.steps <= lag[-1]:
        ax.axvline(cut.steps - 0.5, zorder=1.8, label=marks.cut_label(cut), **marks.BORDER)
    captions.title(ax, title(record), notes=_notes(record))
    ax.set_ylabel(f"norm, relative to ‖∂L/∂{network.weights(record)}‖")
    captions.legend(ax)


def title(record: Record) -> str:
    """How many steps make nearly all of the gradient, or what truncation loses of it."""
    of, lost = f"∂L/∂{network.weights(record)}", record.summary.get("truncation")
    cut = network.truncation(record)
    if cut is not None and lost and lost["lost"] is not None:
        return f"Truncation after {cut.steps} steps loses {share(lost['lost'])} of {of}"
    told = lags.told(record, of, travelled(record))
    if told is None:
        return f"No memory horizon: {of} is zero or lost"
    return f"By lag: {told}"


def _notes(record: Record) -> list[str]:
    notes = []
    lost = record.summary.get("truncation")
    if network.truncation(record) is not None and lost and lost["cosine"] is not None:
        notes.append(f"in norm; cosine with the whole gradient: {plain(lost['cosine'])}")
    elif lags.horizon(record) is not None:
        notes.append("the sum of these parts is within 5 % of the whole, in norm")
    if network.tied(record):
        notes.append("the lag is how far before the loss; weight_gradient shows when, by step t")
    return notes
