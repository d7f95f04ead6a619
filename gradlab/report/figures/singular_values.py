"""Why does the gradient shrink or grow? The singular values of every step's Jacobian.

One step multiplies the gradient by J_t transposed: by no more than its largest singular value and
no less than its smallest. Against t, on a logarithmic axis: the largest (circles), the median over
the seeds with its spread, and thin lines for the next ones; of more than ten that were kept bands
instead, between the quantiles of all of them. What lies above 1 stretches the gradient, what lies
below shrinks it. The dotted line is the factor per step that the gradient really underwent; the
dashed line the largest singular value of W_hh, from which the rule of thumb concludes. The smallest
(squares) has a strip of its own where it lies far below. The panels at the right show how often
which value occurs, over all steps and seeds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades, marks
from gradlab.report.figures.ensemble import Array, Curve, draw_curve, members, over_members
from gradlab.report.words import largest_of, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LN10 = math.log(10)
NOISE = 1e-15  # times the largest value: below, a computed singular value is rounding
BINS = 48
NARROWEST = 0.6  # decades
APART = 1.0  # decades below all others, from which the smallest gets its own strip
GAP, STRIP = 0.06, 0.38  # the strip's distance and height, in heights of the main panel
SIZE = (6.4, 4.6)  # inches
MOST = 10  # values beside the largest that have a line each
BANDS = {"5 to 95 %": (0.05, 0.95, 0.1), "25 to 75 %": (0.25, 0.75, 0.2)}  # opacities


def applies(record: Record) -> bool:
    """Whether singular values were recorded, and one is neither lost nor zero."""
    return "step_singular_values" in record.arrays and bool(
        np.isfinite(log10_values(record)[0]).any()
    )


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    kept, least = log10_values(record)
    t = record["t"][record["t"] > 0]
    largest, smallest = over_members(t, kept[..., 0]), over_members(t, least)
    between = kept.shape[2] - int(np.array_equal(kept[..., -1], least, equal_nan=True))
    others = [over_members(t, kept[..., k]) for k in range(1, between)]
    shown = [largest.measured, *(curve.finite_median() for curve in others), _references(record)]
    low, high = decades.limits(shown, NARROWEST)
    low_least = smallest.measured.min(initial=np.inf)  # not finite: all are zero, or unknown
    apart = bool(np.isfinite(low_least) and low_least < low - APART)
    if not apart:
        low, high = decades.limits([*shown, smallest.measured], NARROWEST)
    decades.set_limits(ax, low, high)
    captions.steps(ax, 1, record.config["seq_len"], network.unit(record))
    marks.junction(ax, record)
    strip = _strip(ax, smallest) if apart else ax
    what = "seed" if kept.shape[0] == len(record["seeds"]) else "sequence"
    over = members(largest.members, what)
    spread = f", {largest.spread}" if largest.members > 1 else ""
    draw_curve(ax, largest, style.LARGEST, f"largest: {over}{spread}")
    if len(others) > MOST:
        _bands(ax, t, kept)
    else:
        _draw_others(ax, others)
    if np.isfinite(low_least):
        draw_curve(strip, smallest, style.SMALLEST, "smallest", "s")
    _lines(ax, record)
    panel = _panel(ax)
    lowest = _panel(strip) if apart else panel
    _histogram(panel, kept[..., 1:], style.LARGEST, 0.3)
    _histogram(panel, kept[..., 0], style.LARGEST, 0.8)
    _histogram(lowest, least, style.SMALLEST, 0.8)
    lowest.set_xlabel(f"over all\n{network.unit(record, 2)}", fontsize=style.SMALL)
    captions.title(ax, _title(record, kept[..., 0]), notes=network.front(record) + _notes(least))
    ax.set_ylabel("singular values of Jₜ = ∂sₜ/∂sₜ₋₁")
    captions.legend(ax, [strip] if apart else [])


def log10_values(record: Record) -> tuple[Array, Array]:
    """log10 of the kept values (members, N, K) and of the smallest (members, N), from t = 1 on.

    Members are the sequences of all seeds. What is zero up to rounding is -inf; the smallest NaN
    where the largest alone was computed.
    """
    steps = record["t"] > 0
    values = record["step_singular_values"][:, steps]  # (R, N, S, K)
    lowest = record.arrays.get("step_sigma_min")
    least = np.full(values.shape[:3], np.nan) if lowest is None else lowest[:, steps]
    kept = values.swapaxes(1, 2).reshape(-1, values.shape[1], values.shape[3])
    least = least.swapaxes(1, 2).reshape(-1, least.shape[1])
    noise = NOISE * kept[..., :1]
    with np.errstate(divide="ignore"):
        return (
            np.log10(np.where(kept < noise, 0.0, kept)),
            np.log10(np.where(least < noise[..., 0], 0.0, least)),
        )


def _references(record: Record) -> Array:
    """log10 of what the singular values are held against: 1, and what `_lines` draws."""
    sigma, rate = record.summary["sigma_max"], record.summary["growth_rate"]
    values = [0.0]
    if sigma:
        values.append(math.log10(sigma))
    if rate is not None:
        values.append(rate["mean"] * network.stride(record) / LN10)
    return np.array(values)


def _lines(ax: Axes, record: Record) -> None:
    """1, sigma_max of W_hh, and the factor by which the gradient really changed a step."""
    sigma, rate = record.summary["sigma_max"], record.summary["growth_rate"]
    ax.axhline(0, color=style.SOFT, linewidth=1.0, marker="", zorder=1.5)
    if rate is not None:
        colour = style.VERDICT_COLOURS[record.summary["verdict"]]
        mean = rate["mean"] * network.stride(record)
        label = f"the gradient: factor {plain(math.exp(mean))} per {network.step(record)}"
        ax.axhline(mean / LN10, label=label, color=colour, zorder=4, **style.FIT)
    if sigma:
        several = largest_of(record)
        which = f", of {several}" if several else ""
        label = f"largest of W_hh{which}: {plain(sigma)}"
        ax.axhline(math.log10(sigma), label=label, **style.THEORY)


def _draw_others(ax: Axes, others: list[Curve]) -> None:
    """Medians of the second, third ... value, one thin line each."""
    label = f"the next {len(others)}" if len(others) > 1 else "the second"
    for curve in others:
        median = np.where(np.isfinite(curve.median), curve.median, np.nan)
        ax.plot(
            curve.t, median, color=style.LARGEST, alpha=0.4, linewidth=0.7, label=label, zorder=2
        )
        label = "_"


def quantiles(kept: Array) -> dict[str, tuple[Array, Array]]:
    """Lower and upper edge (N,) of each band of log10 values (members, N, K): at each step over all
    values of all members. -inf counts, where it is exactly zero.
    """
    alive = kept[~np.isnan(kept).all(axis=(1, 2))]
    pooled = alive.transpose(1, 0, 2).reshape(alive.shape[1], -1)
    ends = [end for low, high, _ in BANDS.values() for end in (low, high)]
    found = np.quantile(pooled, ends, axis=1, method="inverted_cdf")
    return dict(zip(BANDS, zip(found[::2], found[1::2], strict=True), strict=True))


def _bands(ax: Axes, t: NDArray[np.int64], kept: Array) -> None:
    """The quantile bands; down to the lower edge of the axes where a quantile is zero."""
    floor = ax.get_ylim()[0]
    for name, (low, high) in quantiles(kept).items():
        ax.fill_between(
            t,
            np.where(np.isfinite(low), low, floor),
            np.where(np.isfinite(high), high, floor),
            color=style.LARGEST,
            alpha=BANDS[name][2],
            linewidth=0,
            label=f"{name} of the {kept.shape[2]} kept",
            zorder=1.8,
        )


def _strip(ax: Axes, smallest: Curve) -> Axes:
    """Axes below ax for a curve that lies far below; the steps are labelled there."""
    strip = ax.inset_axes((0, -GAP - STRIP, 1, STRIP), sharex=ax)
    decades.set_limits(strip, *decades.limits([smallest.measured]), most=4)
    strip.set_xlabel(ax.get_xlabel())
    ax.set_xlabel("")
    ax.tick_params(axis="x", labelbottom=False)
    return strip


def _panel(ax: Axes) -> Axes:
    """Axes to the right of ax, for how often its values occur."""
    panel = ax.inset_axes((1.02, 0, 0.14, 1), sharey=ax)
    panel.set_xlim(0, 1.05)
    panel.set_xticks([])
    panel.tick_params(left=False, labelleft=False)
    return panel


def _histogram(panel: Axes, log10: Array, colour: str, alpha: float) -> None:
    """All steps and members, relative to the most frequent value."""
    edges = np.linspace(*panel.get_ylim(), BINS + 1)
    counts, _ = np.histogram(log10[np.isfinite(log10)], edges)
    share = counts / max(int(counts.max()), 1)
    panel.stairs(share, edges, orientation="horizontal", fill=True, color=colour, alpha=alpha)


def _title(record: Record, largest: Array) -> str:
    median = plain(float(10 ** np.median(largest[np.isfinite(largest)])))
    sigma = record.summary["sigma_max"]
    of_weights = f" (W_hh: {plain(sigma)})" if sigma else ""
    return f"Largest singular value of a {network.step(record)}: {median}{of_weights}"


def _notes(smallest: Array) -> list[str]:
    values = smallest[~np.isnan(smallest)]
    share = float(np.isneginf(values).mean()) if len(values) else 0.0
    if not share:
        return []
    often = "always" if share == 1 else f"in {share:.0%} of all cases"
    return [f"the smallest is zero up to rounding {often}, and not drawn there"]
