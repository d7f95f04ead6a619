"""How large is the gradient at every step, and does it vanish or explode on its way back?

The norm of dL/dh_t against t, on a logarithmic axis: the gradient enters at the right and travels
to the left. Markers are the median over the seeds, the band is their spread. A straight line is a
constant factor per step: falling towards the left, the gradient vanishes; rising, it explodes. The
dotted line is the fitted growth rate. The dashed line is what theory predicts (docs/theory.md),
from ||dL/dh_T|| on backwards: a constant rate, or for gated cells a curve that becomes one. The
thin grey line is the textbook's bound (gamma sigma_max)^(T-t) ||dL/dh_T||, which holds for every
seed; it leaves the picture where it is far above the curve, and the legend says where it ends. For
a cell with a cell state there are also the norms for c_t: with its path through h_t, and (thin)
with h_t held fixed. With a clip of dL/dh at every step the norms are those before clipping, and a
line shows the threshold. A gradient that is exactly zero has no logarithm: there the curve has a
gap, and a note says so. Beside trained weights a thin line with
a light band is the same network with weights drawn anew, of the same scale; where it falls far
below, or rises far above, it leaves the picture and the legend says where it ends. Thin vertical
lines show where encoder and decoder meet, and where
truncation cuts the gradient. Of a net with its own weights at every step, t is the layer; with
stacked layers the norm is over all of them; with two directions it is the forward one's, and of
several layers then the last one's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gradlab.record import Record
from gradlab.report import network, style, trained
from gradlab.report.figures import captions, decades, fresh, marks, prediction
from gradlab.report.figures.ensemble import Array, Curve, draw_curve, members, over_members
from gradlab.report.words import plain, power, rate_text, travelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LN10 = math.log(10)
ROOM = 0.25  # of the span of the data, above them: for the bound to be seen leaving
NAMES = {"h": "hₜ", "c_total": "cₜ with its path through hₜ", "c": "cₜ, hₜ held fixed"}
NAMES["h_total"] = "hₜ with its paths up the layers"


def applies(record: Record) -> bool:
    """Whether there is any gradient that is neither lost nor zero."""
    return bool(np.isfinite(record["log10_grad_norm_h"]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    curves = {
        part: over_members(record["t"], record[f"log10_grad_norm_{part}"])
        for part in _parts(record)
    }
    bound, theory = textbook_bound(record), prediction.curve(record)
    low, high = fresh.room(trained.curve(record), *_limits(record, curves, bound, theory))
    decades.set_limits(ax, low, high)
    unit = network.unit(record)
    captions.steps(ax, 0, record.config["seq_len"], unit)
    for part, curve in curves.items():
        colour = style.PART_COLOURS.get(part, style.INK)
        marker = style.PART_MARKERS.get(part, "D")
        stacked = network.layers(record) > 1 and not network.chained(record)
        label = _label(part, curve, curves, stacked)
        draw_curve(ax, curve, colour, label, marker, main=part != "c")
    fresh.draw(ax, trained.curve(record), low)
    _fit(ax, record)
    if bound is not None:
        t, values = bound
        factor = plain(record.summary["theory"]["textbook"]["bound_per_step"])
        end = f"{power(float(values[0]))} at t = {t[0]:.0f}"
        ax.plot(
            t, values, label=f"textbook bound: factor {factor} per {unit}, {end}", **style.BOUND
        )
    if theory is not None:
        ax.plot(theory.t, theory.log10, label=theory.label, zorder=4.5, **style.THEORY)
    _threshold(ax, record)
    marks.steps(ax, record)
    captions.title(ax, title(record), style.verdict_colour(record), _notes(record))
    ax.set_ylabel("gradient norm" + (" ‖∂L/∂hₜ‖" if len(curves) == 1 else ""))
    captions.legend(ax)


def title(record: Record) -> str:
    """The verdict, and how fast; of which direction, where there are two."""
    text = _verdict(record)
    return f"forward direction, {text}" if network.bidirectional(record) else text


def _verdict(record: Record) -> str:
    summary, units = record.summary, network.unit(record, 2)
    verdict, rate = summary["verdict"], summary["growth_rate"]
    if rate is not None and network.sums(record):
        terms, unit = len(network.loss_steps(record)), network.unit(record)
        return f"a sum of {terms} loss terms: {rate_text(rate['mean'])} nats per {unit}"
    if rate is None:
        zero = _zeros(record)
        if not zero.seeds:
            return f"{verdict}: no growth rate"
        if zero.seeds < zero.of:
            return f"{verdict}: exactly zero in {zero.seeds} of {zero.of} seeds"
        cut = network.truncation(record)
        if cut is not None:
            return f"{verdict}: cut after {cut.steps} {network.unit(record, cut.steps)}"
        return f"{verdict}: exactly zero after {_steps(record, zero.last)}"
    if verdict == "vanishing":
        return f"vanishing: halves every {plain(summary['half_life'])} {units}"
    if verdict == "exploding":
        return f"exploding: doubles every {plain(summary['doubling_time'])} {units}"
    per = f"nats per {network.unit(record)}"
    if verdict == "preserved":
        return f"preserved: growth rate {rate_text(rate['mean'])} {per}"
    return f"undecided: growth rate {rate_text(rate['low'])} to {rate_text(rate['high'])} {per}"


def textbook_bound(record: Record) -> tuple[Array, Array] | None:
    """Steps and log10 of (gamma sigma_max)^(last - t) times the largest ||delta_last|| of a seed.

    None for cells without that bound, and where the gradient enters at several steps or is
    clipped on its way.
    """
    theory = record.summary["theory"].get("textbook")
    if theory is None or theory["bound_per_step"] <= 0:
        return None
    if network.sums(record) or (record["clip_scale"] < 1).any():
        return None
    last = travelled(record)
    start = record["log10_grad_norm_h"][:, record["t"] == last]
    if not np.isfinite(start).any():
        return None
    t = record["t"][record["t"] <= last].astype(float)
    top = float(start[np.isfinite(start)].max())
    return t, top + (last - t) * math.log10(theory["bound_per_step"])


def _parts(record: Record) -> list[str]:
    """The parts of the state, in the order of the palette; others after them."""
    known = [part for part in style.PART_COLOURS if part in record.names["parts"]]
    return known + [part for part in record.names["parts"] if part not in known]


def _limits(
    record: Record,
    curves: dict[str, Curve],
    bound: tuple[Array, Array] | None,
    theory: prediction.Line | None,
) -> tuple[float, float]:
    """All that was measured, and some room for theory and the bound to be seen leaving."""
    shown = [curve.measured for curve in curves.values()]
    clip = record.config["clip"]
    if clip and clip["by"] == "step_norm" and (record["clip_scale"] < 1).any():
        shown.append(np.array([math.log10(clip["threshold"])]))
    low, high = decades.limits(shown)
    if theory is not None:
        room = ROOM * (high - low)
        low = max(low - room, min(low, float(theory.log10.min())))
        high = min(high + room, max(high, float(theory.log10.max())))
    if bound is not None:
        high = min(high + ROOM * (high - low), max(high, decades.limits([*shown, bound[1]])[1]))
    return low, high


def _label(part: str, curve: Curve, curves: dict[str, Curve], stacked: bool) -> str:
    text = NAMES.get(part, part) if len(curves) > 1 else ""
    if part != "h":
        return text
    if stacked:
        text = f"{text} of all layers" if text else "all layers"
    over = members(curve.members)
    band = f", {curve.spread}" if curve.members > 1 else ""
    return f"{text}: {over}{band}" if text else f"{over}{band}"


def _fit(ax: Axes, record: Record) -> None:
    """The fitted growth rate, through the mean of all seeds and steps."""
    rate = record.summary["growth_rate"]
    if rate is None:
        return
    last = travelled(record)
    curves = record["log10_grad_norm_h"][np.isfinite(record["growth_rate"])]
    there = (record["t"] <= last) & np.isfinite(curves).all(axis=0)  # not what truncation cut off
    if not there.any():
        return
    lag = last - record["t"][there]
    centre = curves[:, there].mean()
    slope = rate["mean"] / LN10
    ends = np.array([lag[0], lag[-1]])
    label = f"fit: factor {plain(math.exp(rate['mean']))} per {network.unit(record)}"
    colour = style.verdict_colour(record)
    values = centre + slope * (ends - lag.mean())
    ax.plot(last - ends, values, label=label, color=colour, zorder=4, **style.FIT)


def _threshold(ax: Axes, record: Record) -> None:
    clip = record.config["clip"]
    if clip and clip["by"] == "step_norm":
        label = f"threshold of the step clip: {plain(clip['threshold'])}"
        ax.axhline(math.log10(clip["threshold"]), label=label, **style.THRESHOLD)


class _Zeros(NamedTuple):
    """In how many seeds of those alive the gradient becomes exactly zero, and after how many
    steps: in the first of these seeds and in the last.
    """

    seeds: int
    of: int
    first: int
    last: int


def _zeros(record: Record) -> _Zeros:
    reached = record["t"] <= travelled(record)
    zero = np.isneginf(record["log10_grad_norm_h"][:, reached])
    alive = int(np.count_nonzero(record["overflow_step"] == 0))
    lags = [int((travelled(record) - record["t"][reached][row]).min()) for row in zero if row.any()]
    return _Zeros(len(lags), alive, min(lags, default=0), max(lags, default=0))


def _steps(record: Record, count: int) -> str:
    return f"{count} {network.unit(record, count)}"


def _notes(record: Record) -> list[str]:
    notes = network.front(record)
    zero = _zeros(record)
    if zero.seeds and (zero.seeds < zero.of or zero.first < zero.last):
        first = f"the first after {_steps(record, zero.first)}"
        notes.append(f"{first}; the curve has a gap where the median is zero")
    lost = len(record["seeds"]) - zero.of
    if lost:
        notes.append(f"{lost} of {len(record['seeds'])} seeds left out: their states overflowed")
    if network.sums(record):
        notes.append("the gradient enters at several steps: the curve is a sum")
    elif travelled(record) < record.config["seq_len"]:
        notes.append(f"the gradient enters at t = {travelled(record)}")
    return notes + marks.notes(record)
