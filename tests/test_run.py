"""Runs from config to numbers and files: the texts' digits, real input, same seed same bytes.

Claims:
- the textbook's norms come out to the digit at both scales, also in steps.csv; so do sigma and rho;
- at scale 0.5 the summary says vanishing although sigma_max > 1, and why that is possible;
- at T = 5000 the log10 norms of the textbook's pair are right where no float could hold the norm;
- a trained LSTM from a file runs and says how far back it carries a gradient;
- the same config gives the same bytes, whatever the ensemble, the order of seeds, checkpoints;
- the resolved config.yaml runs again to the same result; overflow is an outcome with its step;
- every array that record.py documents is there, and none else.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import memory, record
from gradlab.errors import GradlabError

ROOT = Path(__file__).resolve().parents[1]
TEXTBOOK = json.loads((ROOT / "tests/reference/textbook_norms.json").read_text("utf-8"))["cases"]
PAIR = {1.0: "textbook_exploding", 0.5: "textbook_vanishing"}
SMALL: dict[str, Any] = {"hidden_size": 5, "batch_size": 3, "seq_len": 40, "seeds": 3}


@pytest.mark.parametrize("case", TEXTBOOK, ids=lambda case: f"scale {case['scale']}")
def test_the_textbooks_digits(case: dict[str, Any], tmp_path: Path) -> None:
    config = ROOT / "configs" / f"{PAIR[case['scale']]}.yaml"
    result = gradlab.run(config, "figures=none", out=tmp_path / "out")
    norms = np.array([float(text) for text in case["norms_mpmath"]])
    backwards = result["grad_norm_h"][0, ::-1][1:] / case["N"]
    # 20 products of 3 x 3 matrices: a few eps each
    np.testing.assert_allclose(backwards, norms, rtol=1e-12)
    with (tmp_path / "out" / "steps.csv").open(encoding="utf-8") as file:
        stored = [float(row["grad_norm_h"]) for row in csv.DictReader(file)][::-1][1:]
    np.testing.assert_allclose(np.array(stored) / case["N"], norms, rtol=1e-12)
    np.testing.assert_allclose(result["weight_singular_values"][0, 0], case["sigma"], rtol=1e-12)
    assert result.summary["sigma_max"] == pytest.approx(case["sigma"][0], rel=1e-12)
    assert result.summary["spectral_radius"] == pytest.approx(case["abs_eig_max"], rel=1e-12)


def test_the_rule_of_thumb_is_not_repeated() -> None:
    summary = gradlab.run(ROOT / "configs/textbook_vanishing.yaml").summary
    assert summary["sigma_max"] > 1
    assert summary["verdict"] == "vanishing"
    assert any(
        "necessary" in caveat and "not sufficient" in caveat for caveat in summary["caveats"]
    )


@pytest.mark.parametrize(("scale", "log10"), [(1.0, 493.970757579), (0.5, -1011.179220741)])
def test_five_thousand_steps_of_the_textbook(scale: float, log10: float) -> None:
    config = ROOT / "configs" / f"{PAIR[scale]}.yaml"
    result = gradlab.run(config, "seq_len=5000", "spectrum=none")
    # the value is given to 9 decimals
    assert result["log10_grad_norm_h"][0, 0] - np.log10(2) == pytest.approx(log10, abs=1e-8)
    assert np.isnan(result["grad_norm_h"][0, 0])  # no float holds it


@pytest.mark.slow
def test_a_million_steps_finish() -> None:
    linear = {"cell": "linear", "hidden_size": 3, "batch_size": 1, "inputs": "zeros", "seeds": 2}
    result = gradlab.run({**linear, "seq_len": 1_000_000, "spectrum": "none"})
    assert np.isfinite(result["log10_grad_norm_h"]).all()
    assert len(result["t"]) <= 10_001


def test_a_trained_network_says_how_far_back() -> None:
    summary = gradlab.run(ROOT / "configs/trained_lstm.yaml", "seeds=2", "spectrum=none").summary
    assert summary["verdict"] == "vanishing"
    assert 1 < summary["half_life"] < 100
    assert summary["horizon"] is not None
    assert set(summary["sigma_max_by_gate"]) == {"i", "f", "g", "o"}


def files(folder: Path) -> dict[str, bytes]:
    """All files of a result but the one that may differ."""
    found = {p.name: p.read_bytes() for p in folder.iterdir()}
    del found["provenance.json"]
    return found


def test_the_same_config_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        gradlab.run({"cell": "lstm", "name": "same", **SMALL}, out=tmp_path / name)
    first, second = files(tmp_path / "a"), files(tmp_path / "b")
    assert {"record.npz", "steps.csv", "summary.json", "report.md"} <= first.keys()
    assert "gradient_norms.png" in first
    assert first == second


@pytest.mark.parametrize("cell", ["linear", "rnn", "lstm", "gru"])
def test_a_seed_is_the_same_in_any_company(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradlab.run({"cell": cell, **SMALL, "seeds": [0, 1, 2]})
    turned = gradlab.run({"cell": cell, **SMALL, "seeds": [2, 0, 1]})
    marked = gradlab.run({"cell": cell, **SMALL, "seeds": [0, 1, 2], "checkpoint": 16})
    monkeypatch.setattr(memory, "MEMORY", 1)
    single = gradlab.run({"cell": cell, **SMALL, "seeds": [0, 1, 2], "checkpoint": "none"})
    for name, array in whole.arrays.items():
        if name not in {"t", "lag_split_lag"}:
            np.testing.assert_array_equal(turned[name], array[[2, 0, 1]], err_msg=name)
            np.testing.assert_array_equal(marked[name], array, err_msg=name)
            np.testing.assert_array_equal(single[name], array, err_msg=name)
    assert turned.summary == whole.summary


def test_the_resolved_config_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = gradlab.run(
        ROOT / "configs/trained_lstm.yaml",
        "seeds=1",
        "seq_len=5",
        "figures=none",
        out=tmp_path / "a",
    )
    monkeypatch.chdir(tmp_path)
    again = gradlab.run(tmp_path / "a" / "config.yaml", out=tmp_path / "b")
    assert again.identity == first.identity
    assert again.summary == first.summary


def test_overflow_is_an_outcome_with_its_step() -> None:
    # h_t = 1e100 h_{t-1} + x_t with x = 1: |h_4| is about 1e300, |h_5| has no float
    config = {"cell": "linear", "hidden_size": 1, "seq_len": 20, "init": "identity"}
    config |= {"inputs": "constant", "weight_scale": 1e100, "seeds": 1, "batch_size": 1}
    result = gradlab.run({**config, "init": {"recurrent": "identity", "input": "identity"}})
    assert result.summary["outcome"] == "overflow"
    assert result.summary["overflow_step"] == 5
    assert result.summary["growth_rate"] is None
    assert result.summary["reasons"]["growth_rate"]
    assert np.isnan(result["log10_grad_norm_h"]).all()


EVERYTHING: list[dict[str, Any]] = [
    {"cell": "lstm", "clip": {"threshold": 1.0, "by": "step_norm"}},
    {"cell": "lstm", "truncate": 5, "loss": "mse"},
    {"cell": "lstm", "layers": 2},
    {"cell": "gru", "bidirectional": True},
    {"cell": "lstm_simple"},
    {"cell": "rnn", "spectrum": {"product": True, "lyapunov": True}},
]


def test_every_documented_array_is_there_and_every_array_documented() -> None:
    found = {name for config in EVERYTHING for name in gradlab.run({**SMALL, **config}).arrays}
    few = ("seq_len=5", "seeds=1", "batch_size=1", "spectrum=none")
    found |= gradlab.run(ROOT / "configs/trained_lstm.yaml", *few).arrays.keys()
    text = re.sub(r"\b_slope, _saturation\b", "gate_slope, gate_saturation", record.__doc__ or "")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")][2:]
    names = {name.strip() for row in rows for name in row.split(",")} - {"backward_NAME"}
    parts = ("h", "c", "h_total", "c_total")
    documented = {name.replace("PART", part) for name in names for part in parts}
    # of a layer's h all that is recorded has every path
    totals = {"layer_grad_norm_h_total", "layer_log10_grad_norm_h_total"}
    backward = {name.removeprefix("backward_") for name in found if name.startswith("backward_")}
    assert backward <= documented
    assert documented - totals == {name for name in found if not name.startswith("backward_")}


def test_what_is_wrong_is_raised_at_once() -> None:
    with pytest.raises(GradlabError) as raised:
        gradlab.run({"cell": "lsmt", "hidden_size": -1})
    assert len(raised.value.problems) == 2
    with pytest.raises(GradlabError, match="no results folder"):
        gradlab.load("nowhere")
