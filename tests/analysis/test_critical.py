"""Closed forms: critical gains at the zero state, skips with shared or fresh weights, scalar cells.

Claims:
- the digits of the critical gains, and of f^T under the chrono initialisation, come out;
- a run at the zero state vanishes below the critical gain and explodes above it;
- fresh weights with a skip give keep^2 + branch^2 chi per layer, shared ones the sum of squares of
  binomials, and the engine agrees with the first;
- sums of the scalar recurrence equal their closed forms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.analysis.critical import (
    chrono_retention,
    gru_critical_gain,
    gru_minimal_critical_gain,
    lstm_critical_gain,
    rest_curve,
    rest_rate,
    scalar_gradient_square,
    scalar_horizon,
    shared_skip_log_square,
    untied_residual_rate,
)

BARE: dict[str, Any] = {
    "inputs": "zeros",
    "spectrum": "none",
    "lag_split": "none",
    "figures": "none",
    "batch_size": 1,
}


@pytest.mark.parametrize(("bias", "gain"), [(0, 2.0), (1, 1.075766), (2, 0.476812)])
def test_critical_gain_of_the_lstm(bias: float, gain: float) -> None:
    assert lstm_critical_gain(bias) == pytest.approx(gain, abs=6e-7)  # six decimals


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "bias", "gain"),
    [
        ("lstm", 0.0, lstm_critical_gain(0.0)),
        ("lstm", 1.0, lstm_critical_gain(1.0)),
        ("gru", 0.0, gru_critical_gain()),
        ("gru", 2.0, gru_critical_gain()),
        ("gru_minimal", 0.0, gru_minimal_critical_gain()),
    ],
)
def test_the_zero_state_turns_at_the_critical_gain(cell: str, bias: float, gain: float) -> None:
    def rate(g: float) -> float:
        config = {"cell": cell, "hidden_size": 128, "seq_len": 400, "seeds": 2, **BARE}
        init = {"recurrent": "normal", "forget_bias": bias}
        log10 = gradlab.run({**config, "init": init, "weight_scale": g})["log10_grad_norm_h"]
        return float((log10[:, 0] - log10[:, 200]).mean())

    # at H = 128 the largest Re w is 1 +- .08: 20 % away the sign is safe
    assert rate(0.8 * gain) < 0 < rate(1.25 * gain)


@pytest.mark.parametrize(
    ("cell", "residual", "g", "rate"),
    [
        ("linear", True, 1.0, untied_residual_rate(1, 1, 1.0)),
        ("linear", True, 0.3, untied_residual_rate(1, 1, 0.09)),
        ("linear", False, 1.2, untied_residual_rate(0, 1, 1.44)),
    ],
)
def test_layers_with_fresh_weights(cell: str, residual: bool, g: float, rate: float) -> None:
    H, T = 64, 60
    config = {"cell": cell, "tied": False, "residual": residual, "weight_scale": g, **BARE}
    record = gradlab.run({**config, "hidden_size": H, "seq_len": T, "seeds": 16})
    log10 = record["log10_grad_norm_h"]
    slope = math.log(10) * (log10[:, 0] - log10[:, -1]).mean() / T
    # finite width 1 / 2 H = .008; one step scatters by 1 / sqrt(2 H) = .09: .003 for 960 of them
    assert slope == pytest.approx(rate, abs=0.015)


def test_untied_relu_is_critical_at_two() -> None:
    assert untied_residual_rate(0, 1, 2 / 2) == 0.0
    assert untied_residual_rate(1, 1, 1.0) == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize(
    ("keep", "branch", "k", "shared", "fresh"),
    [
        (1.0, 0.1, 50, 7.56, 0.498),
        (1.0, 0.5, 30, 22.11, 6.69),
        (0.5, 0.5, 40, -2.42, -27.73),
        (0.9, 0.1, 100, -2.36, -19.85),
    ],
)
def test_shared_and_fresh_skips(
    keep: float, branch: float, k: int, shared: float, fresh: float
) -> None:
    assert shared_skip_log_square(keep, branch, k) == pytest.approx(
        shared, abs=0.006
    )  # two decimals
    assert 2 * k * untied_residual_rate(keep, branch, 1.0) == pytest.approx(fresh, abs=0.006)


@pytest.mark.parametrize(("keep", "branch", "k"), [(1.0, 0.1, 50), (0.9, 0.1, 100)])
def test_a_shared_skip_drawn(keep: float, branch: float, k: int) -> None:
    H, random = 256, np.random.default_rng(0)
    squares = []
    for _ in range(6):
        W, v = random.standard_normal((H, H)) / math.sqrt(H), random.standard_normal((H, 8))
        start = np.sum(v * v)
        for _ in range(k):
            v = keep * v + branch * W @ v
        squares.append(np.sum(v * v) / start)
    # .06 to .09 measured at this width, where W^j v are no longer quite orthogonal
    expected = shared_skip_log_square(keep, branch, k)
    assert math.log(np.mean(squares)) == pytest.approx(expected, abs=0.3)


def test_a_skip_without_branch_or_keep() -> None:
    assert shared_skip_log_square(0.5, 0.0, 10) == pytest.approx(20 * math.log(0.5))
    assert shared_skip_log_square(0.0, 0.5, 10) == pytest.approx(20 * math.log(0.5))
    assert shared_skip_log_square(0.0, 0.0, 3) == -math.inf


def test_the_scalar_recurrence() -> None:
    assert scalar_gradient_square(0.9) == pytest.approx(263.887, abs=6e-4)  # three decimals
    series = sum(n * n * 0.9 ** (2 * n - 2) for n in range(1, 2000))
    assert scalar_gradient_square(0.9) == pytest.approx(series, rel=1e-12)
    assert scalar_horizon(0.9) == pytest.approx(14.22, abs=0.006)
    assert scalar_horizon(0.99) == pytest.approx(149.04, abs=0.006)


@pytest.mark.parametrize(("T", "kept"), [(20, 0.358486), (100, 0.366032), (784, 0.367645)])
def test_chrono(T: int, kept: float) -> None:
    assert chrono_retention(T) == pytest.approx(kept, abs=6e-7)  # six decimals
    f = 1 / (1 + math.exp(-math.log(T - 1)))
    assert chrono_retention(T) == pytest.approx(f**T, rel=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_minimal"])
@pytest.mark.parametrize(("g", "bias"), [(0.5, 0.0), (2.0, 1.0)])
def test_the_curve_at_rest_is_that_of_a_run(cell: str, g: float, bias: float) -> None:
    """H = 512, mean of E||delta||^2 over 6 seeds, 12 lags: each lag of ln||delta|| varies by
    1 / sqrt(H) from seed to seed, the sum of twelve by .15; a third of that with the seeds.
    """
    config = {"cell": cell, "weight_scale": g, "init": {"forget_bias": bias}, **BARE}
    size = {"hidden_size": 512, "seq_len": 12, "seeds": 6}
    record = gradlab.run({**config, **size})
    curve = (record["log10_grad_norm_h"] * math.log(10))[:, ::-1]
    mean = 0.5 * np.log(np.mean(np.exp(2 * (curve - curve[:, :1])), axis=0))
    np.testing.assert_allclose(mean, rest_curve(cell, g, bias)[:13], atol=0.1)


def test_the_rate_at_rest_tends_to_the_largest_eigenvalue() -> None:
    """keep + branch g from below: the sum of squared binomials is (4 pi k a z)^-1/2 less."""
    for g in (0.5, 1.0, 3.0):
        limit = math.log(0.5 + 0.25 * g)
        assert limit - math.log(60) / 120 < rest_rate("lstm", g) < limit
