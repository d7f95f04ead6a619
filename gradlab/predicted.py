"""What theory predicts for an experiment: `theory` of the summary.

What a `Setting` fixes, the theories of gradlab.analysis predict (docs/theory.md); what none of them
is about gets a reason. All is cheap, about a millisecond, and kept by its parameters, but the
dynamic mean field of gated cells, which takes about a second: its parameters are always told, its
numbers with `theory: full`. Rates are in nats per step, of ln||delta_h||.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Any

from gradlab.analysis import critical, dmft, meanfield, random_matrix, theory
from gradlab.analysis.dmft import GatedTheory, dynamic_mean_field
from gradlab.analysis.meanfield import MeanField, mean_field
from gradlab.cells import FILE
from gradlab.initial import Drawn
from gradlab.setting import GATED, Setting, setting
from gradlab.spec import Spec

Told = dict[str, Any]
Gated = Callable[[str, float, float, float, float], GatedTheory]

MATRIX_SOURCE = "Geman 1980; Johnstone 2001; Kostlan 1992; Rider, Sinclair 2014"
DEEP_SOURCE = "fresh weights in each layer: Schoenholz et al. 2017; He et al. 2015; docs/theory.md"
FEW = 10  # inputs below which the units are no longer alike
LARGEST_S2 = 1e6  # for which the critical gain is resolved
GAUSSIAN = ("normal", "randn", "xavier_normal")


class Limit(Enum):
    """Where a prediction for an experiment is off, beside what its theory says of itself."""

    AT_REST = (
        "No input, no bias and a state that starts at 0: it stays there, where the net is linear; "
        "the prediction is of that linear net."
    )
    GATES_AT_REST = (
        "No input, no bias and a state that starts at 0: it stays there, and the rate is the exact "
        "one of lags 1 to 60 for H well above 60 (q_h is 0). Over more lags it rises a little."
    )
    BATCH = (
        "The value at this width is of one sequence; the norm of a batch of sequences decays more "
        "slowly, and lies between it and that of infinite width."
    )
    FEW_INPUTS = (
        "Fewer than 10 inputs: units differ in their share of the input, which s2 leaves out."
    )
    CONSTANT = (
        "The input is the same at every step: q and chi hold at large width, as far as the state "
        "does not settle; no finite-width value."
    )
    ORTHOGONAL = (
        "Orthogonal weights: q and chi as for independent entries; no finite-width value, at "
        "H = 64 the measured rate lies about half as far below that of infinite width."
    )
    OTHER_ENTRIES = "The laws are of Gaussian entries; others have the same limit H -> infinity."
    EXACT_MATRIX = "An orthogonal matrix: exact, every singular value and |eigenvalue| is g."
    NOT_COMPUTED = "The rate takes about a second: `theory: full` puts it here."
    SKIP = "Infinite width: no finite-width value is known for a skip."


def told(spec: Spec, textbook: Told | None, gated: Gated = dynamic_mean_field) -> Told:
    """`theory` of the summary. textbook: the measured bound, where the cell has one; gated:
    computes the dynamic mean field.
    """
    flat = "linear" in (spec.cell, spec.options.get("activation"))
    more = {"source": theory.SOURCE, "caveats": [theory.LOOSE_LINEAR if flat else theory.LOOSE]}
    found: Told = {} if textbook is None else {"textbook": textbook | more}
    if spec.theory == "none":
        return found | {"reason": "theory: none asks for no prediction"}
    if spec.train is not None:
        return found | {"reason": "the weights are trained: no theory here is about them"}
    found |= _matrix(spec)
    try:
        found |= _of_rate(spec, gated if spec.theory == "full" else None)
    except ValueError as error:  # no theory is about it, or not at these numbers
        found["reason"] = str(error)
    return _finite(found)


def rates(spec: Spec, gated: Gated = dynamic_mean_field) -> tuple[float | None, float | None]:
    """The predicted growth rates, H -> infinity and at the experiment's width; None where there is
    none. Raises ValueError where no theory is about the experiment.
    """
    (found,) = _of_rate(spec, gated).values()
    return found["growth_rate"], found.get("growth_rate_at_width")


def _of_rate(spec: Spec, gated: Gated | None) -> Told:
    """The one prediction of the rate, by its name. Raises ValueError where there is none."""
    at = setting(spec)
    if spec.cell in GATED:
        return {"dynamic_mean_field": _gated(spec, at, gated)}
    return {"mean_field": _tied(spec, at)} if spec.topology.tied else {"deep": _deep(spec, at)}


def _matrix(spec: Spec) -> Told:
    """The laws of one recurrent matrix, that of each gate; nothing where it is no random draw."""
    init, H = spec.init, spec.H
    if not isinstance(init, Drawn) or not spec.base.GATES or spec.cell.endswith(FILE):
        return {}
    exact = init.recurrent == "orthogonal"
    if not (exact or init.recurrent in random_matrix.INDEPENDENT):
        return {}
    g = spec.weight_scale * (random_matrix.equivalent_gain(init.recurrent, H) or 0.0)
    mean, std, low, high = (1.0, 0.0, 1.0, 1.0) if exact else _laws(H)
    other = [] if init.recurrent in GAUSSIAN else [Limit.OTHER_ENTRIES]
    numbers: Told = {
        "g": g,
        "H": H,
        "sigma_max": {"mean": g * mean, "std": g * std},
        "spectral_radius": {"low": g * low, "high": g * high},
        "source": "exact: every singular value of g Q is g" if exact else MATRIX_SOURCE,
        "caveats": [] if exact else [one.value for one in other],
    }
    return {"random_matrix": numbers}


GROWS = "q grows from layer to layer, and chi changes with it: there is no single rate"
NO_RATE = {  # of a residual net
    "tanh": GROWS,
    "sigmoid": GROWS,
    # phi is positive, so h grows along one direction; the rows of W that ReLU leaves on lie along
    # it, so W^T D delta has a part along delta, which 1 + chi supposes it has not
    "relu": "the state and the gradient grow along one direction: 1 + chi is no rate of it",
}


@lru_cache(maxsize=256)
def _laws(H: int) -> tuple[float, float, float, float]:
    """At g = 1: mean and std of sigma_max, and what encloses the mean spectral radius."""
    largest = random_matrix.sigma_max(1.0, H)
    return largest.mean, largest.std, *random_matrix.spectral_radius(1.0, H)


def _mean_field(at: Setting) -> MeanField:
    """The mean field of a vanilla cell; of one that stays at rest, the linear net that it is."""
    if at.rests and at.activation == "relu":
        raise ValueError("a ReLU state that stays at 0: the gradient is exactly zero, of no rate")
    return mean_field("linear" if at.linear_at_rest else str(at.activation), at.g, at.s2, at.bias)


def _tied(spec: Spec, at: Setting) -> Told:
    """The same weights at every step."""
    found = _mean_field(at)
    exact = at.orthogonal and found.activation == "linear"  # J = g Q at every width
    limits = {
        Limit.AT_REST: at.linear_at_rest,
        Limit.ORTHOGONAL: at.orthogonal and not exact,
        Limit.CONSTANT: spec.inputs.kind == "constant" and at.s2 > 0 and not exact,
        Limit.FEW_INPUTS: spec.I < FEW and at.s2 > 0 and found.activation != "linear",
    }
    without = limits[Limit.ORTHOGONAL] or limits[Limit.CONSTANT]
    width = None if without else found.growth_rate_at(spec.H)
    limits[Limit.BATCH] = width is not None and spec.B > 1
    domain = [one for one in found.caveats if one not in _told_already(at, exact)]
    mean = found.mean_exponent
    return _numbers(at, found) | {
        "H": spec.H,
        "q": 0.0 if at.linear_at_rest else found.q,
        "growth_rate": found.growth_rate,
        "growth_rate_at_width": found.growth_rate if exact else width,
        "mean_exponent": mean + 0.5 if mean is not None and at.orthogonal else mean,
        "critical_weight_scale": _critical_scale(at),
        "source": found.source,
        "caveats": _sentences(limits, domain),
    }


def _told_already(at: Setting, exact: bool) -> set[meanfield.Domain]:
    """What a mean field says of itself that does not apply, or is said by a Limit."""
    ours = {meanfield.Domain.AT_REST}
    if at.linear_at_rest:  # q of the linear net that it is would diverge, its own is 0
        ours.add(meanfield.Domain.DIVERGES)
    return ours | ({meanfield.Domain.SAME_SLOPE} if exact else set())


def _deep(spec: Spec, at: Setting) -> Told:
    """Fresh weights in each layer, with or without a skip."""
    skip = spec.topology.residual
    if skip and not at.linear_at_rest and at.activation != "linear":
        raise ValueError(f"a residual net of {at.activation}: {NO_RATE[str(at.activation)]}")
    found = _mean_field(at)
    rate = critical.untied_residual_rate(float(skip), 1.0, found.chi)
    width = None if skip or at.orthogonal else found.growth_rate_at(spec.H, fresh=True)
    limits = {
        Limit.AT_REST: at.linear_at_rest,
        Limit.ORTHOGONAL: at.orthogonal and not skip,
        Limit.SKIP: skip,
        Limit.BATCH: width is not None and spec.B > 1,
    }
    shared = {meanfield.Domain.SAME_SLOPE, meanfield.Domain.QUENCHED}  # of one matrix at all steps
    domain = [one for one in found.caveats if one not in shared | _told_already(at, exact=False)]
    return _numbers(at, found) | {
        "H": spec.H,
        "keep": int(skip),
        "growth_rate": rate,
        "growth_rate_at_width": width,
        "source": DEEP_SOURCE,
        "caveats": _sentences(limits, domain),
    }


def _numbers(at: Setting, found: MeanField) -> Told:
    return {
        "activation": at.activation,
        "g": at.g,
        "s2": at.s2,
        "bias": at.bias,
        "chi": found.chi,
    }


def _critical_scale(at: Setting) -> float | None:
    """weight_scale at which chi = 1; None where no closed condition is known: a mean of phi."""
    if at.activation == "sigmoid" or at.bias != 0 or at.gain == 0 or at.s2 > LARGEST_S2:
        return None
    return _critical_gain(str(at.activation), at.s2) / at.gain


_critical_gain = lru_cache(maxsize=4096)(meanfield.critical_gain)


def _gated(spec: Spec, at: Setting, gated: Gated | None) -> Told:
    """The dynamic mean field; without `gated` its parameters alone."""
    if spec.inputs.kind not in ("normal", "zeros"):
        raise ValueError(f"inputs {spec.inputs.kind}: the dynamic mean field is of fresh inputs")
    if at.orthogonal:
        raise ValueError("init orthogonal: the dynamic mean field is of independent weights")
    names = ("cell", "g", "s2", "forget_bias", "bias")
    parameters = (spec.cell, at.g, at.s2, at.forget_bias, at.bias)
    dmft.checked(*parameters)
    rate, q_h = None, None
    if at.rests:
        rate, q_h = critical.rest_rate(spec.cell, at.g, at.forget_bias), 0.0
    elif gated is not None:
        found = gated(*parameters)
        rate, q_h = found.growth_rate, found.q_h
    limits = {
        Limit.GATES_AT_REST: at.rests,
        Limit.NOT_COMPUTED: rate is None,
        Limit.FEW_INPUTS: spec.I < FEW and at.s2 > 0,
    }
    domain = () if at.rests else dmft.caveats(spec.cell, at.s2, at.forget_bias, at.bias)
    gain = critical.CRITICAL_GAINS[spec.cell](at.forget_bias) if at.bias == 0 else None
    return dict(zip(names, parameters, strict=True)) | {
        "growth_rate": rate,
        "q_h": q_h,
        "critical_weight_scale_at_rest": gain and gain / at.gain,
        "source": dmft.SOURCE,
        "caveats": _sentences(limits, [d for d in domain if d is not dmft.Domain.AT_REST]),
    }


def _sentences(limits: dict[Limit, bool], domain: list[Any]) -> list[str]:
    applies = [limit.value for limit, holds in limits.items() if holds]
    return applies + [one.value for one in domain]


def _finite(value: Any) -> Any:
    """The same with None for every number that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
