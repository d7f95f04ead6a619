"""The result in words: what a learner reads, for every verdict.

Claims:
- each verdict has its sentence with the numbers of the summary in it; an overflow names its step;
- the reasons name the weights, the factors of the cell and the textbook's condition that held;
  where sigma_max > 1 and the gradient vanishes anyway the text says so;
- clipping is told in every case: none, idle, in all or some seeds, by step, without a gradient;
- numbers are short and right: no digit is lost, none is written as a power of ten that need not
  be, and rounding up to the next power of ten is carried.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradlab
from gradlab.report import words
from gradlab.report.words import plain, power, signed

ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 50, "seeds": 3}
LINE: dict[str, Any] = {"cell": "linear", "init": "orthogonal", "inputs": "zeros"}
RELU = {"type": "rnn", "activation": "relu"}


def record(**config: Any) -> gradlab.record.Record:
    return gradlab.run({**SMALL, "spectrum": "none", **config})


# ---------------------------------------------------------------- the headline

HEADLINES: dict[str, tuple[dict[str, Any], str]] = {
    # ln 2 / ln 2 = 1 step; 2^-50 = 8.9e-16
    "halves": (
        {**LINE, "weight_scale": 0.5},
        "vanishing: the gradient halves every 1 steps; after 50 steps 8.9e-16 of it is left",
    ),
    # 4^5 = 1024, ln 2 / ln 4 = 0.5
    "quadruples": (
        {**LINE, "weight_scale": 4.0, "seq_len": 5},
        "exploding: the gradient doubles every 0.5 steps; after 5 steps it is 1024 times as large",
    ),
    "counts from where the gradient enters": (
        {**LINE, "weight_scale": 0.5, "loss": {"at": [20]}},
        "vanishing: the gradient halves every 1 steps; after 20 steps 9.5e-7 of it is left",
    ),
    "dead": (
        {"cell": RELU, "init": {"bias": -50.0}},
        "vanishing: the gradient of at least one seed is exactly zero from some step on",
    ),
    "overflow": (
        {"cell": "linear", "weight_scale": 1e200},
        "OVERFLOW at t=3: the states grew beyond float range; no gradient",
    ),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_the_headline(case: str) -> None:
    config, text = HEADLINES[case]
    assert words.headline(record(**config)) == text


def test_the_headline_of_what_is_preserved() -> None:
    text = words.headline(record(**LINE))
    # rate 0 to rounding: the sign and the digits of the noise are not told here
    assert re.fullmatch(r"preserved: [+-]\S+ nats per step, over 50 steps a factor of 1", text), (
        text
    )


def test_the_headline_of_what_is_undecided() -> None:
    result = record(cell="linear", init="randn", hidden_size=1, inputs="zeros", seeds=2)
    assert result.summary["verdict"] == "undecided"
    rate = result.summary["growth_rate"]
    assert words.headline(result) == (
        f"undecided: growth between {rate['low']:+.3g} and {rate['high']:+.3g} nats per step; "
        "more seeds or a longer sequence would tell"
    )


# ---------------------------------------------------------------- why


def test_the_reasons_name_the_weights_and_the_textbook() -> None:
    weights, activation, mean_field, textbook = words.reasons(
        record(**LINE, weight_scale=0.5, spectrum={"step": True})
    )
    assert weights == "W_hh: sigma_max 0.5, spectral radius 0.5."
    assert activation == "Activation: phi' is at its maximum everywhere."
    assert mean_field.startswith("Mean field: -0.693 nats per step")  # ln(1/2)
    assert textbook == "Textbook: gamma sigma_max = 0.5 < 1: sufficient for vanishing."


def test_the_rule_of_thumb_is_contradicted_where_it_fails() -> None:
    result = gradlab.run(ROOT / "configs/textbook_vanishing.yaml")
    *_, textbook = words.reasons(result)
    # sigma_max of the texts' matrix is 2.65942893, half of it 1.33
    assert textbook == (
        "Textbook: gamma sigma_max = 1.33 > 1: necessary for exploding, "
        "not sufficient: here it does not."
    )


def test_where_it_explodes_the_condition_is_told_as_what_it_is() -> None:
    *_, textbook = words.reasons(record(**LINE, weight_scale=4.0))
    assert textbook == (
        "Textbook: gamma sigma_max = 4 > 1: necessary for exploding, not sufficient."
    )


def test_where_the_seeds_differ_their_number_is_told() -> None:
    result = record(cell="linear", init="randn", hidden_size=1, weight_scale=1.0, seeds=20)
    below = int((result["weight_singular_values"][:, 0, 0] < 1).sum())
    assert 0 < below < 20
    *_, textbook = words.reasons(result)
    assert textbook.endswith(f"(sufficient for vanishing) in {below} of 20 seeds.")


@pytest.mark.parametrize(("cell", "names"), [("lstm", "ifgo"), ("gru", "rzn")])
def test_gated_cells_are_explained_by_their_gates(cell: str, names: str) -> None:
    lines = words.reasons(record(cell=cell))
    assert len(lines) == 2  # the textbook's bound says nothing about them
    assert f"the largest of the gates {', '.join(names)}" in lines[0]
    found = re.findall(r"(\w+) (-?\d\.\d\d)", lines[1])
    assert {name for name, _ in found} >= set(names)
    assert re.search(r"\d+% of the units saturated\.$", lines[1])


@pytest.mark.parametrize("cell", ["linear", "rnn", "lstm", "gru"])
def test_without_a_forward_pass_no_factors_are_told(cell: str) -> None:
    overflow = {"initial_state": {"type": "normal", "std": 1e300}, "weight_scale": 1e200}
    lines = words.reasons(record(cell=cell, **overflow))
    assert lines and all("None" not in line and "nan" not in line for line in lines)


# ---------------------------------------------------------------- clipping


def test_no_clipping_is_not_mentioned() -> None:
    assert words.clipping(record(cell="rnn")) is None


def test_a_threshold_that_is_not_reached() -> None:
    text = words.clipping(record(cell="rnn", clip=1e6))
    assert re.fullmatch(
        r"clip \(global norm, threshold 1\S+\): gradient norm \S+, left as it is", text or ""
    )


def test_a_threshold_that_is_reached() -> None:
    text = words.clipping(record(cell="rnn", clip=0.25))
    # threshold / (norm + 1e-6) * norm is 0.25 to six digits
    assert re.fullmatch(
        r"clip \(global norm, threshold 0\.25\): gradient norm \S+ scaled to 0\.25", text or ""
    )


def test_some_of_the_seeds_and_some_of_the_steps() -> None:
    norms = sorted(record(cell="rnn", seeds=4)["clip_norm"])
    text = words.clipping(record(cell="rnn", seeds=4, clip=float(norms[2] + norms[3]) / 2))
    assert text is not None and text.endswith("(in 25% of the seeds)")
    text = words.clipping(record(cell="rnn", clip={"threshold": 1.0, "by": "step_norm"}))
    assert re.fullmatch(r"clip \(step norm, threshold 1\): acted at \d+% of the steps", text or "")


def test_clipping_is_never_told_to_make_a_norm_larger() -> None:
    norms = sorted(record(cell="rnn", seeds=4)["clip_norm"])
    # the third and the fourth of four are clipped, the third by the 1e-6 of the formula alone
    text = words.clipping(record(cell="rnn", seeds=4, clip=float(norms[2])))
    found = re.search(r"gradient norm (\S+) scaled to (\S+)", text or "")
    assert found is not None
    assert float(found[2]) <= float(found[1])


def test_nothing_to_clip() -> None:
    text = words.clipping(record(cell="linear", weight_scale=1e200, clip=5.0))
    assert text == "clip (global norm, threshold 5): there is no gradient to clip"


# ---------------------------------------------------------------- numbers

PLAIN = {
    0.0: "0",
    1.0: "1",
    0.5: "0.5",
    2.345678: "2.35",
    -0.25: "-0.25",
    0.99995e-3: "0.001",
    0.000123456: "0.000123",
    999.4: "999",
    999.6: "1000",
    -999.6: "-1000",
    1000.0: "1000",
    123456.0: "123456",
    None: "-",
}


@pytest.mark.parametrize("value", PLAIN)
def test_plain_numbers(value: float | None) -> None:
    assert plain(value) == PLAIN[value]


POWERS = {
    0.0: "1",
    math.log10(204): "204",
    math.log10(0.93): "0.93",
    math.log10(9999.4): "9999",
    3.99999: "10000",
    math.log10(9.999e9): "1.0e+10",
    math.log10(9.94e9): "9.9e+9",
    math.log10(0.99995e-5): "1.0e-5",
    math.log10(1.3e-13): "1.3e-13",
    493.970757579: "9.3e+493",
    -1011.179220741: "6.6e-1012",
    -300_000.5: "3.2e-300001",
    None: "0",
}


@pytest.mark.parametrize("log10", POWERS)
def test_powers_of_ten(log10: float | None) -> None:
    assert power(log10) == POWERS[log10]


@given(st.floats(-290, 290))
def test_a_number_is_told_to_its_last_digit(log10: float) -> None:
    """Two digits at least: off by 5 % at most, one and a half that for what is rounded twice."""
    assert float(power(log10)) == pytest.approx(10**log10, rel=0.051)


@given(st.floats(1e-3, 1e6, exclude_max=True))
def test_a_plain_number_is_off_by_half_a_digit(value: float) -> None:
    text = plain(value)
    assert float(text) == pytest.approx(value, rel=0.00501)
    assert "e" not in text


def test_signs() -> None:
    assert (signed(0.5), signed(-0.03456), signed(0.0), signed(None)) == (
        "+0.5",
        "-0.0346",
        "+0",
        "-",
    )
