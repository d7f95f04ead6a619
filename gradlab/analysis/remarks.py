"""Reasons for what a summary leaves out, and caveats about what it says."""

from __future__ import annotations

import math

import numpy as np

from gradlab.analysis.course import Arrays, Facts, silent
from gradlab.analysis.theory import Textbook
from gradlab.analysis.verdict import Caveat, Verdict
from gradlab.nonlinearity import Array

NOT_ASKED = "weight_gradients is none"
BEYOND = "the loss is beyond float range"


def reasons(arrays: Arrays, facts: Facts) -> dict[str, str]:
    """By the summary's keys: why there is no value."""
    found = {} if np.isfinite(arrays.get("loss", np.zeros(1))).any() else {"loss": BEYOND}
    if "clip_norm" not in arrays:
        found |= {"log10_parameter_grad_norm": NOT_ASKED, "memory_horizon": NOT_ASKED}
        found |= {"truncation": NOT_ASKED} if facts.truncate is not None else {}
    return found | _reasons_of_rate(arrays, facts)


def _reasons_of_rate(arrays: Arrays, facts: Facts) -> dict[str, str]:
    if silent(arrays, facts):
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


def caveats(
    arrays: Arrays, facts: Facts, verdict: Verdict, theory: Textbook | None, radius: Array | None
) -> list[Caveat]:
    """Those that apply. radius: the spectral radius of every seed, None where there is none."""
    alive, travelled = arrays["overflow_step"] == 0, facts.travelled(arrays["t"])
    curves = arrays["log10_grad_norm_h"][alive][:, travelled]
    vanishing = verdict is Verdict.VANISHING
    applies = {
        Caveat.OVERFLOW: bool(arrays["overflow_step"].any()),
        Caveat.EXACT_ZERO: bool(np.isneginf(arrays["growth_rate"]).any())
        and not silent(arrays, facts),
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


def _skewed(curves: Array) -> bool:
    """Whether mean and median over seeds of ||delta_0|| / ||delta_T|| differ more than tenfold."""
    if len(curves) < 3 or not np.isfinite(curves[:, [0, -1]]).all():
        return False
    left = curves[:, 0] - curves[:, -1]
    top = left.max()
    mean = top + math.log10(math.fsum(10.0 ** (left - top)) / len(left))
    return bool(abs(mean - np.median(left)) > 1)
