"""What a float32 run says of its own digits.

Claims:
- the errors are those of an independent computation: the float64 run of the same config, its norms
  against the float32 ones, without logarithms;
- the digits that are called right are right in every norm, and one more would not be;
- a chaotic network has no digit right after 200 steps, a vanishing one has most of them;
- where float32 leaves its range and float64 does not, the step is told; where both do, nothing is;
- float64 runs say nothing, and their summary is as it was;
- a point of a sweep says what it says alone;
- expectations may name these numbers, of float32 runs only.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.expectations.names import names, scalars
from gradlab.expectations.possible import refuse_impossible
from gradlab.plan import settle
from gradlab.precision import MOST, in_double, relative
from gradlab.record import Record
from gradlab.report.words import findings

SINGLE: dict[str, Any] = {"cell": "rnn", "hidden_size": 16, "seq_len": 40, "batch_size": 3}
SINGLE |= {"seeds": [5, 2], "spectrum": "none", "lag_split": "none", "theory": "none"}
SINGLE |= {"dtype": "float32"}
CHAOTIC = {"weight_scale": 3, "seq_len": 200, "hidden_size": 32}


def ran(**changes: Any) -> Record:
    return gradlab.run({**SINGLE, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cell": "lstm", "layers": 2},
        {"cell": "gru", "clip": 1e-3, "loss": {"type": "mse", "at": "all"}},
        {"bidirectional": True},
        {"truncate": 7},
        {"clip": {"threshold": 0.5, "by": "step_norm"}, "weight_scale": 1.5},
        {"cell": "lstm_simple", "generator": "mt19937"},
    ],
)
def test_the_errors_are_those_of_the_float64_run(changes: dict[str, Any]) -> None:
    own, exact = ran(**changes), ran(**changes, dtype="float64")
    told = own.summary["precision"]
    assert told["compared_seed"] == 5 and told["overflow"] is None
    largest = []
    for name, array in (
        ("grad_norm_h", "grad_norm_h"),
        ("weight_grad_norm", "weight_grad_norm"),
        ("parameter_grad_norm", "clip_norm"),
    ):
        a, b = np.atleast_1d(own[array][0]), np.atleast_1d(exact[array][0])
        a, b = a[~np.isnan(b)], b[~np.isnan(b)]
        error = np.abs(a - b) / np.where(b == 0, 1, b)  # 0 / 0: both zero, no error
        # an error is itself known to some 1e-16 of the norms, times log10 and back: 1e-14
        assert told[name]["median"] == pytest.approx(np.median(error), rel=1e-6, abs=1e-13)
        assert told[name]["largest"] == pytest.approx(error.max(), rel=1e-6, abs=1e-13)
        largest.append(error.max())
    digits = told["trusted_digits"]
    assert max(largest) <= 10.0**-digits
    assert digits == MOST or max(largest) > 10.0 ** -(digits + 1)
    if "truncate" in changes:  # both are zero there
        assert told["log10_at_start"] is None
    else:
        start = math.log10(own["grad_norm_h"][0, 0] / exact["grad_norm_h"][0, 0])
        assert told["log10_at_start"] == pytest.approx(start, rel=1e-6, abs=1e-13)
    rates = own["growth_rate"][0] - exact["growth_rate"][0]
    assert told["growth_rate"] == pytest.approx(rates, rel=1e-6, abs=1e-15)


def test_float32_rounds_and_the_errors_say_so() -> None:
    """A rounding is 2^-24 of a number; forty steps of it stay far from a thousandth."""
    told = ran(weight_scale=0.5).summary["precision"]
    assert 2.0**-26 < told["grad_norm_h"]["largest"] < 1e-4
    assert told["trusted_digits"] >= 4


def test_a_chaotic_network_has_no_digit_right() -> None:
    """Its largest exponent is about 0.3 a step: 6e-8 e^(0.3 * 200) is beyond all bounds."""
    record = ran(**CHAOTIC)
    assert record.summary["precision"]["trusted_digits"] == 0
    assert any("no digit of the norms can be trusted" in line for line in findings(record))


def test_where_float32_alone_overflows_the_step_is_told() -> None:
    """A linear cell with orthogonal weights 16 Q and no inputs: |h_t| is 16^t |h_0|. float32 ends
    at 2^128, float64 at 2^1024: t = 32 or just before against t = 256.
    """
    linear = {"cell": "linear", "init": "orthogonal", "weight_scale": 16, "inputs": "zeros"}
    linear |= {"initial_state": "normal"}
    record = ran(**linear, seq_len=60)
    told = record.summary["precision"]
    assert told["overflow"] == int(record["overflow_step"][0])
    assert 31 <= told["overflow"] <= 33  # components of h_0 are about 1, between 2^-4 and 2^4
    assert told["trusted_digits"] == 0 and told["grad_norm_h"]["largest"] is None
    assert any(f"overflows at t={told['overflow']}" in line for line in findings(record))
    both = ran(**linear, seq_len=300)
    told = both.summary["precision"]
    assert told["overflow"] is None and told["trusted_digits"] is None
    assert any("both overflow" in line for line in findings(both))


def test_float64_says_nothing() -> None:
    record = ran(dtype="float64")
    assert "precision" not in record.summary
    assert not any("float32" in line for line in findings(record))


def test_zeros_count() -> None:
    """A norm that float32 has lost is off by all of itself; one that it invents, infinitely."""
    none, some = -np.inf, np.log10(3.0)
    own = np.array([np.nan, none, none, some, some, np.log10(6.0)])
    exact = np.array([np.nan, none, some, none, some, some])
    # 6 / 3 - 1, from logarithms that are rounded to 1e-16
    np.testing.assert_allclose(relative(own, exact), [0, 1, np.inf, 0, 1], rtol=1e-14)


def test_a_point_of_a_sweep_says_what_it_says_alone(tmp_path: Path) -> None:
    found = gradlab.sweep(
        {**SINGLE, "sweep": {"weight_scale": [0.5, 1.0, 2.0]}}, out=tmp_path / "s"
    )
    for index, record in found.records():
        alone = ran(weight_scale=[0.5, 1.0, 2.0][index])
        assert record.summary["precision"] == alone.summary["precision"]


def test_expectations_name_what_there_is() -> None:
    spec = settle(from_mapping(SINGLE).config)[1]
    known = {name for name in names(spec).scalars if name.startswith("precision.")}
    there = {name for name in scalars(ran().summary) if name.startswith("precision.")}
    assert known == there
    assert not any("precision" in name for name in names(in_double(spec)).scalars)
    given = from_mapping({**SINGLE, "expect": {"precision.trusted_digits": {"min": 3}}}).config
    refuse_impossible(given.expect, spec)
    with pytest.raises(GradlabError, match=r"no 'precision.trusted_digits': it has dtype: float64"):
        refuse_impossible(given.expect, in_double(spec))
