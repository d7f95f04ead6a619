"""The predicted course of a gradient, for figures: read from the summary's `theory`.

Of a gated cell the summary may hold the parameters alone; the dynamic mean field is then computed
here, or found in the cache (`gradlab.theory_cache`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab import theory_cache
from gradlab.analysis.critical import rest_curve
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report import network
from gradlab.report.told_theory import NAMES
from gradlab.report.words import signed

LN10 = math.log(10)


@dataclass(frozen=True)
class Expected:
    """A predicted ln||delta_h|| against the lag, from 0 at lag 0: a start, then a constant rate."""

    name: str  # of the theory, with the width it is of
    rate: float  # nats per step
    start: tuple[float, ...] = (0.0,)  # at lags 0, 1, ...

    def log10(self, lag: NDArray[np.int64]) -> Array:
        """log10 of ||delta_h|| at whole lags >= 0, over that at lag 0."""
        known = np.minimum(lag, len(self.start) - 1)
        values = np.array(self.start)[known] + self.rate * (lag - known)
        return np.asarray(values / LN10)

    def label(self, unit: str) -> str:
        """For a legend: mean field, H = 64: -0.033 nats per step."""
        return f"{self.name}: {signed(self.rate)} nats per {unit}"


def expected(record: Record) -> Expected | None:
    """What theory predicts for ||dL/dh_t||; None where it predicts nothing, or where the gradient
    that was recorded is another one: a sum over several steps, or clipped on its way.
    """
    if network.sums(record) or (record["clip_scale"] < 1).any():
        return None
    theory = record.summary["theory"]
    if "dynamic_mean_field" in theory:
        return _gated(theory["dynamic_mean_field"])
    several = record.config["batch_size"] > 1
    for key in ("mean_field", "deep"):
        if key in theory:
            return _straight(theory[key], NAMES[key], several)
    return None


def _straight(told: dict[str, Any], name: str, several: bool) -> Expected | None:
    """A constant rate, that of the net's own width where it is known: of one sequence then, if it
    is another one than at infinite width.
    """
    at_width, rate = told["growth_rate_at_width"], told["growth_rate"]
    if at_width is not None:
        of = ", one sequence" if several and at_width != rate else ""
        return Expected(f"{name}, H = {told['H']}{of}", at_width)
    return None if rate is None else Expected(f"{name}, H → ∞", rate)


def _gated(told: dict[str, Any]) -> Expected:
    if told["q_h"] == 0:  # the state stays at 0: a closed form
        curve = rest_curve(told["cell"], told["g"], told["forget_bias"])
        return Expected("zero state, H → ∞", told["growth_rate"], curve)
    names = ("cell", "g", "s2", "forget_bias", "bias")
    found = theory_cache.gated(*(told[name] for name in names))
    curve = tuple(value / 2 for value in found.log_mean_square)
    return Expected(f"{NAMES['dynamic_mean_field']}, H → ∞", found.growth_rate, curve)
