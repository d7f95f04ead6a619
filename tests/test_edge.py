"""The value at the edge.

Claims:
- W = g Q with orthogonal Q: the growth rate is ln g, so it is r at g = e^r, whatever r, with an
  interval of no width and slope 1/g;
- a cubic with a steep and a flat side: the root is found to the tolerance, from either side;
- the accumulator's rate is 0 whatever the scale, a cell that never gets there: one clear line;
- a key without a number is refused;
- an exact zero is below every target, an overflow above;
- a rate that has the target only as its limit, or jumps across it, has no edge: one clear line;
- the interval holds no value that the key may not have.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gradlab.cli import app
from gradlab.config import from_mapping
from gradlab.critical import TOLERANCE, Measured, critical, edge
from gradlab.errors import GradlabError

SMALL = {"hidden_size": 4, "batch_size": 2, "seq_len": 30, "seeds": 3, "inputs": "zeros"}
ORTHOGONAL = {"cell": "linear", "init": "orthogonal", **SMALL}


@pytest.mark.parametrize("rate", [-0.3, 0.0, 0.05, 1.0])
def test_an_orthogonal_matrix(rate: float) -> None:
    found = edge(from_mapping(ORTHOGONAL), "weight_scale", rate)
    g = math.exp(rate)
    assert found.value == pytest.approx(g, rel=2 * TOLERANCE)
    assert found.high - found.low < 1e-9  # every seed has the same rate
    # a central difference of ln over 1 % of the value, or .01
    assert found.slope == pytest.approx(1 / g, rel=1e-3)
    assert len(found.measured) < 30


@pytest.mark.parametrize("start", [0.01, 0.5, 3.0, 40.0])
def test_a_root_from_either_side(start: float) -> None:
    def rate(value: float) -> Measured:
        mean = (value - 2.0) ** 3 + 0.01 * (value - 2.0)
        return Measured(value, mean, mean - 0.002, mean + 0.002)

    found = critical(rate, start, positive=True, least=0.0)
    assert found.value == pytest.approx(2.0, abs=4 * TOLERANCE)
    # slope .01 and a small cubic part of a difference over .02
    assert found.slope == pytest.approx(0.01 + 0.02**2, rel=0.05)
    assert found.low < 2.0 < found.high


def test_infinite_rates_only_bracket() -> None:
    def rate(value: float) -> Measured:
        mean = -math.inf if value < 1 else math.inf if value > 5 else math.log(value / 3)
        return Measured(value, mean, mean, mean)

    assert critical(rate, 0.5, positive=True).value == pytest.approx(3.0, rel=1e-3)


def test_a_limit_is_no_edge() -> None:
    """-e^-b comes to exactly zero where the numbers end: no b is the edge."""

    def rate(value: float) -> Measured:
        mean = -math.exp(-value) if value < 40 else 0.0
        return Measured(value, mean, mean, mean)

    with pytest.raises(GradlabError, match="and does not cross it") as caught:
        critical(rate, 1.0)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(("low", "high"), [(-math.inf, 1.0), (-1.0, math.inf)])
def test_a_jump_is_no_edge(low: float, high: float) -> None:
    def rate(value: float) -> Measured:
        mean = low if value < 2 else high
        return Measured(value, mean, mean, mean)

    with pytest.raises(GradlabError, match="near 2 the growth rate jumps") as caught:
        critical(rate, 1.0, positive=True)
    assert caught.value.exit_code == 1


def test_the_interval_stays_where_the_key_may_be() -> None:
    def rate(value: float) -> Measured:
        mean = value - 0.1
        return Measured(value, mean, mean - 0.5, mean + 0.5)

    found = critical(rate, 1.0, positive=True, least=0.0)
    # the rate is linear: the interval is +-.5 around .1, cut at 0
    assert (found.low, found.high) == (0.0, pytest.approx(0.6, rel=1e-3))


def test_a_key_of_a_network_from_a_file(tmp_path: Path) -> None:
    """The config names no cell: nothing is said of that (warnings are errors here)."""
    weights = {"weight_ih_l0": np.eye(3), "weight_hh_l0": 0.5 * np.eye(3)}
    np.savez(tmp_path / "w.npz", **weights)
    config = {"init": {"file": str(tmp_path / "w.npz")}, "inputs": "zeros", "seq_len": 20}
    # tanh(h / 2) at rest: J = I / 2
    assert edge(from_mapping(config)).value == pytest.approx(2.0, rel=2 * TOLERANCE)


def test_where_there_is_no_edge() -> None:
    with pytest.raises(GradlabError, match="stays below the target from"):
        edge(from_mapping({"cell": "rnn", **SMALL}), "weight_scale", 50.0)


@pytest.mark.parametrize("key", ["cell", "seq_len", "nothing", "init.recurrent", "loss.at"])
def test_a_key_without_a_number_is_refused(key: str) -> None:
    with pytest.raises(GradlabError, match="cannot be varied"):
        edge(from_mapping(ORTHOGONAL), key)


def test_the_command(tmp_path: object) -> None:
    config = f"{tmp_path}/c.yaml"
    with open(config, "w", encoding="utf-8") as file:
        file.write(json.dumps(ORTHOGONAL))
    done = CliRunner().invoke(app, ["critical", config, "--target", "0.1"])
    assert done.exit_code == 0
    assert "weight_scale at growth rate 0.1" in done.stdout
    found = json.loads(CliRunner().invoke(app, ["critical", config, "--json"]).stdout)
    assert found["value"] == pytest.approx(1.0, rel=2 * TOLERANCE)
    assert found["vary"] == "weight_scale"
    refused = CliRunner().invoke(app, ["critical", config, "--target", "nan"])
    assert refused.exit_code == 2
    assert "must be a finite number" in refused.stderr
    refused = CliRunner().invoke(app, ["critical", config, "--vary", "cell"])
    assert refused.exit_code == 2
    assert "cannot be varied" in refused.stderr
