"""What becomes of one gradient on its way: its rate, the verdict on it, and lengths in steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.analysis.growth import Spread, crossing, mean_curve, spread
from gradlab.analysis.verdict import Verdict, judge
from gradlab.nonlinearity import Array

HUNDREDFOLD = 2.0  # in log10: the horizon is where 1 % is left, or 100 times as much

Arrays = Mapping[str, Array]

KEYS = (  # of what `course` tells
    *("verdict", "growth_rate", "half_life", "doubling_time"),
    *("horizon", "distance", "log10_remaining"),
)


@dataclass(frozen=True)
class Facts:
    """What the summary needs to know of the experiment beside its arrays."""

    reached: NDArray[np.bool_]  # which of the steps 0 .. T the gradient reaches
    last: int  # the last step where it enters
    entries: int  # at how many steps it enters
    parts: tuple[str, ...]  # gates of which the recurrent matrix consists
    readings: tuple[str, ...]  # gates and activations that were read
    max_slope: float | None  # gamma, for cells with a textbook bound
    clip: tuple[float, str] | None
    truncate: tuple[int, str] | None

    def travelled(self, t: Array) -> Array:
        """Which of the steps t the gradient reaches."""
        return np.asarray(self.reached[t])

    @property
    def distance(self) -> int:
        """How many steps it travels."""
        return max(int(np.count_nonzero(self.reached)) - 1, 1)


def course(arrays: Arrays, facts: Facts) -> dict[str, Any]:
    """What becomes of one gradient on its way: verdict, rate, and lengths in steps.

    Of the arrays it needs t, log10_grad_norm_h, growth_rate and its error, overflow_step.
    """
    alive, travelled = arrays["overflow_step"] == 0, facts.travelled(arrays["t"])
    curves = arrays["log10_grad_norm_h"][:, travelled]
    lag = facts.last - arrays["t"][travelled]
    zero = bool(np.isneginf(arrays["growth_rate"]).any())
    rate = _rate(arrays, curves.shape[1])
    curve = mean_curve(curves[alive])
    verdict = _verdict(rate, zero, facts.distance)
    if silent(arrays, facts):
        verdict = Verdict.UNDECIDED
    shown = None if zero else rate
    steps = math.log(2) / abs(shown.mean) if shown and shown.mean else None
    return {
        "verdict": verdict.value,
        "growth_rate": None if shown is None else {k: number(v) for k, v in asdict(shown).items()},
        "half_life": steps if verdict is Verdict.VANISHING else None,
        "doubling_time": steps if verdict is Verdict.EXPLODING else None,
        "horizon": _horizon(curve, lag),
        "distance": facts.distance,
        "log10_remaining": _remaining(curves[alive]),
    }


def _remaining(curves: Array) -> float | None:
    """log10 of what is left of the norm at the far end, median over seeds."""
    with np.errstate(invalid="ignore"):
        left = curves[:, 0] - curves[:, -1]
    return number(float(np.median(left))) if np.isfinite(left).all() and len(left) else None


def _rate(arrays: Arrays, points: int) -> Spread | None:
    """Over the seeds that have a finite rate; None where none has."""
    rates, errors = arrays["growth_rate"], arrays["growth_rate_error"]
    finite = np.isfinite(rates)
    return spread(rates[finite], errors[finite], points) if finite.any() else None


def _verdict(rate: Spread | None, zero: bool, T: int) -> Verdict:
    """A gradient that is exactly zero has vanished; the other seeds must agree."""
    if rate is None:
        return Verdict.VANISHING if zero else Verdict.UNDECIDED
    verdict = judge(rate, T)
    return Verdict.UNDECIDED if zero and verdict is not Verdict.VANISHING else verdict


def silent(arrays: Arrays, facts: Facts) -> bool:
    """Whether some seed has no gradient even where it should enter."""
    alive, at = arrays["overflow_step"] == 0, arrays["t"] == facts.last
    return bool(np.isneginf(arrays["log10_grad_norm_h"][alive][:, at]).any())


def _horizon(curve: Array, lag: Array) -> float | None:
    """The lag at which 1 % of the norm is left, or 100 times as much, whichever comes first."""
    lags = [crossing(curve, lag, change) for change in (-HUNDREDFOLD, HUNDREDFOLD)]
    return min((x for x in lags if x is not None), default=None)


def number(value: float) -> float | None:
    """The value as JSON can hold it: None for what is not finite."""
    return float(value) if math.isfinite(value) else None
