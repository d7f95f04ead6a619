"""What theory predicts for an experiment: `theory` of the summary.

A `Spec` has weights drawn with some gain g, inputs of some variance s2, and biases; from these the
theories of gradlab.analysis follow (docs/theory.md). What none of them is about gets a reason.
Everything here is cheap, about a millisecond, and kept by its parameters, but the dynamic mean
field of gated cells, which takes about a second: its parameters are always told, its numbers with
`theory: full`. Rates are in nats per step, of ln||delta_h||.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from gradlab.analysis import critical, dmft, meanfield, random_matrix, theory
from gradlab.analysis.dmft import GatedTheory, dynamic_mean_field
from gradlab.analysis.meanfield import MeanField, mean_field
from gradlab.cells import FILE
from gradlab.initial import Drawn
from gradlab.spec import Spec

Told = dict[str, Any]
Gated = Callable[[str, float, float, float, float], GatedTheory]

MATRIX_SOURCE = "Geman 1980; Johnstone 2001; Kostlan 1992; Rider, Sinclair 2014"
DEEP_SOURCE = "fresh weights in each layer: He et al. 2015; Schoenholz et al. 2017; docs/theory.md"
FEW = 10  # inputs below which the units are no longer alike
LARGEST_S2 = 1e6  # for which the critical gain is resolved


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
    LARGE_MATRIX = "Gaussian entries; other ones of that variance have the same limit H -> infinity."
    EXACT_MATRIX = "An orthogonal matrix: exact, every singular value and |eigenvalue| is g."
    NOT_COMPUTED = "The rate takes about a second: `theory: full` puts it here."
    LARGE_DEPTH = "Infinite width; a net of width H lies lower by about 1 / (2 H) per layer, or more."


@dataclass(frozen=True)
class Setting:
    """What the theories know of an experiment."""

    g: float  # gain of the recurrent weights
    gain: float  # its part that is not weight_scale
    s2: float  # variance of the input part of a pre-activation
    bias: float
    forget_bias: float
    rests: bool  # the state starts at 0 and nothing moves it


def told(spec: Spec, textbook: Told | None, gated: Gated = dynamic_mean_field) -> Told:
    """`theory` of the summary. textbook: the measured bound, if the cell has one; gated: computes
    the dynamic mean field.
    """
    bound = {"source": theory.SOURCE, "caveats": [theory.LOOSE]}
    found: Told = {} if textbook is None else {"textbook": textbook | bound}
    if spec.theory == "none":
        return found | {"reason": "theory: none asks for no prediction"}
    found |= _matrix(spec)
    try:
        found |= _of_rate(spec, gated if spec.theory == "full" else None)
    except (ValueError, OverflowError) as error:  # outside of what a theory is computed for
        found["reason"] = str(error)
    return _finite(found)


def rates(spec: Spec, gated: Gated = dynamic_mean_field) -> tuple[float | None, float | None]:
    """The predicted growth rates, H -> infinity and at the experiment's width; None where there is
    none. Raises ValueError or OverflowError where no theory is about the experiment.
    """
    found = next(iter(_of_rate(spec, gated).values()))
    return found["growth_rate"], found.get("growth_rate_at_width")


def rest_scale(spec: Spec) -> float | None:
    """weight_scale at which the zero state of a gated cell turns unstable; None for other nets."""
    try:
        told = _of_rate(spec, None).get("dynamic_mean_field", {})
    except (ValueError, OverflowError):  # no theory is about it, which is the answer
        return None
    return told.get("critical_weight_scale_at_rest")


def _of_rate(spec: Spec, gated: Gated | None) -> Told:
    """The one prediction of the rate. Raises ValueError with the reason where there is none."""
    kind = "gated" if spec.cell in critical.CRITICAL_GAINS else "vanilla"
    if kind == "vanilla" and spec.cell not in ("linear", "rnn"):
        raise ValueError(_no_theory_of_cell(spec.cell))
    shape = spec.topology
    for what, holds in {
        "several layers with shared weights": shape.layers > 1,
        "both directions together": shape.bidirectional,
        "encoder and decoder": bool(shape.phases),
        "residual blocks": shape.block is not None,
        "a skip around shared weights": shape.residual and shape.tied,
        "a gated cell with fresh weights at every step": kind == "gated" and not shape.tied,
    }.items():
        if holds:
            raise ValueError(f"no theory here is about {what}")
    setting = _setting(spec)
    if kind == "gated":
        return {"dynamic_mean_field": _gated(spec, setting, gated)}
    return {"mean_field": _vanilla(spec, setting)} if shape.tied else {"deep": _deep(spec, setting)}


def _no_theory_of_cell(cell: str) -> str:
    if cell.endswith(FILE):
        return "a cell of your own: no theory here is about it"
    return {
        "accumulator": "accumulator: its Jacobian is the identity, whatever the weights",
        "lstm_simple": "lstm_simple: no recurrent matrix, its Jacobian is diagonal",
    }.get(cell, f"no theory here is about the cell {cell}")


def _setting(spec: Spec) -> Setting:
    """Raises ValueError where weights or inputs are no random draw of known variance."""
    init, H = spec.init, spec.H
    if not isinstance(init, Drawn):
        raise ValueError("the weights are from a file, no random draw")
    gain = random_matrix.equivalent_gain(init.recurrent, H)
    if gain is None:
        raise ValueError(f"init {init.recurrent}: the recurrent weights are no random draw")
    inputs = spec.inputs
    s2 = random_matrix.input_variance(
        inputs.kind, inputs.parameter, init.input, H, spec.I, init.input_scale
    )
    if s2 is None:
        name = f"init.input {init.input}" if init.input == "identity" else f"inputs {inputs.kind}"
        raise ValueError(f"{name}: the variance of the input part is not known")
    start = spec.start
    zero = (start.kind == "normal" and start.std == 0) or start.kind == "zeros"
    zero = zero or (start.given is not None and not start.given.any())
    rests = zero and s2 == 0 and init.bias == 0
    return Setting(spec.weight_scale * gain, gain, s2, init.bias, init.forget_bias, rests)


def _matrix(spec: Spec) -> Told:
    """The laws of one recurrent matrix, that of each gate; nothing where it is no random draw."""
    init, H = spec.init, spec.H
    if not isinstance(init, Drawn) or not spec.base.GATES or spec.cell.endswith(FILE):
        return {}
    if init.recurrent not in (*random_matrix.INDEPENDENT, "orthogonal"):
        return {}
    g = spec.weight_scale * (random_matrix.equivalent_gain(init.recurrent, H) or 0.0)
    exact = init.recurrent == "orthogonal"
    mean, std, low, high = (1.0, 0.0, 1.0, 1.0) if exact else _laws(H)
    limit = Limit.EXACT_MATRIX if exact else Limit.LARGE_MATRIX
    numbers = {
        "g": g,
        "H": H,
        "sigma_max": {"mean": g * mean, "std": g * std},
        "spectral_radius": {"low": g * low, "high": g * high},
    }
    caveats = [] if exact or init.recurrent in ("normal", "randn", "xavier_normal") else [limit]
    told = [one.value for one in ([limit] if exact else caveats)]
    return {"random_matrix": numbers | {"source": MATRIX_SOURCE, "caveats": told}}


@lru_cache(maxsize=256)
def _laws(H: int) -> tuple[float, float, float, float]:
    """At g = 1: mean and std of sigma_max, and what encloses the mean spectral radius."""
    largest = random_matrix.sigma_max(1.0, H)
    return largest.mean, largest.std, *random_matrix.spectral_radius(1.0, H)


def _activation(spec: Spec) -> str:
    return "linear" if spec.cell == "linear" else str(spec.options["activation"])


def _mean_field(spec: Spec, at: Setting) -> MeanField:
    """The mean field of a vanilla cell; of one that stays at rest, the linear net that it is."""
    activation = _activation(spec)
    if at.rests and activation == "relu":
        raise ValueError("a ReLU state that stays at 0 has no slope: the gradient is exactly zero")
    linear = at.rests and activation == "tanh"
    return mean_field("linear" if linear else activation, at.g, at.s2, at.bias)


def _vanilla(spec: Spec, at: Setting) -> Told:
    found, orthogonal = _mean_field(spec, at), _is_orthogonal(spec)
    exact = orthogonal and found.activation == "linear"
    limits = {
        Limit.AT_REST: at.rests and _activation(spec) == "tanh",
        Limit.ORTHOGONAL: orthogonal and not exact,
        Limit.CONSTANT: spec.inputs.kind == "constant" and at.s2 > 0 and not exact,
        Limit.FEW_INPUTS: spec.I < FEW and at.s2 > 0 and found.activation != "linear",
    }
    applies: list[Enum] = [limit for limit, holds in limits.items() if holds]
    fresh = not (limits[Limit.ORTHOGONAL] or limits[Limit.CONSTANT])
    width = found.growth_rate_at(spec.H) if fresh else None
    if width is not None and spec.B > 1:
        applies.append(Limit.BATCH)
    if exact:
        width = found.growth_rate
    without = {meanfield.Domain.AT_REST} | ({meanfield.Domain.SAME_SLOPE} if exact else set())
    applies += [one for one in found.caveats if one not in without]
    mean = found.mean_exponent
    return {
        "activation": _activation(spec),
        **{"g": at.g, "s2": at.s2, "bias": at.bias, "H": spec.H, "q": found.q, "chi": found.chi},
        "growth_rate": found.growth_rate,
        "growth_rate_at_width": width,
        "mean_exponent": mean + 0.5 if mean is not None and orthogonal else mean,
        "critical_weight_scale": _critical_scale(_activation(spec), at),
        "source": found.source,
        "caveats": [one.value for one in applies],
    }


def _is_orthogonal(spec: Spec) -> bool:
    return isinstance(spec.init, Drawn) and spec.init.recurrent == "orthogonal"


def _critical_scale(activation: str, at: Setting) -> float | None:
    """weight_scale at which chi = 1; None where no closed condition is known: a mean of phi."""
    if activation == "sigmoid" or at.bias != 0 or at.gain == 0 or at.s2 > LARGEST_S2:
        return None
    return _critical_gain(activation, at.s2) / at.gain


_critical_gain = lru_cache(maxsize=4096)(meanfield.critical_gain)


def _gated(spec: Spec, at: Setting, gated: Gated | None) -> Told:
    """The dynamic mean field; without `gated` its parameters alone."""
    if spec.inputs.kind not in ("normal", "zeros"):
        raise ValueError(f"inputs {spec.inputs.kind}: the dynamic mean field has fresh inputs only")
    if _is_orthogonal(spec):
        raise ValueError("init orthogonal: the dynamic mean field has independent weights only")
    dmft.checked(spec.cell, at.g, at.s2, at.forget_bias, at.bias)
    parameters = (spec.cell, at.g, at.s2, at.forget_bias, at.bias)
    rate, q_h, limits = None, None, [Limit.NOT_COMPUTED] if gated is None else []
    if at.rests:
        rate, q_h = critical.rest_rate(spec.cell, at.g, at.forget_bias), 0.0
        limits = [Limit.GATES_AT_REST]
    elif gated is not None:
        found = gated(*parameters)
        rate, q_h = found.growth_rate, found.q_h
    limits += [Limit.FEW_INPUTS] if spec.I < FEW and at.s2 > 0 else []
    domain = dmft.caveats(spec.cell, at.s2, at.forget_bias, at.bias)
    kept = () if at.rests else [one for one in domain if one is not dmft.Domain.AT_REST]
    rest = critical.CRITICAL_GAINS[spec.cell](at.forget_bias) / at.gain if at.bias == 0 else None
    return {
        **dict(zip(("cell", "g", "s2", "forget_bias", "bias"), parameters, strict=True)),
        "growth_rate": rate,
        "q_h": q_h,
        "critical_weight_scale_at_rest": rest,
        "source": dmft.SOURCE,
        "caveats": [one.value for one in (*limits, *kept)],
    }


def _deep(spec: Spec, at: Setting) -> Told:
    """Fresh weights in each layer, with or without a skip."""
    activation, skip = _activation(spec), spec.topology.residual
    if skip and (activation in ("tanh", "sigmoid") or (activation == "relu" and at.bias != 0)):
        if not at.rests or activation != "tanh":
            why = "q grows from layer to layer, and chi changes with it"
            raise ValueError(f"a residual net of {activation}: {why}; there is no single rate")
    found = _mean_field(spec, at)
    rate = critical.untied_residual_rate(float(skip), 1.0, found.chi)
    return {
        "activation": activation,
        **{"g": at.g, "s2": at.s2, "bias": at.bias, "keep": int(skip), "chi": found.chi},
        "growth_rate": rate if math.isfinite(rate) else None,
        "source": DEEP_SOURCE,
        "caveats": [Limit.LARGE_DEPTH.value] + ([Limit.AT_REST.value] if at.rests else []),
    }


def _finite(value: Any) -> Any:
    """The same with None for every number that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
