"""How far does the gradient reach in one result, and how far in another?

What is left of the gradient, ||dL/dh_{T-k}|| over ||dL/dh_T||, against k, the steps that it has
travelled back, on a logarithmic axis; T is the last step where the gradient enters. Markers are the
median over the seeds, the band is their spread. A straight line is a constant factor per step. The
lower of two curves forgets sooner. Where a gradient is exactly zero the curve has a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gradlab.report import style
from gradlab.report.beside import Compared
from gradlab.report.figures import captions, decades
from gradlab.report.figures.ensemble import Curve, draw_curve, members, over_members
from gradlab.report.sweep_figures.series import MARKERS
from gradlab.report.tables import LAGS, Table
from gradlab.report.words import power, travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALT = "What is left of the gradient against the steps back, one curve for each result"
NAMED = 3  # results whose numbers are in the title
LONGEST = 44  # characters of a name in the legend


def left(one: Compared) -> Curve:
    """log10 of what is left of the gradient against the steps back, ascending from 0."""
    record = one.record
    last, t = travelled(record), record["t"]
    back = np.flatnonzero(t <= last)[::-1]
    norms = record["log10_grad_norm_h"][:, back]
    with np.errstate(invalid="ignore"):  # -inf - -inf: nothing left of nothing
        relative = norms - norms[:, :1]
    return over_members(last - t[back], relative)


def applies(compared: Sequence[Compared]) -> bool:
    """Whether any result has a gradient."""
    return any(len(left(one).measured) for one in compared)


def draw(ax: Axes, compared: Sequence[Compared]) -> None:
    """Draw the figure of the module's docstring."""
    curves = [left(one) for one in compared]
    decades.set_limits(ax, *decades.limits([curve.measured for curve in curves]))
    label = "steps back   (the gradient travels from left to right →)"
    captions.whole_numbers(ax, 0, max(int(curve.t.max()) for curve in curves), label)
    lost = []
    for k, (one, curve) in enumerate(zip(compared, curves, strict=True)):
        if not len(curve.measured):
            lost.append(one.letter)
            continue
        name = one.label if len(one.label) <= LONGEST else f"... {one.label[4 - LONGEST :]}"
        spread = f", {curve.spread}" if curve.members > 1 else ""
        told = f"{one.letter}: {name}, {members(curve.members)}{spread}"
        draw_curve(ax, curve, style.CATEGORIES[k], told, MARKERS[k])
    notes = [f"no gradient: {', '.join(lost)}"] if lost else []
    captions.title(ax, title(compared), notes=notes)
    ax.set_ylabel("left of the gradient")
    captions.legend(ax)


def title(compared: Sequence[Compared]) -> str:
    """What is left at the far end, of the first results."""
    told = []
    for one in compared[:NAMED]:
        remaining = one.record.summary["log10_remaining"]
        if remaining is not None:
            told.append(f"{power(remaining)} ({one.letter})")
    return f"Left of the gradient: {', '.join(told)}" if told else "What is left of the gradient"


def rendered(compared: Sequence[Compared], form: str, dpi: int = style.DPI) -> bytes:
    """The figure's file. Raises GradlabError for an unknown format."""
    style.formats([form])
    with style.applied():
        figure = style.new_figure()
        ax = figure.add_subplot()
        draw(ax, compared)
        captions.make_room(figure, ax)
        return style.rendered(figure, form, dpi)


def table(compared: Sequence[Compared]) -> Table:
    """What is left at a few lags: the median over the seeds."""
    curves = [left(one) for one in compared]
    ends = [int(curve.t[-1]) for curve in curves]
    lags = sorted({lag for lag in (*LAGS[1:], *ends) if lag <= max(ends)})
    rows = [(f"{lag}", *(_at(curve, lag) for curve in curves)) for lag in lags]
    header = ("steps back", *(one.letter for one in compared))
    rows = [row for row in rows if any(cell != "-" for cell in row[1:])]
    return Table("Left of the gradient, median over seeds", header, tuple(rows))


def _at(curve: Curve, lag: int) -> str:
    """A dash where the lag is not recorded, or there is no gradient."""
    (there,) = np.nonzero(curve.t == lag)
    if not len(there) or np.isnan(curve.median[there[0]]):
        return "-"
    return power(float(curve.median[there[0]]))
