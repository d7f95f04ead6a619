"""Which directions grow over a long time, and which shrink? All Lyapunov exponents, one by one.

Exponent i, in nats per step, against i; above zero a direction grows. Circles are averages over
repeated QR, the median over the seeds and their spread. Squares are exponents at finite time,
ln sigma_i of the product of all recorded Jacobians over its length: another quantity, of another
name. The two differ by terms of order 1 / T, and come together as T grows. Dashed are theory's
lines: the largest exponent at the left, the level of the mean of all; for a linear net with fresh
Gaussian weights at every step the exact value of each. An exponent of minus infinity, a direction
that some step maps to zero, is counted and not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.analysis.exponents import finite_time_exponents
from gradlab.analysis.random_matrix import untied_exponents
from gradlab.record import Record
from gradlab.report import network, style, told_theory
from gradlab.report.figures import captions
from gradlab.report.figures.ensemble import Array, Curve, draw_curve, members, over_members
from gradlab.report.words import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "lyapunov_exponents"
PRODUCTS = "log10_product_singular_values"
GAUSSIAN = ("normal", "randn", "xavier_normal")  # inits that Newman's exponents are exact for
REACH = 0.12  # of the axis: the mark of the largest exponent
DOTS = (0, (1.2, 1.8))  # the second of theory's lines
MARGIN, NARROWEST = 0.06, 0.02  # of the span; nats per step


def applies(record: Record) -> bool:
    """Whether exponents were computed, and any is neither lost nor minus infinity."""
    return ARRAY in record.arrays and bool(np.isfinite(record[ARRAY]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    values = _members(record[ARRAY])
    D = values.shape[1]
    curve, short = over_members(np.arange(1, D + 1), values), finite_time(record)
    lines = theory(record, values)
    shown = [curve.measured, *([] if short is None else [short.finite_median()])]
    _limits(ax, np.concatenate([*shown, *(y for _, y, _ in lines), np.zeros(1)]))
    captions.whole_numbers(ax, 1, D, f"i, of {D} exponents")
    ax.axhline(0, color=style.SOFT, linewidth=1.0, marker="", zorder=1.5)
    what = "seed" if len(values) == len(record["seeds"]) else "sequence"
    spread = f", {curve.spread}" if curve.members > 1 else ""
    label = f"Lyapunov exponents (QR): {members(curve.members, what)}{spread}"
    draw_curve(ax, curve, style.LARGEST, label)
    if short is not None:
        _squares(ax, short, record)
    for (x, y, label), dashes in zip(lines, (style.THEORY["linestyle"], DOTS), strict=False):
        ax.plot(x, y, label=label, zorder=3.5, **{**style.THEORY, "linestyle": dashes})
    captions.title(ax, title(record), notes=_notes(values, bool(lines)))
    ax.set_ylabel(f"exponent λᵢ (nats per {network.unit(record)})")
    captions.legend(ax)


def title(record: Record) -> str:
    """The largest exponent, the mean over the seeds as in the summary, and how many are above 0 in
    the median.
    """
    median = np.median(_known(_members(record[ARRAY])), axis=0)
    largest = record.summary["lyapunov_max"]
    if largest is None or not np.isfinite(median.max()):
        return "Every direction ends at exactly zero"
    grow = f"{int(np.count_nonzero(median > 0)) or 'none'} of {len(median)} grow"
    return f"Largest exponent {signed(largest)} nats per {network.unit(record)}, {grow}"


def _squares(ax: Axes, curve: Curve, record: Record) -> None:
    """Exponents at finite time, half way between the marked ones of the long run."""
    T = _length(record)
    every = max(1, -(-record[ARRAY].shape[-1] // style.MARKS))
    ax.plot(
        curve.t,
        np.where(np.isfinite(curve.median), curve.median, np.nan),
        "s",
        markevery=(0, every),
        markersize=5.0,
        markerfacecolor="none",
        markeredgecolor=style.ROSE,
        markeredgewidth=1.2,
        label=f"finite-time exponents, of {T} {network.unit(record, T)}: median",
        zorder=3.2,
    )


def finite_time(record: Record) -> Curve | None:
    """Those of the longest product, of as many singular values as were kept; None without."""
    if PRODUCTS not in record.arrays:
        return None
    values = record[PRODUCTS] * np.log(10.0)  # (R, N, S, K)
    longest = np.flatnonzero(~np.isnan(values).all(axis=(0, 2, 3)))[:1]
    if not len(longest):
        return None
    found = finite_time_exponents(values[:, longest].swapaxes(0, 1), record.lag[longest])[0]
    curve = over_members(np.arange(1, found.shape[-1] + 1), _members(found))
    return curve if len(curve.finite_median()) else None


def _members(values: Array) -> Array:
    """(R, sequences, D) -> (R sequences, D)."""
    return values.reshape(-1, values.shape[-1])


def _length(record: Record) -> int:
    """How many steps the longest product is of."""
    there = ~np.isnan(record[PRODUCTS]).all(axis=(0, 2, 3))
    return int(record.lag[there].max())


def _limits(ax: Axes, values: Array) -> None:
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * max(high - low, NARROWEST)
    ax.set_ylim(low - margin, high + margin)


def theory(record: Record, values: Array) -> list[tuple[Array, Array, str]]:
    """x, y and label of each line."""
    D = values.shape[1]
    exact = _fresh(record)
    if exact is not None:
        return [(np.arange(1, D + 1), exact, "theory: exact for fresh Gaussian weights")]
    lines = []
    rate = told_theory.growth_rate(record.summary)
    if rate is not None:
        reach = np.array([1.0, 1.0 + max(REACH * (D - 1), captions.MARGIN)])
        lines.append((reach, np.full(2, rate.value), f"{rate.name}: largest {signed(rate.value)}"))
    mean = (told_theory.entry(record.summary, "mean_field") or {}).get("mean_exponent")
    if mean is not None:
        ends = np.array([1 - captions.MARGIN * D, D + captions.MARGIN * D])
        label = f"mean field: mean of all {signed(mean)}{_mean(values, ' (measured {})')}"
        lines.append((ends, np.full(2, float(mean)), label))
    return lines


def _fresh(record: Record) -> Array | None:
    """Newman's exponents, where the net is a product of fresh Gaussian matrices; else None."""
    config, init = record.config, record.config["init"]
    gain = told_theory.independent(record)
    plain = not config.get("residual") and network.layers(record) == 1
    drawn = init["recurrent"] in GAUSSIAN and not network.from_file(record)
    if gain is None or network.tied(record) or not (plain and drawn and gain["g"] > 0):
        return None
    if config["cell"]["type"] != "linear":
        return None
    return untied_exponents(float(gain["g"]), int(config["hidden_size"]))


def _known(values: Array) -> Array:
    """Without the members that were lost."""
    return values[~np.isnan(values).any(axis=1)]


def _mean(values: Array, words: str) -> str:
    """The mean of all exponents, median over the members, put into words; '' where one is -inf."""
    known = _known(values)
    return words.format(signed(float(np.median(known.mean(axis=1))))) * bool(
        np.isfinite(known).all()
    )


def _notes(values: Array, theory: bool) -> list[str]:
    zeros = np.isneginf(_known(values))
    if zeros.any():
        lost = f"{np.median(zeros.sum(axis=1)):.0f} of {values.shape[1]}"
        return [f"{lost} are minus infinity, a step loses rank: not drawn"]
    return [] if theory else [_mean(values, "mean of all: {}")]
