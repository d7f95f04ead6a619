"""The summary of a run, on runs whose answer is known in closed form.

Claims:
- W = g Q with orthogonal Q and no input: rate ln g, half-life ln 2 / |ln g|, horizon
  2 ln 10 / |ln g|, what is left g^T, sigma_max and spectral radius g;
- every caveat is reached by some run, and by none that does not deserve it;
- exact zeros: vanishing without a rate; a seed that is not zero and does not vanish: undecided;
- overflow: an outcome with the first step of all seeds; the other seeds still have their numbers;
- one seed, one step and a loss in the middle of the sequence are runs like any other;
- clipping is told as it came out: rate, norm after, and in how many of the seeds it acted;
- the order of the seeds shows in no bit.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.analysis.verdict import Caveat

SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 50, "seeds": 3}
QUIET = {"inputs": "zeros", "spectrum": "none"}
RELU = {"type": "rnn", "activation": "relu"}


def summary(**config: Any) -> dict[str, Any]:
    return gradlab.run({**SMALL, **config}).summary


def orthogonal(g: float, **config: Any) -> dict[str, Any]:
    return summary(cell="linear", init="orthogonal", weight_scale=g, **QUIET, **config)


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("g", [0.5, 0.9, 1.1, 3.0])
def test_an_orthogonal_matrix_times_g(g: float) -> None:
    found = summary(cell="linear", init="orthogonal", weight_scale=g, inputs="zeros")
    rate = math.log(g)
    # 50 products of 4 x 4 matrices, in relation to a norm of g^50: 1e-13 and a small factor
    near = {"rel": 1e-11}
    assert found["verdict"] == ("exploding" if g > 1 else "vanishing")
    for key in ("mean", "low", "high"):
        assert found["growth_rate"][key] == pytest.approx(rate, **near)
    lengths = {True: "doubling_time", False: "half_life"}
    assert found[lengths[g > 1]] == pytest.approx(math.log(2) / abs(rate), **near)
    assert found[lengths[g < 1]] is None
    assert found["log10_remaining"] == pytest.approx(50 * math.log10(g), **near)
    assert found["sigma_max"] == pytest.approx(g, rel=1e-14)
    assert found["spectral_radius"] == pytest.approx(g, rel=1e-14)
    assert orthogonal(g)["spectral_radius"] is None  # not where no spectrum is wanted
    horizon = 2 * math.log(10) / abs(rate)
    assert found["horizon"] == (pytest.approx(horizon, **near) if horizon <= 50 else None)
    bound = found["theory"]["textbook"]
    assert bound["bound_per_step"] == pytest.approx(g, rel=1e-14)
    assert bound["sufficient_for_vanishing" if g < 1 else "necessary_for_exploding"] == 3


def test_an_orthogonal_matrix_preserves() -> None:
    found = orthogonal(1.0)
    assert found["verdict"] == "preserved"
    assert (found["half_life"], found["doubling_time"], found["horizon"]) == (None, None, None)


def test_an_lstm_with_open_gates_and_no_weights() -> None:
    """W = 0, x = 0: c_t = f c_{t-1} with f = sigmoid(forget_bias); but dh enters h alone, and no
    h_t depends on h_{t-1}, so nothing of the gradient of h is left after one step."""
    found = summary(cell="lstm", init={"recurrent": "zeros", "forget_bias": 2.0}, **QUIET)
    assert found["gates"]["f"]["mean"] == pytest.approx(1 / (1 + math.exp(-2)), rel=1e-14)
    assert found["gates"]["i"]["mean"] == 0.5
    assert found["verdict"] == "vanishing" and found["growth_rate"] is None


# ---------------------------------------------------------------- caveats

OVERFLOWS = {"cell": "linear", "weight_scale": 1e30, "seq_len": 30}
CAVEATS: dict[Caveat, tuple[dict[str, Any], dict[str, Any]]] = {
    # a run that deserves the caveat, and the nearest one that does not
    Caveat.ONE_SEED: ({"cell": "rnn", "seeds": 1}, {"cell": "rnn", "seeds": 2}),
    Caveat.RULE_OF_THUMB: (
        {"cell": "rnn", "weight_scale": 1.0},
        {"cell": "rnn", "weight_scale": 0.2},
    ),
    Caveat.LARGE_RADIUS: (
        {"cell": "rnn", "init": "identity", "weight_scale": 1.5, "inputs": {"type": "normal"}},
        {"cell": "rnn", "init": "identity", "weight_scale": 0.9},
    ),
    Caveat.EXACT_ZERO: (
        {"cell": RELU, "init": {"bias": -50.0}},
        {"cell": RELU, "init": {"bias": +50.0}, "weight_scale": 0.1},
    ),
    Caveat.SEVERAL_STEPS: (
        {"cell": "rnn", "loss": {"at": [25, 50]}},
        {"cell": "rnn", "loss": {"at": [25]}},
    ),
    Caveat.STEP_CLIP: (
        {"cell": "rnn", "clip": {"threshold": 1.0, "by": "step_norm"}},
        {"cell": "rnn", "clip": {"threshold": 1.0, "by": "value"}},
    ),
    Caveat.TRUNCATED: (
        {"cell": "rnn", "truncate": 20},
        {"cell": "rnn", "truncate": 50},
    ),
    Caveat.OVERFLOW: (OVERFLOWS, {**OVERFLOWS, "inputs": "zeros"}),
    Caveat.MEAN_AND_MEDIAN: (
        {"cell": "linear", "init": "randn", "seeds": 9, **QUIET},
        {"cell": "linear", "init": "orthogonal", "seeds": 9, **QUIET},
    ),
}


def test_every_caveat_is_tested() -> None:
    assert set(CAVEATS) == set(Caveat)


@pytest.mark.parametrize("caveat", Caveat, ids=lambda c: c.name.lower())
def test_a_caveat_is_there_where_it_is_deserved_and_nowhere_else(caveat: Caveat) -> None:
    deserving, other = CAVEATS[caveat]
    assert caveat.value in summary(**deserving)["caveats"]
    assert caveat.value not in summary(**other)["caveats"]


# ---------------------------------------------------------------- zeros


def test_dead_units_vanish_without_a_rate() -> None:
    found = summary(cell=RELU, init={"bias": -50.0})
    assert found["verdict"] == "vanishing"
    assert found["growth_rate"] is None and found["half_life"] is None
    assert "exactly zero" in found["reasons"]["growth_rate"]
    assert found["outcome"] == "ok"
    assert found["horizon"] == 1.0  # everything is lost in the first step


@cache
def dying() -> tuple[int, ...]:
    """Seeds of a small ReLU net whose gradient is exactly zero."""
    config = {**SMALL, "cell": RELU, "init": "randn", "weight_scale": 2.0, "batch_size": 1}
    result = gradlab.run({**config, "seeds": 40, **QUIET, "initial_state": "normal"})
    return tuple(int(s) for s in result["seeds"][np.isneginf(result["growth_rate"])])


def test_seeds_that_die_beside_seeds_that_explode_are_undecided() -> None:
    config = {"cell": RELU, "init": "randn", "weight_scale": 2.0, "batch_size": 1, **QUIET}
    config["initial_state"] = "normal"
    dead = list(dying())
    assert 2 <= len(dead) <= 38
    alive = [seed for seed in range(40) if seed not in dead]
    assert summary(**config, seeds=alive[:3])["verdict"] == "exploding"
    assert summary(**config, seeds=dead[:2])["verdict"] == "vanishing"
    assert summary(**config, seeds=[*alive[:3], dead[0]])["verdict"] == "undecided"


# ---------------------------------------------------------------- overflow


def test_overflow_tells_the_first_step_and_leaves_the_other_seeds() -> None:
    """h_t = g h_{t-1} from h_0 drawn: some seeds reach the end of float range earlier."""
    config = {**SMALL, "cell": "linear", "init": "randn", "initial_state": "normal", **QUIET}
    config |= {"weight_scale": 1e10, "seeds": 12, "seq_len": 32, "hidden_size": 1}
    result = gradlab.run(config)
    steps = result["overflow_step"]
    lost = steps > 0
    assert len(set(steps[lost])) > 1 and not lost.all()
    found = result.summary
    assert found["outcome"] == "overflow"
    assert found["overflow_step"] == steps[lost].min()
    assert np.isnan(result["growth_rate"][lost]).all()
    rates = result["growth_rate"][~lost]
    assert found["growth_rate"]["mean"] == pytest.approx(rates.mean(), rel=1e-14)
    assert found["growth_rate"]["std"] == pytest.approx(rates.std(ddof=1), rel=1e-12)
    assert found["verdict"] == "exploding"


def test_overflow_of_every_seed_has_no_number_and_a_reason() -> None:
    found = summary(cell="linear", weight_scale=1e200, clip=1.0)
    assert (found["outcome"], found["verdict"]) == ("overflow", "undecided")
    for key in ("growth_rate", "half_life", "doubling_time", "horizon", "log10_remaining"):
        assert found[key] is None
    assert found["clip"]["norm"] is None and found["clip"]["rate"] is None
    assert "overflowed for every seed" in found["reasons"]["growth_rate"]
    assert found["sigma_max"] > 1e199  # the weights are there all the same


# ---------------------------------------------------------------- small and unusual runs


def test_one_step_is_a_run_like_any_other() -> None:
    found = orthogonal(0.25, seq_len=1)
    assert found["growth_rate"]["mean"] == pytest.approx(math.log(0.25), rel=1e-14)
    assert found["log10_remaining"] == pytest.approx(math.log10(0.25), rel=1e-14)
    assert found["verdict"] == "vanishing"


def test_one_seed_has_the_interval_of_its_fit() -> None:
    found = summary(cell="rnn", seeds=1)["growth_rate"]
    assert found["std"] is None
    assert found["low"] < found["mean"] < found["high"]


def test_a_loss_in_the_middle_counts_its_own_lags() -> None:
    """Nothing enters after step 20: the rest of the sequence changes no number of the curve."""
    short = orthogonal(0.9, seq_len=20)
    middle = orthogonal(0.9, seq_len=50, loss={"at": [20]})
    for key in ("verdict", "growth_rate", "half_life", "horizon", "log10_remaining"):
        assert middle[key] == short[key]


# ---------------------------------------------------------------- clipping


def test_clipping_is_told_as_it_came_out() -> None:
    free = gradlab.run({**SMALL, "cell": "rnn", "seeds": 5})
    norms = np.sort(free["clip_norm"])
    assert norms[0] < norms[2] < norms[4]
    threshold = float(norms[2:4].mean())
    found = summary(cell="rnn", seeds=5, clip=threshold)["clip"]
    assert found["acted"] == 0.4  # the two largest of five
    assert found["norm"] == pytest.approx(norms[2], rel=1e-15)
    assert found["rate"] == 1.0  # the median seed is left as it is
    assert found["log10_norm"] == pytest.approx(math.log10(norms[2]), rel=1e-12)
    all_of_them = summary(cell="rnn", seeds=5, clip=float(norms[0]) / 2)["clip"]
    assert all_of_them["acted"] == 1.0
    assert all_of_them["rate"] == pytest.approx(norms[0] / 2 / (norms[2] + 1e-6), rel=1e-12)
    assert all_of_them["clipped_norm"] == pytest.approx(norms[0] / 2, rel=1e-5)  # the 1e-6


def test_no_clipping_is_null() -> None:
    assert summary(cell="rnn")["clip"] is None


def test_a_norm_beyond_float_range_is_clipped_all_the_same() -> None:
    found = orthogonal(10.0, seq_len=400, initial_state="zeros", clip=2.0)["clip"]
    # x = 0 and h = 0: only the biases have a gradient, sum of 10^k: 1.1e399 and a small factor
    assert found["norm"] is None
    assert found["log10_norm"] == pytest.approx(399.5, abs=0.6)
    assert found["clipped_norm"] == pytest.approx(2.0, rel=1e-12)
    assert found["acted"] == 1.0


# ---------------------------------------------------------------- order


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_order_of_the_seeds_shows_in_no_bit(cell: str) -> None:
    orders = ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [3, 4, 1, 0, 2])
    first, *others = (summary(cell=cell, seeds=order, clip=1.0) for order in orders)
    assert all(other == first for other in others)
