"""A record against what is expected of it.

Claims:
- of a linear cell with orthogonal weights times g everything is known: the rate is ln g, the norm
  at a lag is g^lag sqrt(H B), the doubling time ln 2 / ln g; expectations at these values hold, and
  do not hold beside them;
- a seed alone has the value that a run of that seed alone gives;
- median, mean, low and high are those of the seeds' values, with Student's t;
- an interval is as expected where both of its ends are; a rate's min and max are about it by
  default, near about the mean, a lag's about the median;
- the worst seed is the one that is furthest off; there is none where all are the same;
- a value that does not exist is as expected only where `none` is, and it is said why.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

import gradlab
from gradlab.config import from_mapping
from gradlab.expectations.judge import Finding, judge
from gradlab.job import settled
from gradlab.record import Record
from gradlab.runner import run

G, H, B, T = 1.25, 4, 3, 8
EXACT: dict[str, Any] = {
    "cell": "linear",
    "init": "orthogonal",
    "inputs": "zeros",
    "weight_scale": G,
    "hidden_size": H,
    "batch_size": B,
    "seq_len": T,
    "seeds": 3,
}
DRAWN = {**EXACT, "cell": "rnn", "init": "normal", "inputs": "normal", "seeds": [2, 5, 7]}
NEAR = 1e-12  # relative: eight products of 4 x 4 matrices, some tens of roundings of 1e-16


def found(settings: dict[str, Any], expect: Any) -> tuple[Record, list[Finding]]:
    config, spec = settled(from_mapping({**settings, "expect": expect}))
    record = run(spec)
    return record, list(judge(config.expect, spec, record))


def passes(settings: dict[str, Any], expect: Any) -> bool:
    (one,) = found(settings, expect)[1]
    return one.passed


KNOWN: dict[str, float] = {
    "growth_rate": math.log(G),
    "growth_rate.low": math.log(G),
    "growth_rate.high": math.log(G),
    "doubling_time": math.log(2) / math.log(G),
    "sigma_max": G,
    "spectral_radius": G,
    "lyapunov_max": math.log(G),
    "log10_remaining": T * math.log10(G),
    "distance": T,
    "theory.textbook.bound_per_step": G,
    "theory.random_matrix.sigma_max.mean": G,
}
OF = ["summary", "every", "median", "mean", "low", "high", "interval"]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_of_orthogonal_weights(name: str) -> None:
    value = KNOWN[name]
    assert passes(EXACT, {name: {"near": value, "rel": NEAR}})
    assert not passes(EXACT, {name: {"near": 1.001 * value, "rel": 5e-4}})
    # 1e-3 and 5e-4 are far from each other beside roundings
    assert passes(EXACT, {name: {"min": 0.999 * value, "max": 1.001 * value}})
    assert not passes(EXACT, {name: {"min": 1.001 * value}})
    assert not passes(EXACT, {name: {"max": 0.999 * value}})


@pytest.mark.parametrize("of", OF)
def test_where_all_seeds_are_the_same_it_is_about_any_of_them(of: str) -> None:
    for name in ("growth_rate", "sigma_max", "doubling_time"):
        assert passes(EXACT, {name: {"near": KNOWN[name], "rel": NEAR, "of": of}})
        assert not passes(EXACT, {name: {"min": 1.01 * KNOWN[name], "of": of}})


@pytest.mark.parametrize("lag", range(T + 1))
def test_the_norm_at_each_lag(lag: int) -> None:
    norm = G**lag * math.sqrt(H * B)
    for of in OF[1:]:
        near = {"near": norm, "rel": NEAR, "lag": lag, "of": of}
        assert passes(EXACT, {"grad_norm_h": near})
    assert passes(EXACT, {"log10_grad_norm_h": {"near": math.log10(norm), "rel": NEAR, "lag": lag}})
    assert not passes(EXACT, {"grad_norm_h": {"near": norm * G, "lag": lag}})
    # G is 25 % more, `near` alone means 1 %


def test_a_word_and_words() -> None:
    assert passes(EXACT, {"verdict": "exploding"})
    assert passes(EXACT, {"verdict": ["vanishing", "exploding"]})
    assert not passes(EXACT, {"verdict": ["vanishing", "preserved"]})
    assert passes(EXACT, {"verdict": {"equals": "exploding", "of": "every"}})
    assert passes(EXACT, {"outcome": "ok"}) and not passes(EXACT, {"outcome": "overflow"})


def test_exact_values_are_exact() -> None:
    assert passes(EXACT, {"distance": T}) and passes(EXACT, {"distance": float(T)})
    assert not passes(EXACT, {"distance": math.nextafter(T, math.inf)})
    assert passes(EXACT, {"distance": [1, T]}) and not passes(EXACT, {"distance": [1, T + 1]})


@pytest.mark.parametrize("name", ["growth_rate", "sigma_max", "log10_remaining", "gates.h.mean"])
def test_each_seed_is_as_if_it_were_the_only_one(name: str) -> None:
    record, _ = found(DRAWN, {"distance": T})
    own = [_number(gradlab.run({**DRAWN, "seeds": [seed]}).summary, name) for seed in (2, 5, 7)]
    assert len(set(own)) == 3
    low, high = min(own), max(own)
    for expect, want in (
        ({"min": low, "max": high}, True),
        ({"min": math.nextafter(low, math.inf)}, False),
        ({"max": math.nextafter(high, -math.inf)}, False),
    ):
        _, (one,) = found(DRAWN, {name: {**expect, "of": "every"}})
        assert one.passed == want
    _, (least,) = found(DRAWN, {name: {"min": high, "of": "every"}})
    assert least.worst == ((2, 5, 7)[own.index(low)], low) and least.got == (low,)
    _, (most,) = found(DRAWN, {name: {"max": low}})
    assert most.worst == ((2, 5, 7)[own.index(high)], high)
    middle = statistics.median(own)
    _, (far,) = found(DRAWN, {name: {"near": middle, "abs": 0}})
    assert far.worst is not None
    assert far.worst[1] == max(own, key=lambda value: abs(value - middle))
    assert record["seeds"].tolist() == [2, 5, 7]


def _number(summary: dict[str, Any], name: str) -> float:
    value: Any = summary
    for part in name.split("."):
        value = value[part]
    return float(value["mean"] if isinstance(value, dict) else value)


def test_statistics_are_those_of_the_seeds_values() -> None:
    own = [gradlab.run({**DRAWN, "seeds": [seed]}).summary["sigma_max"] for seed in (2, 5, 7)]
    # the quantile of Student's t with two degrees of freedom has a closed form
    p = 0.975
    t = (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    mean, half = statistics.fmean(own), t * statistics.stdev(own) / math.sqrt(3)
    want = {"median": statistics.median(own), "mean": mean}
    want |= {"low": mean - half, "high": mean + half}
    for of, value in want.items():
        # the table of t has four decimals: half of 1e-4 off 4.3, of a half-width about the mean's
        assert passes(DRAWN, {"sigma_max": {"near": value, "rel": 2e-5, "of": of}}), of
        assert not passes(DRAWN, {"sigma_max": {"near": 1.001 * value, "rel": 2e-5, "of": of}})
    _, (one,) = found(DRAWN, {"sigma_max": {"min": 0, "of": "interval"}})
    assert one.got == pytest.approx((mean, mean - half, mean + half), rel=2e-5)


def test_an_interval_holds_where_both_ends_do() -> None:
    record, _ = found(DRAWN, {"distance": T})
    rate = record.summary["growth_rate"]
    inside = {"min": rate["low"], "max": rate["high"]}
    assert passes(DRAWN, {"growth_rate": inside})
    assert not passes(DRAWN, {"growth_rate": {**inside, "min": rate["mean"]}})
    assert not passes(DRAWN, {"growth_rate": {**inside, "max": rate["mean"]}})
    assert passes(DRAWN, {"growth_rate": {"min": rate["mean"], "of": "mean"}})
    assert passes(DRAWN, {"growth_rate": {"near": rate["mean"], "abs": 0}})  # about the mean
    assert passes(DRAWN, {"growth_rate": rate["mean"]})
    assert passes(DRAWN, {"growth_rate": {"near": rate["low"], "abs": 0, "of": "low"}})
    assert passes(DRAWN, {"growth_rate": {"near": rate["high"], "abs": 0, "of": "high"}})


def test_one_seed_has_the_interval_of_its_slope() -> None:
    one = {**DRAWN, "seeds": [5]}
    rate = gradlab.run(one).summary["growth_rate"]
    assert rate["low"] < rate["mean"] < rate["high"]
    assert passes(one, {"growth_rate": {"min": rate["low"], "max": rate["high"]}})
    assert not passes(one, {"growth_rate": {"min": rate["mean"]}})


def test_at_a_lag_it_is_the_median_of_the_column() -> None:
    record, _ = found(DRAWN, {"distance": T})
    header, rows = record.rows()
    for column in ("grad_norm_h", "sigma_max", "saturation", "log10_product_sigma_2"):
        lag = 3
        own = {r[0]: r[header.index(column)] for r in rows if r[header.index("lag")] == lag}
        middle = statistics.median(own.values())
        _, (one,) = found(DRAWN, {column: {"near": middle, "abs": 0, "lag": lag}})
        assert one.passed and one.of == "median" and one.got == (middle,)
        _, (each,) = found(DRAWN, {column: {"max": min(own.values()), "lag": lag, "of": "every"}})
        assert each.passed == (len(set(own.values())) == 1)
        if each.worst is not None:
            assert each.worst[1] == max(own.values()) == own[each.worst[0]]


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_layers_and_directions_are_those_of_the_table(cell: str) -> None:
    settings = {**DRAWN, "cell": cell, "layers": 2, "bidirectional": True, "seeds": [4]}
    record, _ = found(settings, {"distance": T})
    header, rows = record.rows()
    table = [dict(zip(header, row, strict=True)) for row in rows]
    tried = [at for at in table if at["lag"] in (3, T)]
    assert len(tried) == 8 and len({at["grad_norm_h"] for at in tried}) == 8
    for at in tried:
        where = {"layer": at["layer"], "direction": at["direction"], "lag": at["lag"]}
        exact = {"near": at["grad_norm_h"], "abs": 0, "of": "every"}
        assert passes(settings, {"grad_norm_h": {**exact, **where}})
        usual = (at["layer"], at["direction"]) == (2, "forward")
        assert passes(settings, {"grad_norm_h": {**exact, "lag": at["lag"]}}) == usual


def test_what_does_not_exist_is_as_expected_only_where_none_is() -> None:
    _, (one,) = found(EXACT, {"half_life": {"min": 1}})
    assert not one.passed and one.got == (None,) and one.why == "the verdict is exploding"
    assert passes(EXACT, {"half_life": "none"})
    assert not passes(EXACT, {"doubling_time": "none"})
    assert passes(EXACT, {"half_life": ["none", 3]})
    _, (two,) = found(EXACT, {"half_life": {"max": 1e9, "of": "median"}})
    assert not two.passed and two.got == (None,)
    _, (far,) = found({**EXACT, "weight_scale": 1.0}, {"horizon": {"min": 1}})
    assert far.why == f"neither 1 % nor 100 times is reached in {T} steps"


def test_an_overflow_is_told() -> None:
    big = {**EXACT, "inputs": "normal", "weight_scale": 1e200}
    _, (out, rate) = found(big, {"outcome": "ok", "growth_rate": {"min": 0}})
    assert (out.passed, out.got, rate.passed) == (False, ("overflow",), False)
    assert rate.why.startswith("the forward pass overflowed at t=")


def test_exact_zeros_are_below_everything() -> None:
    dead = {**EXACT, "init": "zeros"}
    assert passes(dead, {"log10_grad_norm_h": {"lag": 1, "max": -1e300}})
    assert not passes(dead, {"log10_grad_norm_h": {"lag": 1, "min": -1e300}})
    assert passes(dead, {"grad_norm_h": {"lag": 1, "equals": 0}})
    _, (rate,) = found(dead, {"growth_rate": {"max": 0}})
    assert not rate.passed and "exactly zero" in rate.why


def test_there_is_no_worst_where_all_seeds_are_the_same() -> None:
    _, (same, other) = found(DRAWN, {"distance": T, "growth_rate": {"max": 9}})
    assert same.worst is None and other.worst is not None
