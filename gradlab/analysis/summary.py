"""The summary of a run: what summary.json holds, made from the recorded arrays.

A value that does not exist or is not finite is None, and `reasons` says why. Sums over seeds are
exact (math.fsum), so that the order of the seeds shows in no digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.analysis.growth import Spread, crossing, mean_curve, spread
from gradlab.analysis.theory import Textbook, textbook
from gradlab.analysis.verdict import Caveat, Outcome, Verdict, judge
from gradlab.nonlinearity import Array

BEYOND = "the loss is beyond float range"
HUNDREDFOLD = 2.0  # in log10: the horizon is where 1 % is left, or 100 times as much

NEAR = 0.1  # a factor is near 0 or 1 within this distance
BASICALLY = 0.9  # the share of factors near 0 or 1 that makes them "basically 0 or 1"

Arrays = Mapping[str, Array]


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
    loss: str

    def travelled(self, t: Array) -> Array:
        """Which of the steps t the gradient reaches."""
        return np.asarray(self.reached[t])

    @property
    def distance(self) -> int:
        """How many steps it travels."""
        return max(int(np.count_nonzero(self.reached)) - 1, 1)


def summarize(arrays: Arrays, facts: Facts) -> dict[str, Any]:
    """summary.json without schema, identity and version."""
    alive = arrays["overflow_step"] == 0
    told = course(arrays, facts)
    sigma_max, radius = (
        _largest(arrays, "weight_singular_values"),
        _largest(arrays, "weight_spectral_radius"),
    )
    theory = (
        textbook(facts.max_slope, sigma_max) if facts.max_slope and sigma_max is not None else None
    )
    return told | {
        "sigma_max": _mean(sigma_max),
        "sigma_max_by_gate": _by_gate(arrays, "weight_singular_values", facts.parts),
        "spectral_radius": _mean(radius),
        "spectral_radius_by_gate": _by_gate(arrays, "weight_spectral_radius", facts.parts),
        "lyapunov_max": _lyapunov(arrays, alive),
        "memory_horizon": _median_of(arrays, "memory_horizon", alive),
        "truncation": _truncation(arrays, facts, alive),
        "loss": _median_of(arrays, "loss", alive),
        "factor": _factor(arrays),
        "gates": _gates(arrays, facts.readings, alive),
        "log10_parameter_grad_norm": _median(arrays["log10_clip_norm"][alive]),
        "clip": _clip(arrays, facts, alive),
        "theory": {"textbook": asdict(theory)} if theory else {},
        "outcome": (Outcome.OK if alive.all() else Outcome.OVERFLOW).value,
        "overflow_step": None if alive.all() else int(arrays["overflow_step"][~alive].min()),
        "caveats": [c.value for c in _caveats(arrays, facts, Verdict(told["verdict"]), theory)],
        "reasons": _reasons(arrays, facts),
    }


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
    if _silent(arrays, facts):
        verdict = Verdict.UNDECIDED
    shown = None if zero else rate
    steps = math.log(2) / abs(shown.mean) if shown and shown.mean else None
    return {
        "verdict": verdict.value,
        "growth_rate": None if shown is None else {k: _number(v) for k, v in asdict(shown).items()},
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
    return _number(float(np.median(left))) if np.isfinite(left).all() and len(left) else None


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


def _reasons(arrays: Arrays, facts: Facts) -> dict[str, str]:
    found = {} if np.isfinite(arrays.get("loss", np.zeros(1))).any() else {"loss": BEYOND}
    return found | _reasons_of_rate(arrays, facts)


def _reasons_of_rate(arrays: Arrays, facts: Facts) -> dict[str, str]:
    if _silent(arrays, facts):
        return {"growth_rate": "no gradient enters: dL/dh is zero where the loss is"}
    if facts.truncate is not None and np.count_nonzero(facts.travelled(arrays["t"])) < 2:
        return {"growth_rate": "the gradient is cut before it reaches a second recorded step"}
    if np.isneginf(arrays["growth_rate"]).any():
        return {
            "growth_rate": "the gradient of at least one seed is exactly zero from some step on"
        }
    if not (arrays["overflow_step"] == 0).any():
        return {"growth_rate": "the forward pass overflowed for every seed"}
    if np.isnan(arrays["growth_rate"]).all():
        return {"growth_rate": "fewer than two steps were recorded, or a norm is not a number"}
    return {}


def _caveats(
    arrays: Arrays, facts: Facts, verdict: Verdict, theory: Textbook | None
) -> list[Caveat]:
    alive, travelled = arrays["overflow_step"] == 0, facts.travelled(arrays["t"])
    curves = arrays["log10_grad_norm_h"][alive][:, travelled]
    vanishing = verdict is Verdict.VANISHING
    radius = _largest(arrays, "weight_spectral_radius")
    applies = {
        Caveat.OVERFLOW: bool(arrays["overflow_step"].any()),
        Caveat.EXACT_ZERO: bool(np.isneginf(arrays["growth_rate"]).any())
        and not _silent(arrays, facts),
        Caveat.RULE_OF_THUMB: vanishing
        and theory is not None
        and theory.necessary_for_exploding > 0,
        Caveat.LARGE_RADIUS: vanishing
        and theory is not None
        and radius is not None
        and radius.min() > 1,
        Caveat.SEVERAL_STEPS: facts.entries > 1,
        Caveat.STEP_CLIP: facts.clip is not None and facts.clip[1] == "step_norm",
        Caveat.TRUNCATED: facts.truncate is not None and facts.truncate[0] < facts.last,
        Caveat.ONE_SEED: len(arrays["growth_rate"]) == 1,
        Caveat.MEAN_AND_MEDIAN: _skewed(curves),
    }
    return [caveat for caveat, holds in applies.items() if holds]


def _silent(arrays: Arrays, facts: Facts) -> bool:
    """Whether some seed has no gradient even where it should enter."""
    alive, at = arrays["overflow_step"] == 0, arrays["t"] == facts.last
    return bool(np.isneginf(arrays["log10_grad_norm_h"][alive][:, at]).any())


def _skewed(curves: Array) -> bool:
    """Whether mean and median over seeds of ||delta_0|| / ||delta_T|| differ more than tenfold."""
    if len(curves) < 3 or not np.isfinite(curves[:, [0, -1]]).all():
        return False
    left = curves[:, 0] - curves[:, -1]
    top = left.max()
    mean = top + math.log10(math.fsum(10.0 ** (left - top)) / len(left))
    return bool(abs(mean - np.median(left)) > 1)


def _horizon(curve: Array, lag: Array) -> float | None:
    """The lag at which 1 % of the norm is left, or 100 times as much, whichever comes first."""
    lags = [crossing(curve, lag, change) for change in (-HUNDREDFOLD, HUNDREDFOLD)]
    return min((x for x in lags if x is not None), default=None)


def _largest(arrays: Arrays, name: str) -> Array | None:
    """The largest value over the gates, (R,); None for a cell without a recurrent matrix."""
    if name not in arrays:
        return None
    return arrays[name].reshape(len(arrays[name]), -1).max(axis=1)


def _by_gate(arrays: Arrays, name: str, parts: tuple[str, ...]) -> dict[str, float | None] | None:
    """The largest value of each gate, mean over seeds."""
    if name not in arrays:
        return None
    values = arrays[name].reshape(len(arrays[name]), len(parts), -1).max(axis=-1)
    return {gate: _mean(values[:, k]) for k, gate in enumerate(parts)}


def _gates(
    arrays: Arrays, readings: tuple[str, ...], alive: Array
) -> dict[str, dict[str, float | None]]:
    """For each gate: mean value, mean phi' over its largest value, share of saturated units."""
    steps = arrays["t"] > 0
    return {
        gate: {
            short: _mean(arrays[name][alive][:, steps, k].mean(axis=1))
            for short, name in (
                ("mean", "gate_mean"),
                ("slope", "gate_slope"),
                ("saturation", "gate_saturation"),
            )
        }
        for k, gate in enumerate(readings)
    }


def _clip(arrays: Arrays, facts: Facts, alive: Array) -> dict[str, Any] | None:
    """Clipping as it came out: medians over seeds, and the share of seeds (or steps) where it
    acted.
    """
    if facts.clip is None:
        return None
    threshold, by = facts.clip
    out: dict[str, Any] = {
        "threshold": threshold,
        "by": by,
        "norm": _median(arrays["clip_norm"][alive]),
    }
    out["log10_norm"] = _median(arrays["log10_clip_norm"][alive])
    if by == "step_norm":
        scale = arrays["clip_scale"][alive]
        return out | {
            "rate": _median(scale.min(axis=1)),
            "clipped_norm": None,
            "acted": _mean((scale < 1).mean(axis=1)),
        }
    rate = arrays["clip_rate"][alive]
    acted = _mean((rate < 1).astype(float))
    clipped = _median(arrays["clipped_norm"][alive])
    return out | {"rate": _median(np.minimum(rate, 1)), "clipped_norm": clipped, "acted": acted}


def _lyapunov(arrays: Arrays, alive: Array) -> float | None:
    """The largest exponent, mean over sequences and seeds, nats per step."""
    if "lyapunov_exponents" not in arrays:
        return None
    return _mean(arrays["lyapunov_exponents"][alive].max(axis=-1).mean(axis=-1))


def _truncation(arrays: Arrays, facts: Facts, alive: Array) -> dict[str, Any] | None:
    """What is lost of the gradient of the recurrent weights: relative norm, and the cosine between
    the truncated and the whole one. Medians over seeds.
    """
    if facts.truncate is None:
        return None
    steps, mode = facts.truncate
    return {
        "steps": steps,
        "mode": mode,
        "lost": _median_of(arrays, "truncation_lost", alive),
        "cosine": _median_of(arrays, "truncation_cosine", alive),
    }


def _factor(arrays: Arrays) -> dict[str, Any] | None:
    """How many of the factors tanh'(v) f of a cell with a diagonal Jacobian are near 0 or 1."""
    if "factor_histogram" not in arrays or not arrays["factor_histogram"].any():
        return None
    counts = arrays["factor_histogram"].sum(axis=0)
    edge = round(NEAR * len(counts))
    low, high = counts[:edge].sum() / counts.sum(), counts[-edge:].sum() / counts.sum()
    return {
        "within": NEAR,
        "near_zero": float(low),
        "near_one": float(high),
        "between": float(1 - low - high),
        "claim": "holds" if low + high >= BASICALLY else "does not hold",
    }


def _median_of(arrays: Arrays, name: str, alive: Array) -> float | None:
    return _median(arrays[name][alive]) if name in arrays else None


def _mean(values: Array | None) -> float | None:
    if values is None or len(values) == 0:
        return None
    return _number(math.fsum(values) / len(values)) if np.isfinite(values).all() else None


def _median(values: Array) -> float | None:
    return _number(float(np.median(values))) if len(values) else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
