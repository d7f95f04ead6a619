"""The summary of a run: what summary.json holds, made from the recorded arrays.

A value that does not exist or is not finite is None, and `reasons` says why. Sums over seeds are
exact (math.fsum), so that the order of the seeds shows in no digit.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from gradlab.analysis.course import Arrays, Facts, course, number
from gradlab.analysis.remarks import caveats, reasons
from gradlab.analysis.theory import textbook
from gradlab.analysis.verdict import Outcome, Verdict
from gradlab.nonlinearity import Array

NEAR = 0.1  # a factor is near 0 or 1 within this distance
HEADROOM = 64  # binary digits: more values than 2^64 are never averaged
BASICALLY = 0.9  # the share of factors near 0 or 1 that makes them "basically 0 or 1"


def summarize(arrays: Arrays, facts: Facts) -> dict[str, Any]:
    """summary.json without schema, identity and version."""
    alive = arrays["overflow_step"] == 0
    told = course(arrays, facts)
    sigma_max, radius = (
        _largest(arrays, "weight_singular_values"),
        _largest(arrays, "weight_spectral_radius"),
    )
    theory = None
    if facts.max_slope and sigma_max is not None and np.isfinite(sigma_max).all():
        theory = textbook(facts.max_slope, sigma_max)
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
        "log10_parameter_grad_norm": _median_of(arrays, "log10_clip_norm", alive),
        "clip": _clip(arrays, facts, alive),
        "theory": {"textbook": asdict(theory)} if theory else {},
        "outcome": (Outcome.OK if alive.all() else Outcome.OVERFLOW).value,
        "overflow_step": None if alive.all() else int(arrays["overflow_step"][~alive].min()),
        "caveats": [
            c.value for c in caveats(arrays, facts, Verdict(told["verdict"]), theory, radius)
        ],
        "reasons": reasons(arrays, facts),
    }


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
        "norm": _median_of(arrays, "clip_norm", alive),
    }
    out["log10_norm"] = _median_of(arrays, "log10_clip_norm", alive)
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
    if not np.isfinite(values).all():
        return None
    halved = math.fsum(values / 2**HEADROOM) / len(values)  # the sum may leave float range
    return number(math.ldexp(halved, HEADROOM))


def _median(values: Array) -> float | None:
    return number(float(np.median(values))) if len(values) else None
