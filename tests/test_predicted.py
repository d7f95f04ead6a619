"""What theory predicts for a run, in its summary.

Claims:
- every cell and every network has a prediction of the rate or a reason why not, and JSON holds it;
- published digits come out of a run's summary: critical gains, Lyapunov exponents of the tanh map,
  the gains at which the zero state of gated cells turns unstable;
- exact cases: W = g Q, a net that stays at rest, a residual net;
- what is measured agrees with what is predicted, within the tolerance of the theory;
- numbers out of range are a reason, no failure; a wrong `theory` is refused;
- `theory: auto` computes no dynamic mean field, `full` does, `none` predicts nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradlab import predicted
from gradlab.cells import CELLS
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.initial import INITS
from gradlab.inputs import INPUTS
from gradlab.plan import settle
from gradlab.predicted import Limit, told
from gradlab.runner import run

BARE = {"spectrum": "none", "lag_split": "none", "figures": "none"}
TINY: dict[str, Any] = {"hidden_size": 4, "seq_len": 6, "batch_size": 1, "seeds": 1, **BARE}
RATES = ("mean_field", "dynamic_mean_field", "deep")
RELU = {"type": "rnn", "activation": "relu"}
NO_INPUT = {"inputs": "zeros", "initial_state": "normal"}
NETWORKS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "three layers": {"layers": 3},
    "residual layers": {"layers": 2, "residual": True},
    "residual": {"residual": True},
    "untied": {"tied": False},
    "untied residual": {"tied": False, "residual": True},
    "both directions": {"bidirectional": True},
    "encoder, decoder": {"encoder_decoder": {"encoder": 4, "decoder": 2}},
}
DRAWN = [kind for kind in INPUTS if kind not in ("file", "text")]


def theory(**config: Any) -> dict[str, Any]:
    """`theory` of the summary of a run."""
    found: dict[str, Any] = run(settle(from_mapping({**TINY, **config}).config)[1]).summary
    return dict(found["theory"])


def planned(**config: Any) -> dict[str, Any]:
    """The same without the run: there is no measured bound in it."""
    return told(settle(from_mapping({**TINY, **config}).config)[1], None)


def check(found: dict[str, Any]) -> None:
    """A prediction or a reason, never both, never neither; sources and sentences are there."""
    assert sum(name in found for name in (*RATES, "reason")) == 1
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for name, one in found.items():
        if name == "reason":
            assert one
            assert "\n" not in one
        else:
            assert one["source"]
            assert all(sentence.endswith(".") for sentence in one["caveats"])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_prediction_or_a_reason(cell: str, network: str) -> None:
    check(theory(cell=cell, **NETWORKS[network]))


@pytest.mark.parametrize("cell", [*CELLS, RELU, {"type": "rnn", "activation": "sigmoid"}])
def test_a_prediction_or_a_reason_for_every_draw(cell: Any) -> None:
    for inputs in DRAWN:
        for init in INITS:
            for bias in (0.0, 0.5):
                check(planned(cell=cell, inputs=inputs, init={"recurrent": init, "bias": bias}))


def test_residual_blocks_and_files_have_a_reason(tmp_path: Any) -> None:
    found = theory(cell="rnn", tied=False, residual=True, block=2)
    assert "residual blocks" in found["reason"]
    weights = tmp_path / "w.npz"
    np.savez(weights, weight_hh=np.eye(4), weight_ih=np.eye(4))
    found = theory(cell="rnn", init={"file": str(weights)})
    assert "file" in found["reason"]
    assert "random_matrix" not in found
    given = tmp_path / "x.npy"
    np.save(given, np.ones((6, 4)))
    for cell in ("rnn", "lstm"):
        found = theory(cell=cell, inputs={"type": "file", "path": str(given)})
        assert "inputs file" in found["reason"]
        assert "random_matrix" in found  # of the weights something is known


@pytest.mark.parametrize(
    ("s2", "scale"), [(0.0, 1.0), (0.05, 1.327010), (0.25, 1.549674), (1.0, 1.855589)]
)
def test_critical_scale_of_tanh(s2: float, scale: float) -> None:
    """Six digits are given."""
    inputs = {"type": "normal", "std": math.sqrt(s2)}
    found = theory(cell="rnn", inputs=inputs, initial_state="normal")["mean_field"]
    assert found["critical_weight_scale"] == pytest.approx(scale, abs=1e-6)
    uniform = theory(cell="rnn", inputs=inputs, init="uniform")["mean_field"]
    assert uniform["critical_weight_scale"] == pytest.approx(scale * math.sqrt(3), abs=2e-6)


@pytest.mark.parametrize(
    ("g", "rate"),
    [(1.2, 0.016476), (1.5, 0.065217), (2, 0.154724), (3, 0.310249), (5, 0.532428), (10, 0.856435)],
)
def test_lyapunov_exponents_of_the_tanh_map(g: float, rate: float) -> None:
    """Six digits are given; textbooks' `randn` has the same gain at g / sqrt(H)."""
    found = theory(cell="rnn", weight_scale=g, **NO_INPUT)["mean_field"]
    assert found["growth_rate"] == pytest.approx(rate, abs=1e-6)
    randn = theory(cell="rnn", weight_scale=g / 2, init="randn", **NO_INPUT)["mean_field"]
    assert randn["growth_rate"] == pytest.approx(rate, abs=1e-6)


@pytest.mark.parametrize(("g", "mean"), [(1.5, -0.714346), (3, -2.272805)])
def test_mean_exponent_of_the_tanh_map(g: float, mean: float) -> None:
    found = theory(cell="rnn", weight_scale=g, **NO_INPUT)["mean_field"]
    assert found["mean_exponent"] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    ("cell", "bias", "gain"),
    [("lstm", 0, 2.0), ("lstm", 1, 1.075766), ("lstm", 2, 0.476812), ("gru", 1, 2.0)],
)
def test_gains_at_the_zero_state(cell: str, bias: float, gain: float) -> None:
    found = theory(cell=cell, inputs="zeros", init={"forget_bias": bias})["dynamic_mean_field"]
    assert found["critical_weight_scale_at_rest"] == pytest.approx(gain, abs=1e-6)
    assert found["q_h"] == 0
    uniform = {"recurrent": "uniform", "forget_bias": bias}
    found = theory(cell=cell, inputs="zeros", init=uniform)["dynamic_mean_field"]
    assert found["critical_weight_scale_at_rest"] == pytest.approx(gain * math.sqrt(3), abs=2e-6)


def test_fresh_weights() -> None:
    """ReLU is critical at g^2 = 2 (He et al. 2015); a skip adds 1 to the chi of a linear net."""
    he = theory(cell=RELU, tied=False, weight_scale=math.sqrt(2))["deep"]
    assert he["growth_rate"] == pytest.approx(0, abs=1e-15)
    # of a ReLU layer: ||W^T D v||^2 / ||v||^2 is a sum of about H / 2 chi^2, each over H:
    # variance 2 / H of W, 3 / H of which units are on; half of both, and half for the norm
    assert he["growth_rate_at_width"] == pytest.approx(-2.5 / 4 / 2, abs=1e-12)
    linear = theory(cell="linear", tied=False, residual=True, weight_scale=0.5)["deep"]
    assert linear["growth_rate"] == pytest.approx(math.log(1.25) / 2, abs=1e-15)


def test_a_residual_net_of_relu_has_no_rate_from_chi() -> None:
    """h grows along one direction, and the gradient with it: Euler's identity of a homogeneous net
    keeps delta . h constant. 1 + chi says .203 at g = 1; the series of W^T D's mean part and its
    scatter, 1 = (g^2 / 2 pi) / (r - 1)^2 + g^2 (1/2 - 1/2 pi) / (r^2 - 1), has ln r = .388.
    """
    config = {"cell": RELU, "tied": False, "residual": True, "hidden_size": 256, "seq_len": 30}
    config |= {"inputs": "zeros", "initial_state": "normal", "seeds": 2, "batch_size": 1}
    summary = run(settle(from_mapping({**config, "spectrum": "none"}).config)[1]).summary
    mean, scatter = 1 / (2 * math.pi), 0.5 - 1 / (2 * math.pi)
    ratio = bisected(lambda r: mean / (r - 1) ** 2 + scatter / (r * r - 1) - 1, 1.1, 3.0)
    # two seeds of 256 units: a scatter of .01
    assert summary["growth_rate"]["mean"] == pytest.approx(math.log(ratio), abs=0.04)
    assert abs(summary["growth_rate"]["mean"] - math.log(1.5) / 2) > 0.15
    assert set(summary["theory"]) == {"random_matrix", "reason"}
    assert "one direction" in summary["theory"]["reason"]


def bisected(function: Callable[[float], float], low: float, high: float) -> float:
    """The root between two values, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def test_fresh_weights_have_the_caveats_of_their_mean_field() -> None:
    config: dict[str, Any] = {"cell": "rnn", "tied": False, "inputs": "zeros"}
    config |= {"initial_state": "normal", "spectrum": "none", "seeds": 1, "seq_len": 2}
    found = theory(**config)["deep"]
    assert any("near the transition" in caveat for caveat in found["caveats"])
    far = theory(**config, weight_scale=2.5)["deep"]
    assert not any("near the transition" in caveat for caveat in far["caveats"])


@pytest.mark.parametrize("g", [0.7, 1.0, 1.3])
def test_an_orthogonal_matrix_is_exact(g: float) -> None:
    config = {**TINY, "cell": "linear", "init": "orthogonal", "weight_scale": g, "seq_len": 40}
    summary = run(settle(from_mapping(config).config)[1]).summary
    found = summary["theory"]
    assert found["mean_field"]["growth_rate_at_width"] == found["mean_field"]["growth_rate"]
    # 40 products of rounding errors
    rate = pytest.approx(summary["growth_rate"]["mean"], abs=1e-12)
    assert found["mean_field"]["growth_rate_at_width"] == rate
    assert found["mean_field"]["mean_exponent"] == rate  # all exponents are ln g
    assert found["random_matrix"]["sigma_max"] == {"mean": g, "std": 0.0}
    assert found["random_matrix"]["spectral_radius"] == {"low": g, "high": g}
    assert summary["sigma_max"] == pytest.approx(g, rel=1e-13)


def test_a_net_that_stays_at_rest_is_linear() -> None:
    resting = theory(cell="rnn", inputs="zeros", weight_scale=1.5)["mean_field"]
    linear = theory(cell="linear", inputs="zeros", weight_scale=1.5)["mean_field"]
    assert resting["growth_rate"] == linear["growth_rate"] == pytest.approx(math.log(1.5))
    assert resting["growth_rate_at_width"] is None
    assert Limit.AT_REST.value in resting["caveats"]
    assert resting["q"] == 0  # though that of a linear net with g > 1 diverges if it is moved
    assert not any("no fixed point" in caveat for caveat in resting["caveats"])
    assert "exactly zero" in theory(cell=RELU, inputs="zeros")["reason"]
    started = theory(cell="rnn", weight_scale=1.5, **NO_INPUT)["mean_field"]
    assert started["growth_rate"] == pytest.approx(0.065217, abs=1e-6)
    none = theory(cell="rnn", inputs="zeros", initial_state={"type": "normal", "std": 0.0})
    assert Limit.AT_REST.value in none["mean_field"]["caveats"]


def test_where_the_width_does_not_count() -> None:
    """A sentence says why there is no number for the width, or of what it is."""
    cases: dict[str, tuple[dict[str, Any], Limit]] = {
        "constant": ({"inputs": "constant"}, Limit.CONSTANT),
        "orthogonal": ({"init": "orthogonal"}, Limit.ORTHOGONAL),
    }
    for config, limit in cases.values():
        found = theory(cell="rnn", **config)["mean_field"]
        assert found["growth_rate_at_width"] is None
        assert limit.value in found["caveats"]
    assert Limit.BATCH.value in theory(cell="rnn", batch_size=2)["mean_field"]["caveats"]
    assert Limit.BATCH.value not in theory(cell="rnn")["mean_field"]["caveats"]
    wide = theory(cell="rnn", input_size=10)["mean_field"]["caveats"]
    assert Limit.FEW_INPUTS.value in theory(cell="rnn")["mean_field"]["caveats"]
    assert Limit.FEW_INPUTS.value not in wide


@pytest.mark.parametrize(
    "config",
    [
        {"cell": "rnn", "weight_scale": 1e300},
        {"cell": "rnn", "inputs": {"type": "normal", "std": 1e200}},
        {"cell": "rnn", "init": {"bias": 1e200}},
        {"cell": "rnn", "init": {"input_scale": 1e300}},
        {"cell": "lstm", "weight_scale": 1e11},
        {"cell": "lstm", "weight_scale": 0.0},
        {"cell": "gru", "init": {"forget_bias": 101.0}},
    ],
)
def test_numbers_out_of_range_are_a_reason(config: dict[str, Any]) -> None:
    found = planned(**config)
    check(found)
    assert "reason" in found


@pytest.mark.parametrize("std", [1e-150, 1e-8, 1e3, 1e10])
def test_numbers_at_the_extremes(std: float) -> None:
    for cell in ("rnn", RELU, "linear", "lstm", "gru"):
        for scale in (0.0, 1e-30, 1e8):
            check(planned(cell=cell, weight_scale=scale, inputs={"type": "normal", "std": std}))


def test_how_much_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def counted(*parameters: Any) -> Any:
        calls.append(parameters)
        return predicted.GatedTheory(*parameters, -0.4, 0.02, (0.0, -0.4), ())

    spec = {
        name: settle(from_mapping({**TINY, "cell": "lstm", "theory": name}).config)[1]
        for name in ("auto", "full", "none")
    }
    assert len({one.identity for one in spec.values()}) == 3
    quick = told(spec["auto"], None, counted)["dynamic_mean_field"]
    assert calls == []
    assert (quick["growth_rate"], quick["q_h"]) == (None, None)
    assert Limit.NOT_COMPUTED.value in quick["caveats"]
    full = told(spec["full"], None, counted)["dynamic_mean_field"]
    assert calls == [("lstm", 1.0, 1.0, 0.0, 0.0)]
    assert (full["growth_rate"], full["q_h"]) == (-0.2, 0.02)
    nothing = told(spec["none"], {"gamma": 1.0}, counted)
    assert set(nothing) == {"textbook", "reason"}
    assert len(calls) == 1


def test_a_wrong_value_of_theory_is_refused() -> None:
    with pytest.raises(GradlabError, match=r"theory.*(auto|full|none)") as caught:
        from_mapping({"cell": "rnn", "theory": "some"})
    assert caught.value.exit_code == 2


def test_largest_singular_values_of_a_run() -> None:
    """Mean over 30 seeds; four of its standard errors, and .005 g that the law may be off by."""
    for cell in ("rnn", "lstm"):
        config = {**TINY, "cell": cell, "hidden_size": 32, "seeds": 30, "weight_scale": 2.0}
        config["spectrum"] = {"step": True}
        summary = run(settle(from_mapping(config).config)[1]).summary
        found = summary["theory"]["random_matrix"]
        gates = summary["sigma_max_by_gate"]
        error = 4 * found["sigma_max"]["std"] / math.sqrt(30 * len(gates))
        mean = math.fsum(gates.values()) / len(gates)
        assert mean == pytest.approx(found["sigma_max"]["mean"], abs=error + 0.005 * 2)
        radius = math.fsum(summary["spectral_radius_by_gate"].values()) / len(gates)
        # the mean lies between the two; it varies by .1 g from draw to draw at H = 32
        room = 4 * 0.1 * 2 / math.sqrt(30 * len(gates))
        low, high = found["spectral_radius"]["low"], found["spectral_radius"]["high"]
        assert low - room < radius < high + room


@pytest.mark.parametrize(("g", "std"), [(1.5, 0.5), (3.0, 1.0)])
def test_a_run_agrees_with_the_mean_field(g: float, std: float) -> None:
    """One sequence, H = 256; NUMERICS allows .02 at H = 512 with input, for the slope of
    ln||delta||^2: that is .01 here, and .01 for four seeds of 200 steps (sd .005 each).
    """
    config = {"cell": "rnn", "weight_scale": g, "inputs": {"type": "normal", "std": std}}
    size = {"hidden_size": 256, "seq_len": 200, "seeds": 4, "batch_size": 1, **BARE}
    summary = run(settle(from_mapping(config | size).config)[1]).summary
    found = summary["theory"]["mean_field"]
    assert summary["growth_rate"]["mean"] == pytest.approx(found["growth_rate_at_width"], abs=0.02)


@pytest.mark.parametrize(("cell", "g", "bias"), [("lstm", 1, 1), ("lstm", 3, 0), ("gru", 1, 0)])
def test_a_run_at_rest_agrees_with_the_exact_rate(cell: str, g: float, bias: float) -> None:
    """H = 256, 60 lags: the radius of W varies by .04 from seed to seed, a fifth of that here."""
    config = {"cell": cell, "weight_scale": g, "inputs": "zeros", "init": {"forget_bias": bias}}
    size = {"hidden_size": 256, "seq_len": 60, "seeds": 3, "batch_size": 1, **BARE}
    summary = run(settle(from_mapping(config | size).config)[1]).summary
    found = summary["theory"]["dynamic_mean_field"]
    assert summary["growth_rate"]["mean"] == pytest.approx(found["growth_rate"], abs=0.02)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "g", "bias"), [("lstm", 1, 1), ("lstm", 1, 3), ("gru", 1, 0), ("gru", 1, 2)]
)
def test_a_run_agrees_with_the_dynamic_mean_field(cell: str, g: float, bias: float) -> None:
    """H = 512, s2 = .25; .02 per step in ln||delta||^2 is .01, and .005 for three seeds."""
    config = {"cell": cell, "weight_scale": g, "init": {"forget_bias": bias}, "theory": "full"}
    config |= {"inputs": {"type": "normal", "std": 0.5}}
    size = {"hidden_size": 512, "seq_len": 120, "seeds": 3, "batch_size": 4, **BARE}
    found = run(settle(from_mapping(config | size).config)[1])
    lag = found.lag
    there = (lag >= 10) & (lag <= 60)
    curves = found["log10_grad_norm_h"][:, there] * math.log(10)
    slope = np.mean([np.polyfit(lag[there], curve, 1)[0] for curve in curves])
    rate = found.summary["theory"]["dynamic_mean_field"]["growth_rate"]
    assert slope == pytest.approx(rate, abs=0.015)
