"""What do the products of Jacobians do to a gradient on its way from the end?

Singular values of P_t = J_T ... J_{t+1}, of the whole state, against t, on a logarithmic axis: the
factors by which dL/ds_T can be stretched or shrunk on its way to step t. Lines are medians over the
seeds, for the first sequence of the batch: the largest value with markers and its spread, the
others thinner, the smallest that was kept in a colour of its own. The dashed line falls by the
largest Lyapunov exponent (a QR average over the whole run), where it was asked for: over short
distances the two differ. Otherwise it falls by what mean field predicts for that exponent. An
exact zero has no logarithm: there a line has a gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades
from gradlab.report.figures.ensemble import Array, draw_curve, members, over_members
from gradlab.report.theory_curve import expected
from gradlab.report.words import plain, power, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "log10_product_singular_values"


def applies(record: Record) -> bool:
    """Whether products were computed, and any value is neither lost nor zero."""
    return ARRAY in record.arrays and bool(np.isfinite(record[ARRAY]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    values, there = _values(record)
    t = record["t"][there]
    curves = [over_members(t, values[:, there, k]) for k in range(values.shape[2])]
    first, last = curves[0], curves[-1]
    decades.set_limits(ax, *decades.limits([first.measured, last.finite_median()]))
    captions.steps(ax, 0, record.config["seq_len"], network.unit(record))
    for curve in curves[1:-1]:
        median = np.where(np.isfinite(curve.median), curve.median, np.nan)
        ax.plot(t, median, color=style.INDIGO, alpha=0.45, linewidth=0.8, marker="", zorder=2)
    spread = f", {first.spread}" if first.members > 1 else ""
    draw_curve(ax, first, style.LARGEST, f"largest: {members(first.members)}{spread}")
    if len(curves) > 1:
        label = f"value {len(curves)} of {_width(record)}, thin: those between"
        draw_curve(ax, last, style.SMALLEST, label, "s", main=False)
    _exponent(ax, record, first.median[np.isfinite(first.median)])
    captions.title(ax, title(record), notes=_notes(record))
    ax.set_ylabel("singular values of J_T … Jₜ₊₁")
    captions.legend(ax)


def title(record: Record) -> str:
    """What is left in the best direction."""
    values, there = _values(record)
    row = int(np.flatnonzero(there)[0])
    t, unit = int(record["t"][row]), network.unit(record, 2)
    lag = int(record.config["seq_len"]) - t
    median = float(np.median(values[:, row, 0][~np.isnan(values[:, row, 0])]))
    if not math.isfinite(median):
        return f"After {lag} {unit} no direction carries anything"
    return f"After {lag} {unit} the best direction carries {power(median)}"


def _values(record: Record) -> tuple[Array, Array]:
    """log10 values of the first sequence (R, N, K), and which steps have any."""
    values = record[ARRAY][:, :, 0]
    return values, ~np.isnan(values).all(axis=(0, 2))


def _width(record: Record) -> int:
    parts = [part for part in record.names["parts"] if not part.endswith("_total")]
    layers = 1 if network.chained(record) else network.layers(record)
    return len(parts) * int(record.config["hidden_size"]) * layers


def _exponent(ax: Axes, record: Record, medians: Array) -> None:
    """The slope of the largest Lyapunov exponent, from no change at t = T; not asked for, what
    mean field predicts for it.
    """
    largest = record.summary.get("lyapunov_max")
    if not len(medians):
        return
    if largest is None:
        _predicted(ax, record)
        return
    ends = np.array([0, record.config["seq_len"]])
    label = f"largest Lyapunov exponent: {signed(largest)} nats per {network.unit(record)}"
    ax.plot(ends, (ends[1] - ends) * largest / math.log(10), label=label, **style.THEORY)


def _predicted(ax: Axes, record: Record) -> None:
    """Of vanilla cells alone: in gated ones the largest value is that of h and c together."""
    if "mean_field" not in record.summary["theory"]:
        return
    found, ends = expected(record), np.array([0, record.config["seq_len"]])
    if found is not None:
        label = found.label(network.unit(record))
        ax.plot(ends, found.log10(ends[1] - ends), label=label, **style.THEORY)


def _notes(record: Record) -> list[str]:
    unresolved = int(record["product_unresolved"].max())
    zeros = bool(np.isneginf(_values(record)[0]).any())
    notes = network.front(record) + ["exact zeros are left out"] * zeros
    if unresolved:
        notes.append(f"up to {plain(unresolved)} values are below what can be resolved")
    return notes
