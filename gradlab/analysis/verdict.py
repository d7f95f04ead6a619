"""The verdict, by a rule, and the caveats that go with it.

With the mean growth rate r over seeds, its 95 % interval, and the number of steps T that the
gradient travels:

    exploding   the interval lies above 0 and  r T >= ln 2   (it at least doubles on its way)
    vanishing   the interval lies below 0 and -r T >= ln 2   (it at least halves)
    preserved   the interval lies within +-ln 2 / T
    undecided   anything else: more seeds or a longer sequence would tell
"""

from __future__ import annotations

import math
from enum import Enum, StrEnum

from gradlab.analysis.growth import Spread


class Verdict(StrEnum):
    """What becomes of the gradient."""

    VANISHING = "vanishing"
    EXPLODING = "exploding"
    PRESERVED = "preserved"
    UNDECIDED = "undecided"


class Outcome(StrEnum):
    """Whether the computation itself came through."""

    OK = "ok"
    OVERFLOW = "overflow"


class Caveat(Enum):
    """Everything that the analysis may have to warn of. `value` is the sentence."""

    ONE_SEED = (
        "One seed only: the interval is that of the fitted slope, "
        "not of other draws of the weights."
    )
    RULE_OF_THUMB = (
        "sigma_max is above 1 and yet the gradient vanishes: sigma_max > 1 is necessary "
        "for an explosion, not sufficient."
    )
    LARGE_RADIUS = (
        "The spectral radius is above 1 and yet the gradient vanishes: phi' below 1, or "
        "gates, take more than the weights give."
    )
    EXACT_ZERO = (
        "The gradient of at least one seed is exactly zero from some step on "
        "(inactive units, or weights of zero): no rate describes that."
    )
    SEVERAL_STEPS = (
        "The gradient enters at several steps, so the curve is a sum: its slope is not "
        "the decay of one dependency."
    )
    STEP_CLIP = "delta is clipped at every step: the growth rate is that of the clipped recurrence."
    TRUNCATED = (
        "Backpropagation is truncated: what lies further back than the cut gets no gradient, "
        "whatever the recurrence would carry."
    )
    OVERFLOW = "The forward pass overflowed for at least one seed: those seeds have no gradient."
    MEAN_AND_MEDIAN = (
        "Mean and median over seeds of the norm that is left differ more than tenfold: a few seeds "
        "dominate the mean; read the median."
    )


def judge(rate: Spread, T: int) -> Verdict:
    """The verdict of the rule above."""
    if rate.low > 0 and rate.mean * T >= math.log(2):
        return Verdict.EXPLODING
    if rate.high < 0 and -rate.mean * T >= math.log(2):
        return Verdict.VANISHING
    if -math.log(2) / T <= rate.low and rate.high <= math.log(2) / T:
        return Verdict.PRESERVED
    return Verdict.UNDECIDED
