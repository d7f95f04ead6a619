"""`train` of the summary: what a training came to, and what clipping did, from the recorded curves.

A seed's loss at the end is the mean over its last updates, a tenth of those that it had and LAST at
least; `place` says where that is: below the baseline (less than BELOW of it), at it, above it (more
than ABOVE of it), or not finite. That is what was seen, and no judgement of why.

The clip report is about the norm of the gradient of all parameters before clipping, over all
updates of all seeds whose gradient was finite. The suggested threshold is its 90th percentile: it
acts on one update in ten, so as a guard and not as a smaller learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradlab.analysis.course import number
from gradlab.analysis.growth import spread
from gradlab.nonlinearity import Array
from gradlab.spec import Spec

LAST = 10  # updates
BELOW, ABOVE = 0.9, 1.1  # of the baseline
PLACES = ("below", "at", "above", "nonfinite")
PERCENTILES = (50, 90, 99)
SPREAD = ("mean", "std", "low", "high")

Arrays = Mapping[str, Array]


def learned(spec: Spec, arrays: Arrays) -> dict[str, Any]:
    """The section `train` of the summary, of the seeds whose curves these are."""
    assert spec.train is not None
    training, task = spec.train, spec.train.task
    loss, right = at_end(arrays, "loss"), at_end(arrays, "right")
    first = arrays["train_loss"][:, 0]
    lost = arrays["train_nonfinite"] > 0
    told: dict[str, Any] = {
        "task": training.kind,
        "updates": training.updates,
        "baseline": task.baseline,
        "first_loss": number(float(np.median(first))),
        "final_loss": _mean(loss),
        "final_loss_median": _median(loss),
        "seeds": {place: int(n) for place, n in _places(loss, task.baseline).items()},
        "stopped": int((arrays["train_stopped"] > 0).sum()),
        "nonfinite": {"updates": int(lost.sum()), "seeds": int(lost.any(axis=1).sum())},
        "clip": clip_report(spec, arrays),
    }
    if task.loss == "cross_entropy":
        told |= {"final_accuracy": _mean(right)}
    if task.symbols:
        told |= {"first_perplexity": _exp(told["first_loss"]), "final_perplexity": _mean_exp(loss)}
    return told


def at_end(arrays: Arrays, name: str) -> Array:
    """(R,) the mean of a curve over each seed's last updates; NaN where one is not finite."""
    curve, stopped = arrays[f"train_{name}"], arrays["train_stopped"]
    found = np.full(len(curve), np.nan)
    for r, own in enumerate(curve):
        found[r] = own[last_updates(int(stopped[r]) or len(own))].mean()
    return found


def last_updates(count: int) -> slice:
    """Of so many updates those whose mean is told as the end."""
    return slice(max(count - max(LAST, count // 10), 0), count)


def clip_report(spec: Spec, arrays: Arrays) -> dict[str, Any]:
    """How large the gradient was, how often the clip acted, and what it made of the learning rate.

    `acted` and `learning_rate_factor` are None without a clip of the whole gradient.
    """
    clip = spec.whole_clip
    norms = arrays["train_log10_norm"]
    used = np.isfinite(norms) & (arrays["train_nonfinite"] == 0)
    found = np.sort(norms[used])
    log10 = {f"p{q}": _percentile(found, q) for q in PERCENTILES}
    report: dict[str, Any] = {
        "threshold": clip[0] if clip else None,
        "by": clip[1] if clip else None,
        "updates": int(used.sum()),
        "norm": {name: _power(value) for name, value in log10.items()},
        "log10_norm": log10,
        "suggested": _power(log10["p90"]),
        "acted": None,
        "learning_rate_factor": None,
    }
    rate = arrays["train_clip_rate"][used]
    if clip and len(rate):
        factor = math.fsum(rate) / len(rate)
        report |= {"acted": float((rate < 1).mean()), "learning_rate_factor": number(factor)}
    return report


def _places(loss: Array, baseline: float) -> dict[str, int]:
    """How many seeds ended where."""
    finite = np.isfinite(loss)
    below, above = loss < BELOW * baseline, loss > ABOVE * baseline
    each = (below, finite & ~below & ~above, finite & above, ~finite)
    return {place: int(which.sum()) for place, which in zip(PLACES, each, strict=True)}


def _mean(values: Array) -> dict[str, float | None]:
    """Mean over the seeds with its 95 % interval; None where a seed has no value."""
    if not np.isfinite(values).all():
        return dict.fromkeys(SPREAD)
    if len(values) == 1:
        return {"mean": float(values[0]), "std": None, "low": None, "high": None}
    unit = 2.0 ** int(np.frexp(np.abs(values).max())[1] - 1)  # their squares may leave float range
    found = spread(values / unit, np.zeros(len(values)), 0)
    with np.errstate(over="ignore"):
        ends = {name: getattr(found, name) * np.float64(unit) for name in SPREAD}
    return {name: number(float(value)) for name, value in ends.items()}


def _median(values: Array) -> float | None:
    """A seed without a value counts as infinite."""
    return number(float(np.median(np.where(np.isnan(values), np.inf, values))))


def _exp(value: float | None) -> float | None:
    with np.errstate(over="ignore"):
        return None if value is None else number(float(np.exp(value)))


def _mean_exp(loss: Array) -> dict[str, float | None]:
    with np.errstate(over="ignore"):
        return _mean(np.exp(loss))


def _percentile(ascending: Array, q: int) -> float | None:
    """The smallest value that is not exceeded by q % of them (no interpolation of logarithms)."""
    if not len(ascending):
        return None
    return float(ascending[max(math.ceil(q / 100 * len(ascending)) - 1, 0)])


def _power(log10: float | None) -> float | None:
    """10^x; None where that is no float."""
    return None if log10 is None or abs(log10) > 300 else float(10.0**log10)
