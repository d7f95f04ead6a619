"""The value at the edge, as theory predicts it.

Claims:
- weight_scale: the critical gains of the literature, for any init; of a target other than 0 the
  closed form of a linear net; at the net's width a little above;
- other keys: inputs.std has the inverse of the same digits, init.forget_bias the published gain;
- gated cells: the prediction lies where the dynamic mean field changes sign, and is computed for
  few values;
- no theory, a key it does not depend on, or a rate that is never reached: a reason;
- the command has the measured value and the predicted ones, with the names that it had.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gradlab import predicted_edge as module
from gradlab.analysis.critical import lstm_critical_gain
from gradlab.analysis.dmft import dynamic_mean_field
from gradlab.cli import app
from gradlab.config import from_mapping
from gradlab.critical import TOLERANCE, edge
from gradlab.predicted_edge import Predicted, predicted_edge

RNN: dict[str, Any] = {"cell": "rnn", "hidden_size": 64, "seq_len": 60, "seeds": 4, "batch_size": 4}
HALF = {"type": "normal", "std": 0.5}


def predicted(config: dict[str, Any], key: str, target: float, start: float) -> Predicted:
    return predicted_edge(from_mapping({**RNN, **config}), key, target, start)


@pytest.mark.parametrize("start", [0.4, 1.8, 6.0])
def test_the_critical_scale_of_vanilla_nets(start: float) -> None:
    """tanh, sigma_w at s2 = 1: 1.855589; uniform is 1/sqrt 3 of normal; linear 1, ReLU sqrt 2."""
    found = predicted({}, "weight_scale", 0.0, start)
    assert found.kind == "mean field"
    assert found.infinite == pytest.approx(1.855589, abs=1e-6)
    uniform = predicted({"init": "uniform"}, "weight_scale", 0.0, start)
    assert uniform.infinite == pytest.approx(1.855589 * math.sqrt(3), abs=2e-6)
    relu = predicted({"cell": {"type": "rnn", "activation": "relu"}}, "weight_scale", 0.0, start)
    assert relu.infinite == pytest.approx(math.sqrt(2), rel=1e-8)
    linear = predicted({"cell": "linear"}, "weight_scale", -0.3, start)
    assert linear.infinite == pytest.approx(math.exp(-0.3), rel=1e-8)
    assert linear.at_width is None


def test_at_its_width_a_net_needs_larger_weights() -> None:
    found = predicted({"inputs": HALF}, "weight_scale", 0.0, 1.5)
    assert found.infinite == pytest.approx(1.549674, abs=1e-6)
    # -.0160 at g = 1.5, H = 64, is made up for at a slope of .4 to .6 per unit
    assert found.at_width is not None
    assert 0.02 < found.at_width - 1.549674 < 0.06
    wide = predicted({"inputs": HALF, "hidden_size": 4096}, "weight_scale", 0.0, 1.5)
    assert wide.at_width == pytest.approx(1.549674, abs=0.001)  # 1 / H of that


def test_the_measured_edge_lies_between() -> None:
    """A batch of 4: between the values of one sequence and of infinite width, and its interval."""
    found = edge(from_mapping({**RNN, "inputs": HALF}))
    theory = predicted({"inputs": HALF}, "weight_scale", 0.0, found.value)
    assert theory.infinite is not None
    assert theory.at_width is not None
    half = (found.high - found.low) / 2
    assert theory.infinite - half < found.value < theory.at_width + half


def test_other_keys() -> None:
    """The published pairs of sigma_w and s2, the other way round: std = sqrt(.25), sqrt(1)."""
    for scale, s2 in ((1.549674, 0.25), (1.855589, 1.0)):
        found = predicted({"weight_scale": scale}, "inputs.std", 0.0, 0.7)
        assert found.infinite == pytest.approx(math.sqrt(s2), abs=2e-5)  # six digits, ds/dg about 2
        found = predicted({"weight_scale": scale}, "init.input_scale", 0.0, 0.7)
        assert found.infinite == pytest.approx(math.sqrt(s2), abs=2e-5)


def test_a_gated_cell_at_rest() -> None:
    """No input: the exact rate of 60 lags is 0 a little above the critical gain, which is told."""
    config = {"cell": "lstm", "inputs": "zeros", "init": {"forget_bias": 1.0}}
    found = predicted(config, "weight_scale", 0.0, 1.5)
    assert found.at_rest == pytest.approx(1.075766, abs=1e-6)
    assert found.infinite is not None
    # the sum over 60 lags grows by k^(-1/2) less: ln(60) / 2 / 120 below, at a slope of 1/4
    assert 1.075766 < found.infinite < 1.075766 + 4 * math.log(60) / 240 * 1.5
    bias = predicted({"cell": "lstm", "inputs": "zeros"}, "init.forget_bias", 0.0, 1.0)
    assert bias.infinite is not None
    assert lstm_critical_gain(bias.infinite) < 1 < lstm_critical_gain(bias.infinite - 0.5)
    assert bias.at_rest is None  # a weight_scale


@pytest.mark.slow
def test_a_gated_cell_with_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/theory.md: at forget bias 1, s2 = .25 the rate is 0 between g = 1 and 2."""
    values: list[float] = []

    def counted(cell: str, g: float, s2: float, forget_bias: float, bias: float) -> Any:
        values.append(g)
        return dynamic_mean_field(cell, g, s2, forget_bias, bias)

    monkeypatch.setattr(module, "gated", counted)
    config = {"cell": "lstm", "inputs": HALF, "init": {"forget_bias": 1.0}}
    found = predicted(config, "weight_scale", 0.0, 1.9)
    assert found.kind == "dynamic mean field"
    assert found.at_width is found.at_rest is None
    assert found.infinite is not None
    assert 1 < found.infinite < 2
    below, above = (
        dynamic_mean_field("lstm", found.infinite * f, 0.25, 1.0, 0.0).growth_rate
        for f in (1 - 3 * TOLERANCE, 1 + 3 * TOLERANCE)
    )
    assert below < 0 < above
    assert len(values) <= 12


@pytest.mark.parametrize(
    ("config", "key", "target", "why"),
    [
        ({"cell": "gru_2014"}, "weight_scale", 0.0, "no theory here is about the cell gru_2014"),
        ({"layers": 2}, "weight_scale", 0.0, "several layers"),
        ({"theory": "none"}, "weight_scale", 0.0, "theory: none"),
        ({"clip": 1.0}, "clip.threshold", 0.0, "does not depend on clip.threshold"),
        ({}, "weight_scale", 900.0, "stays below the target"),
    ],
)
def test_no_prediction_has_a_reason(
    config: dict[str, Any], key: str, target: float, why: str
) -> None:
    found = predicted(config, key, target, 1.0)
    assert found.infinite is found.at_width is found.at_rest is None
    assert found.reason is not None
    assert why in found.reason


def test_the_command_has_both(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(RNN | {"inputs": HALF}), encoding="utf-8")
    done = CliRunner().invoke(app, ["critical", str(config), "--json"])
    found = json.loads(done.stdout)
    assert found["theory"] == pytest.approx(1.549674, abs=1e-6)
    assert found["theory_at_width"] > found["theory"]
    assert found["theory_kind"] == "mean field"
    assert found["theory_at_rest"] is found["theory_reason"] is None
    done = CliRunner().invoke(app, ["critical", str(config)])
    assert "predicted: mean field, infinite width" in done.stdout
    assert "predicted: mean field, at width" in done.stdout
    assert done.stderr == ""  # no bar where there is no terminal
    done = CliRunner().invoke(app, ["critical", str(config), "cell=gru_2014"])
    assert "no prediction: no theory here is about the cell gru_2014" in done.stdout
