"""What float32 costs: the first member computed in float64 too, and how far the two are apart.

It is as large as a member of a float64 run, so float32 spares memory only where several members
are computed at a time. The float64 member has the same draws; its weights and inputs are not
rounded to float32. The difference is thus all that float32 does: to what is given, and on the way.
A chaotic network tells them apart after some tens of steps, whatever is done to the arithmetic;
then no digit of a norm can be trusted, though the growth rate may be right.

Compared are norms: of delta_t and of the share of step t in the weights' gradient at all recorded
steps, and of the gradient of all parameters. Spectra and the split by lag are not computed again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradlab import runner
from gradlab.analysis.course import number
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.runner import Progress
from gradlab.spec import Spec

EXACT = np.dtype(np.float64)
MOST = 7  # decimal digits of a float32: 24 bits
COMPARED = {  # the summary's name -> the record's array
    "grad_norm_h": "log10_grad_norm_h",
    "weight_grad_norm": "log10_weight_grad_norm",
    "parameter_grad_norm": "log10_clip_norm",
}
WEIGHTS = ("weight_grad_norm", "parameter_grad_norm")  # those that not every run has


def run_many(
    specs: Sequence[Spec], progress: Progress | None = None, jobs: int = 1
) -> list[Record]:
    """As `runner.run_many`; the summary of a float32 experiment has `precision`.

    The float64 members of all experiments are computed together, each for itself: what is found
    does not depend on which others are there.
    """
    if specs[0].dtype == EXACT:
        return runner.run_many(specs, progress, jobs)
    tell = progress or (lambda share: None)
    members = sum(len(spec.seeds) for spec in specs)
    own = members / (members + 2 * len(specs))  # a float64 member takes about two of float32
    records = runner.run_many(specs, lambda share: tell(share * own), jobs)
    doubled = [in_double(spec) for spec in specs]
    exact = runner.run_many(doubled, lambda share: tell(own + share * (1 - own)), jobs)
    return [
        replace(record, summary=record.summary | {"precision": compared(record, true)})
        for record, true in zip(records, exact, strict=True)
    ]


def in_double(spec: Spec) -> Spec:
    """The first member alone in float64, without what is not compared. A clip by step_norm shapes
    the norms and stays; any other acts on what is compared, and comes later.
    """
    return replace(
        spec.norms_only(),
        weight_gradients=spec.weight_gradients,
        dtype=EXACT,
        seeds=spec.seeds[:1],
        checkpoint="auto",
    )


def compared(record: Record, exact: Record) -> dict[str, Any]:
    """`precision` of a summary: relative errors of the first member's norms against float64.

    Of each norm the median and the largest error over the steps; None where one is not finite.
    log10_at_start: how many decades the norm of delta_0 is off. growth_rate: by how much the rate
    is off, nats per step. trusted_digits: that all norms at all recorded steps have right. overflow
    is the step where float32 alone leaves its range; None for all else where it does, or where
    float64 leaves its own.
    """
    early, late = int(record["overflow_step"][0]), int(exact["overflow_step"][0])
    found: dict[str, Any] = {
        "dtype": "float32",
        "compared_seed": int(record["seeds"][0]),
        "overflow": early if early and not late else None,
    }
    there = {name: of for name, of in COMPARED.items() if of in record.arrays}
    errors = {name: relative(record[of][0], exact[of][0]) for name, of in there.items()}
    for name, each in errors.items():
        lost = bool(early or late or not len(each))
        found[name] = {
            "median": None if lost else number(float(np.median(each))),
            "largest": None if lost else number(float(each.max())),
        }
    curve = COMPARED["grad_norm_h"]
    with np.errstate(invalid="ignore"):  # of two zeros nothing is told
        start, rate = (record[a].flat[0] - exact[a].flat[0] for a in (curve, "growth_rate"))
    return found | {
        "log10_at_start": number(float(start)),
        "growth_rate": number(float(rate)),
        "trusted_digits": _digits([each for each in errors.values() if len(each)], early, late),
    }


def relative(own: Array, exact: Array) -> Array:
    """|own / exact - 1| of norms whose log10 are given, where either is there. A zero that is none
    has lost all: 1; what is one in truth, infinitely much.
    """
    own, exact = np.atleast_1d(own), np.atleast_1d(exact)
    there = ~(np.isnan(own) & np.isnan(exact))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(np.expm1((own - exact)[there] * math.log(10)))
    error[(own == exact)[there]] = 0.0  # both zero
    return np.where(np.isnan(error), np.inf, error)


def _digits(errors: Sequence[Array], early: int, late: int) -> int | None:
    """How many decimal digits of every number are right; None where float64 tells nothing."""
    if late or not errors:
        return None
    if early:
        return 0
    largest = max(float(each.max()) for each in errors)
    return MOST if largest == 0 else min(max(math.floor(-math.log10(largest)), 0), MOST)
