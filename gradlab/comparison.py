"""`run(spec) -> Record`, and for trained weights what training did to them.

The fresh twin is the same experiment with weights drawn anew at the scale of the trained ones
(`gradlab.initial.Matched`), once for every seed; inputs and upstream gradients are the same with
the generator pcg64. What differs between the two curves is the structure that training gave the
weights, not their size. The edge is the weight_scale at which the gradient of the trained weights
would neither vanish nor explode.

Both are made of norms alone. A clip by step_norm shapes these and stays; every other clip acts on
what is not computed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gradlab import precision, runner
from gradlab.analysis.course import KEYS, number
from gradlab.critical import Measured, UnbracketedError, bounds, critical, measured
from gradlab.errors import GradlabError
from gradlab.initial import PEEPHOLE, Loaded, Matched
from gradlab.record import Record
from gradlab.runner import Progress
from gradlab.spec import Spec

CURVE = "log10_grad_norm_h"
EDGE_SEEDS = 4  # as many of the seeds; the interval says what that leaves open
EDGE_TOLERANCE = 1e-3  # of the value: the interval over the seeds is wider
EDGE_WIDEST = 5  # steps outwards: factors of up to 2^(5 * 6 / 4) = 181
RUN, TWIN = 0.5, 0.65  # shares of the work that are done after the run, and after the twin


def run(spec: Spec, progress: Progress | None = None, jobs: int = 1) -> Record:
    """The record of one experiment; where spec.compare, with the fresh twin's curve and the edge.

    progress is called now and then. jobs: threads at most.
    """
    tell = progress or (lambda share: None)
    if not spec.compare or not isinstance(spec.init, Loaded):
        return precision.run_many([spec], progress, jobs)[0]
    record = precision.run_many([spec], lambda share: tell(share * RUN), jobs)[0]
    lean = spec.norms_only()
    fresh = runner.run(twin(lean), lambda share: tell(RUN + share * (TWIN - RUN)), jobs)
    told = {key: fresh.summary[key] for key in (*KEYS, "outcome")}
    summary = record.summary | {"trained": {"fresh": told} | edge(lean, tell, jobs)}
    tell(1.0)
    return replace(record, summary=summary, arrays=record.arrays | {f"fresh_{CURVE}": fresh[CURVE]})


def twin(spec: Spec) -> Spec:
    """The same experiment with weights drawn anew at the scale of those of its file."""
    assert isinstance(spec.init, Loaded)
    return replace(spec, init=Matched(spec.init.tensors, spec.init.reverse))


def edge(spec: Spec, tell: Progress, jobs: int = 1) -> dict[str, Any]:
    """`edge`: the weight_scale at which the growth rate is 0 and its 95 % interval, over the first
    EDGE_SEEDS seeds; None where there is none, and then `edge_reason` says why.
    """
    reason = _no_edge(spec)
    if reason is None:
        found = _searched(replace(spec, seeds=spec.seeds[:EDGE_SEEDS]), tell, jobs)
        if isinstance(found, dict):
            return {"edge": found, "edge_reason": None}
        reason = found
    return {"edge": None, "edge_reason": reason}


def _no_edge(spec: Spec) -> str | None:
    """Why nothing is searched."""
    if not any(name.startswith(("weight_hh", PEEPHOLE)) for name in spec.tensors):
        return "the cell has no recurrent weights that weight_scale could multiply"
    if any(len(steps) > 1 for steps in spec.entries.values()):
        return "the gradient enters at several steps: a sum over them has no edge"
    return None


def _searched(spec: Spec, tell: Progress, jobs: int) -> dict[str, Any] | str:
    """The edge, or why there is none."""
    rate = _rate(spec, tell, jobs)
    positive, least = bounds("weight_scale")
    try:
        found = critical(rate, spec.weight_scale, 0.0, positive, least, EDGE_WIDEST, EDGE_TOLERANCE)
    except UnbracketedError as error:
        return (
            f"the growth rate stays {error.side} 0 from weight_scale {error.low:g} "
            f"to {error.high:g}"
        )
    except GradlabError as error:  # a weight_scale beyond the range of the numbers
        return str(error)
    there = next(one for one in found.measured if one.value == found.value)
    if number(there.mean) is None:
        return f"at weight_scale {found.value:.3g} the gradient jumps from zero to overflow"
    ends = {name: number(getattr(found, name)) for name in ("low", "high")}
    return {"weight_scale": found.value, **ends, "seeds": len(spec.seeds)}


def _rate(spec: Spec, tell: Progress, jobs: int) -> Callable[[float], Measured]:
    """The growth rate at a weight_scale."""
    left = 1 - TWIN

    def rate(value: float) -> Measured:
        nonlocal left
        left *= 0.9  # how many evaluations there will be is not known
        tell(1 - left)
        record = runner.run(replace(spec, weight_scale=value), jobs=jobs)
        return measured(value, record.summary)

    return rate
