"""Overflow is an outcome with its step, never a warning and never a traceback.

Claims:
- states beyond float range end the forward pass at the step where a closed form says so, in both
  precisions, for every seed apart; warnings are errors here;
- what is not finite is null in the summary with a reason, and an empty field in steps.csv;
- weights, inputs and initial states that are themselves beyond float range are told as clearly,
  and what is told to be too large is what was too large.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.errors import GradlabError

ONE: dict[str, Any] = {
    "cell": "linear",
    "hidden_size": 1,
    "batch_size": 1,
    "seq_len": 40,
    "init": {"recurrent": "identity", "input": "identity"},
    "inputs": {"type": "constant", "value": 1.0},
    "seeds": 1,
}


def outcome(config: dict[str, Any]) -> tuple[str, str]:
    """How a run ends, and what is said when it is refused."""
    try:
        return gradlab.run(config).summary["outcome"], ""
    except GradlabError as error:
        return "refused", str(error)


@pytest.mark.fault("run: overflow of the forward pass", "an outcome with its step, exit 0")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("exponent", [10, 16, 19, 30])
def test_the_step_of_the_overflow(dtype: str, exponent: int) -> None:
    """h_t = g h_{t-1} + 1 is g^(t-1) to rounding: beyond range at the first t with
    exponent (t - 1) > log10 of the largest float."""
    result = gradlab.run({**ONE, "weight_scale": 10.0**exponent, "dtype": dtype})
    largest = math.log10(np.finfo(dtype).max)
    assert result.summary["outcome"] == "overflow"
    assert result.summary["overflow_step"] == math.floor(largest / exponent) + 2


def test_one_step_less_is_a_run_like_any_other() -> None:
    config = {**ONE, "weight_scale": 1e30}
    step = gradlab.run(config).summary["overflow_step"]
    result = gradlab.run({**config, "seq_len": step - 1})
    assert result.summary["outcome"] == "ok"
    assert np.isfinite(result["log10_grad_norm_h"]).all()
    # delta_0 = g^T
    assert result["log10_grad_norm_h"][0, 0] == pytest.approx(30 * (step - 1), rel=1e-14)


def test_what_there_is_not_is_null_and_an_empty_field(tmp_path: Path) -> None:
    config = {**ONE, "weight_scale": 1e100, "clip": 5.0, "figures": "none"}
    summary = gradlab.run(config, out=tmp_path / "x").summary
    for key in ("growth_rate", "half_life", "doubling_time", "horizon", "log10_remaining"):
        assert summary[key] is None
    assert summary["reasons"]["growth_rate"]
    assert summary["sigma_max"] == pytest.approx(1e100)
    with (tmp_path / "x" / "steps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assert set(row.values()) - {row["t"], row["lag"], row["seed"]} == {""}


@pytest.mark.fault("run: weights beyond float range", "exit 2, the key is named")
@pytest.mark.parametrize("cell", ["linear", "rnn", "lstm", "gru"])
@pytest.mark.parametrize("scale", [("float64", 1e308), ("float32", 1e39)])
def test_weights_beyond_float_range_are_told_clearly(cell: str, scale: tuple[str, float]) -> None:
    dtype, g = scale
    config = {"cell": cell, "hidden_size": 3, "seq_len": 4, "seeds": 2, "init": "randn"}
    how, told = outcome({**config, "weight_scale": g, "dtype": dtype})
    assert how == "overflow" or "weight_scale" in told


BEYOND: dict[str, dict[str, Any]] = {
    "inputs": {"inputs": {"type": "normal", "std": 1e308}},
    "inputs, single": {"inputs": {"type": "normal", "std": 1e39}, "dtype": "float32"},
    "state": {"initial_state": {"type": "normal", "std": 1e308}},
    "state, single": {"initial_state": {"type": "normal", "std": 1e39}, "dtype": "float32"},
    "constant, single": {"inputs": {"type": "constant", "value": 1e39}, "dtype": "float32"},
}


@pytest.mark.parametrize("cell", ["linear", "rnn"])
@pytest.mark.parametrize("case", BEYOND)
def test_what_is_drawn_beyond_float_range_is_told_clearly(case: str, cell: str) -> None:
    # 50 draws and more: some are beyond 1.8, and 1.8e308 and 3.4e38 are the ends of the ranges
    config = {"cell": cell, "hidden_size": 5, "batch_size": 10, "seq_len": 4, "seeds": 2}
    how, told = outcome({**config, **BEYOND[case]})
    key = next(key for key in BEYOND[case] if key != "dtype")
    assert how == "overflow" or key in told


def test_the_weights_that_are_too_large_are_named() -> None:
    init = {"recurrent": "randn", "input": "randn", "input_scale": 1e308}
    how, told = outcome({"cell": "rnn", "hidden_size": 5, "seeds": 2, "init": init})
    assert how == "overflow" or "input_scale" in told


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_mean_over_seeds_may_have_a_sum_beyond_range(seeds: int) -> None:
    """Of three numbers 1e308 the sum is beyond float range, the mean is not."""
    found = gradlab.run({**ONE, "weight_scale": 1e308, "seeds": seeds}).summary
    assert found["sigma_max"] == pytest.approx(1e308, rel=1e-15)


def test_a_largest_singular_value_beyond_range(tmp_path: Path) -> None:
    """Entries below 1.8e308, a norm above: no bound, and a report all the same."""
    config = {"cell": "linear", "hidden_size": 4, "seq_len": 5, "weight_scale": 1e308}
    found = gradlab.run(config, out=tmp_path / "beyond").summary
    assert found["outcome"] == "overflow"
    assert found["sigma_max"] is None  # the seeds 0 to 7 have such a one, or this checks nothing
    assert "textbook" not in found["theory"]
