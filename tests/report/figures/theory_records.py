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
    found: dict[str, Any] = {}
    if init["recurrent"] in random_matrix.INDEPENDENT:
        low, high = random_matrix.spectral_radius(g, H)
        found["random_matrix"] = {
            "g": g,
            "H": H,
            "sigma_max": asdict(random_matrix.sigma_max(g, H)),
            "spectral_radius": {"low": low, "high": high},
            "source": "",
            "caveats": [],
        }
    activation = {"linear": "linear", "rnn": config["cell"].get("activation", "tanh")}.get(
        config["cell"]["type"]
    )
    if activation is not None:
        inputs = config["inputs"]
        s2 = random_matrix.input_variance(
            inputs["type"], inputs.get("std", 0.0), init["input"], H, config["input_size"]
        )
        assert s2 is not None
        field = mean_field(activation, g, s2, init["bias"])
        found["mean_field"] = {
            **{name: getattr(field, name) for name in ("activation", "g", "s2", "bias", "q")},
            "H": H,
            "chi": field.chi,
            "growth_rate": field.growth_rate,
            "growth_rate_at_width": field.growth_rate_at(H),
            "mean_exponent": field.mean_exponent,
            "critical_weight_scale": critical_gain(activation, s2) / gain,
            "source": field.source,
            "caveats": [domain.value for domain in field.caveats],
        }
    return found


def _added(source: Record, theory: dict[str, Any]) -> Record:
    return added(source, summary={"theory": source.summary["theory"] | theory})
