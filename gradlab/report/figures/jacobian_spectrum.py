"""By how much can one step stretch or shrink a gradient? All singular values of the Jacobians.

How often which singular value of J_t = ds_t/ds_{t-1} occurs, over all recorded steps and seeds, on
a logarithmic axis; the bars are the spread from seed to seed. What lies right of 1 stretches. The
dashed line is the law of J = D W at large width, where W has independent entries of variance
g^2 / H and D holds phi'(a) of Gaussian pre-activations: a Marchenko-Pastur law whose population is
g^2 phi'^2 (Silverstein, Bai 1995). It ends at an edge, that a net of finite width oversteps a
little. Gated cells have no such law. Values that are zero up to rounding are counted, not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.analysis import jacobian_law
from gradlab.analysis.meanfield import Domain, mean_field
from gradlab.record import Record
from gradlab.report import network, style, told_theory
from gradlab.report.figures import captions, decades, histogram
from gradlab.report.figures.ensemble import Array
from gradlab.report.words import plain, power, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "step_singular_values"
LN10 = float(np.log(10.0))
BINS = 44
TAIL = 0.005  # of the values that are not zero: what the axis leaves out at its low end
MOST_DECADES = 8.0
NARROWEST = 0.5  # decades
TICKS = 8
NOISE = 1e-15  # times the largest value of a step: below, a singular value is rounding
FARTHEST = 140  # decades from 1: the square of an edge, and 1 over it, are floats
POINTS = 160
ROOM = 1.1  # of the highest step
SMALL = 32  # units below which the law of large H is only a sketch
DOUBTS = {  # where q of the mean field is not that of the net, in short
    Domain.TRANSITION: "near the transition q of a net of finite width is larger than theory's",
    Domain.QUADRATURE: "q is above 4 million: the law is not resolved there",
}


@dataclass(frozen=True)
class Law:
    """Theory at large width: its curve per decade over log10 sigma, from the edge downwards."""

    units: jacobian_law.Population
    edge: float
    s: Array  # log10 sigma = high - span s^2: at the edge the density is a square root
    x: Array
    density: Array

    def above_one(self) -> float:
        """The share of all singular values that it has above 1."""
        fine = np.linspace(0, 1, 20 * POINTS)
        high, span = self.x[0], self.x[0] - self.x[-1]
        inside = high - span * fine**2 > 0
        slope = 2 * span * fine * np.interp(fine, self.s, self.density)
        return float(np.trapezoid(np.where(inside, slope, 0.0), fine))


def applies(record: Record) -> bool:
    """Whether all singular values of the steps were kept, and one is neither lost nor zero."""
    if ARRAY not in record.arrays or record[ARRAY].shape[-1] < network.width(record):
        return False
    return bool((record[ARRAY][:, record["t"] > 0] > 0).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    values = log10_values(record)
    low, high = _range(values)
    theory = law(record, low)
    if theory is not None:
        high = max(high, float(theory.x[0]))
    margin = 0.04 * max(high - low, NARROWEST)
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    bins = 100 * float(edges[1] - edges[0])  # of a density per decade, per cent of a bin
    found = histogram.over_members(values, edges, bins)
    seeds = f"{found.members} seeds, {found.spread}" if found.members > 1 else "one seed"
    square = power(_log10_mean_square(values))
    histogram.draw(ax, found, style.INDIGO, f"measured, {seeds}: mean square {square}")
    top = found.highest
    if theory is not None:
        top = max(top, bins * float(theory.density.max()))
        label = f"law at large H: mean square χ = {plain(theory.units.moment(1))}"
        label += f", edge {plain(theory.edge)}"
        ax.plot(theory.x, bins * theory.density, label=label, zorder=3, **style.THEORY)
    ax.axvline(0, color=style.SOFT, linewidth=1.0, marker="", zorder=2.6)
    ax.set_xlim(edges[0], edges[-1])
    ticks = decades.ticks(edges[0], edges[-1], TICKS)
    ax.set_xticks(ticks, decades.labels(ticks))
    ax.set_ylim(0, ROOM * top)
    notes = _notes(record, values, theory, edges[0])
    captions.title(ax, title(record, values, theory), notes=notes)
    ax.set_xlabel("singular value of Jₜ = ∂sₜ/∂sₜ₋₁ (log scale)")
    ax.set_ylabel("share of all values in a bin (%)")
    captions.legend(ax)


def _log10_mean_square(log10: list[Array]) -> float:
    """log10 of the mean over the members of the mean square of each one's values."""
    top = max(float(one.max()) for one in log10)
    return 2 * top + math.log10(np.mean([np.mean(100.0 ** (one - top)) for one in log10]))


def title(record: Record, values: list[Array], theory: Law | None) -> str:
    """How many of the values stretch, and how many theory says do."""
    measured = share(float(np.mean(np.concatenate(values) > 0)))
    text = f"{measured} of a {network.step(record)}'s singular values exceed 1"
    return text if theory is None else f"{text} (theory {share(theory.above_one())})"


def log10_values(record: Record) -> list[Array]:
    """log10 of all values of every seed that has any, from t = 1 on, -inf what is zero up to
    rounding. A step that was lost is left out.
    """
    each = []
    for one in record[ARRAY][:, record["t"] > 0]:
        steps = one.reshape(-1, one.shape[-1])
        steps = steps[np.isfinite(steps).all(axis=1)]
        zero = steps < NOISE * steps.max(axis=1, keepdims=True, initial=0.0)
        with np.errstate(divide="ignore"):
            each.append(np.log10(np.where(zero, 0.0, steps)).ravel())
    return [one for one in each if one.size]


def law(record: Record, low: float) -> Law | None:
    """Theory's law down to log10 sigma = low; None for a network that it is not about."""
    plain = network.layers(record) == 1 and not record.config.get("residual")
    name = "mean_field" if network.tied(record) else "deep"
    field = told_theory.entry(record.summary, name) if plain else None
    if field is None or told_theory.independent(record) is None or field["g"] == 0:
        return None
    kind, g, bias = field["activation"], float(field["g"]), float(field["bias"])
    q = field["q"] if "q" in field else mean_field(kind, g, field["s2"], bias).q
    # where q diverges, phi' is the same at any
    units = jacobian_law.population(kind, g, *((0.0, 0.0) if q is None else (bias, q)))
    edge = jacobian_law.edge(units)
    if edge == 0 or abs(np.log10(edge)) > FARTHEST:
        return None
    s, high = np.linspace(0, 1, POINTS), float(np.log10(edge))
    x = high - (high - min(low, high - NARROWEST)) * s**2
    return Law(units, edge, s, x, jacobian_law.density(10**x, units) * 10**x * LN10)


def _range(values: list[Array]) -> tuple[float, float]:
    """log10, from the smallest value that is not rare to the largest."""
    pooled = np.concatenate(values)
    pooled = pooled[np.isfinite(pooled)]
    low, high = float(np.quantile(pooled, TAIL)), float(pooled.max())
    return max(low, high - MOST_DECADES), high


def _notes(record: Record, values: list[Array], theory: Law | None, low: float) -> list[str]:
    pooled = np.concatenate(values)
    zeros = float(np.isneginf(pooled).mean())
    below = float(np.mean(pooled < low)) - zeros
    parts = []
    if zeros:
        told = f", theory {share(theory.units.zeros)}" if theory is not None else ""
        parts.append(f"not drawn: {share(zeros)} that are zero up to rounding{told}")
    if below > 0:
        parts.append(f"{share(below)} lie further left")
    if theory is None:
        parts.append("no law is known for this network")
    elif record.config["hidden_size"] < SMALL:
        parts.append(f"the law is that of large H; here H = {record.config['hidden_size']}")
    caveats = (told_theory.entry(record.summary, "mean_field") or {}).get("caveats", ())
    doubts = [words for domain, words in DOUBTS.items() if domain.value in caveats]
    return ["; ".join(parts), *(doubts if theory is not None else [])]
