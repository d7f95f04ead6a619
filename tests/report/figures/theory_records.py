"""Records with a theory in their summary, as a run of a vanilla net has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from network_records import added

from gradlab.analysis import random_matrix
from gradlab.analysis.meanfield import critical_gain, mean_field
from gradlab.record import Record


def with_theory(source: Record) -> Record:
    """The record of a net with init normal and normal inputs, and what theory says of it."""
    return _added(source, theory(source.config))


def theory(config: dict[str, Any]) -> dict[str, Any]:
    """mean_field of a vanilla cell and random_matrix of independent entries, of a config."""
    init, H, scale = config["init"], config["hidden_size"], config["weight_scale"]
    gain = random_matrix.equivalent_gain(init["recurrent"], H)
    assert gain is not None
    g = scale * gain
    found = _matrix(init["recurrent"], g, H)
    activation = {"linear": "linear", "rnn": config["cell"].get("activation", "tanh")}.get(
        config["cell"]["type"]
    )
    if activation is not None and config["layers"] == 1 and not config["residual"]:
        inputs, name = config["inputs"], "mean_field" if config["tied"] else "deep"
        s2 = random_matrix.input_variance(
            inputs["type"], inputs.get("std", 0.0), init["input"], H, config["input_size"]
        )
        assert s2 is not None
        found[name] = _rates(activation, g, s2, init, H, config["tied"])
    return found


def _matrix(init: str, g: float, H: int) -> dict[str, Any]:
    """random_matrix: of independent entries a law, of an orthogonal matrix exact."""
    exact = init not in random_matrix.INDEPENDENT
    low, high = (g, g) if exact else random_matrix.spectral_radius(g, H)
    largest = {"mean": g, "std": 0.0} if exact else asdict(random_matrix.sigma_max(g, H))
    laws = {"sigma_max": largest, "spectral_radius": {"low": low, "high": high}}
    return {"random_matrix": {"g": g, "H": H, **laws, "source": "", "caveats": []}}


def _rates(
    activation: str, g: float, s2: float, init: dict[str, Any], H: int, tied: bool
) -> dict[str, Any]:
    """mean_field, or deep where every step has its own weights."""
    field = mean_field(activation, g, s2, init["bias"])
    orthogonal = init["recurrent"] == "orthogonal"
    mean = field.mean_exponent
    names = ("activation", "g", "s2", "bias", "chi", "growth_rate", "source")
    told = {name: getattr(field, name) for name in names} | {
        "H": H,
        "growth_rate_at_width": None if orthogonal else field.growth_rate_at(H),
        "caveats": [domain.value for domain in field.caveats],
    }
    if not tied:
        return told | {"keep": 0}
    # ln|det W| / H is ln g of g Q, and half a nat less of independent entries
    return told | {
        "q": field.q,
        "mean_exponent": mean + 0.5 if mean is not None and orthogonal else mean,
        "critical_weight_scale": critical_gain(activation, s2),
    }


def _added(source: Record, theory: dict[str, Any]) -> Record:
    return added(source, summary={"theory": source.summary["theory"] | theory})
