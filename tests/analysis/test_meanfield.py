"""Mean field of vanilla nets against 18-digit references, published numbers, limits, simulation.

Claims:
- q, chi and m4 / m2^2 agree with references made at high precision, to 1e-12;
- the tables' digits come out: q and ln chi, finite-width rates, exponents of the tanh map, critical
  gains;
- q solves its equation, also with a bias; steep nonlinearities are resolved, up to q of millions;
- where q diverges, or the theory is known to be off, the result says so and leaves out what fails;
- simulated slopes at H = 512 agree within .02 per step, at H = 64 with the finite-width curve only.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.analysis import moments
from gradlab.analysis.meanfield import ACTIVATIONS, Domain, critical_gain, mean_field
from gradlab.nonlinearity import NONLINEARITIES

REFERENCE = Path(__file__).resolve().parents[1] / "reference/meanfield.json"
CASES = json.loads(REFERENCE.read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['act']} {c['g']} {c['s2']}")
def test_agrees_with_the_reference(case: dict[str, Any]) -> None:
    theory = mean_field(case["act"], case["g"], case["s2"])
    # the trapezoid rule is good to 1e-13; bisection goes to the last bit
    assert theory.q == pytest.approx(float(case["q_star"]), rel=1e-12)
    assert theory.chi == pytest.approx(float(case["chi"]), rel=1e-12)
    assert theory.log_chi == pytest.approx(float(case["ln_chi"]), rel=1e-12)
    assert theory.peakedness == pytest.approx(float(case["m4_over_m2sq"]), rel=1e-12)


@pytest.mark.parametrize(
    ("activation", "g", "s2", "q", "log_chi"),
    [
        ("tanh", 1.5, 1.0, 2.209, -0.2837),
        ("tanh", 2.0, 1.0, 3.448, 0.0920),
        ("tanh", 3.0, 0.0, 6.305, 0.6205),
        ("tanh", 1.2, 0.0, 0.250, 0.0330),
        ("tanh", 1.0, 0.0, 0.0, 0.0),
        ("tanh", 0.9, 0.0, 0.0, -0.2107),
        ("sigmoid", 4.0, 0.25, 6.14, -0.939),
    ],
)
def test_published_points(activation: str, g: float, s2: float, q: float, log_chi: float) -> None:
    theory = mean_field(activation, g, s2)
    # q and ln chi are given to three or four digits
    assert theory.q == pytest.approx(q, abs=6e-4)
    assert theory.log_chi == pytest.approx(log_chi, abs=6e-4 if activation == "sigmoid" else 6e-5)


@pytest.mark.parametrize(
    ("g", "s2", "rates"),
    [
        (1.5, 0.25, (-0.0486, -0.0327, -0.0247, -0.0207, -0.0187)),
        (3.0, 1.0, (0.1908, 0.2297, 0.2491, 0.2588, 0.2637)),
        (2.0, 0.0, (0.1136, 0.1341, 0.1444, 0.1496, 0.1522)),
    ],
)
def test_rates_at_finite_width(g: float, s2: float, rates: tuple[float, ...]) -> None:
    theory = mean_field("tanh", g, s2)
    for H, rate in zip((32, 64, 128, 256, 512), rates, strict=True):
        assert theory.growth_rate_at(H) == pytest.approx(rate, abs=6e-5)  # given to four decimals
    assert theory.growth_rate_at(10**9) == pytest.approx(theory.growth_rate, abs=1e-8)


@pytest.mark.parametrize(
    ("g", "largest"),
    [(1.2, 0.016476), (1.5, 0.065217), (2, 0.154724), (3, 0.310249), (5, 0.532428), (10, 0.856435)],
)
def test_largest_exponent_of_the_tanh_map(g: float, largest: float) -> None:
    assert mean_field("tanh", g, 0.0).growth_rate == pytest.approx(
        largest, abs=6e-7
    )  # six decimals


@pytest.mark.parametrize(("g", "mean"), [(1.5, -0.714346), (3.0, -2.272805)])
def test_mean_exponent_of_the_tanh_map(g: float, mean: float) -> None:
    assert mean_field("tanh", g, 0.0).mean_exponent == pytest.approx(mean, abs=6e-7)


def test_mean_exponent_is_that_of_the_determinant() -> None:
    g, H, draws = 1.5, 64, 60
    random, q = np.random.default_rng(0), mean_field("tanh", g, 0.25).q
    assert q is not None
    W = random.standard_normal((draws, H, H)) * g / math.sqrt(H)
    slopes = np.log(NONLINEARITIES["tanh"].slope(random.standard_normal((draws, H)) * math.sqrt(q)))
    sample = np.linalg.slogdet(W)[1] / H + slopes.mean(axis=1)
    # ln|det W| / H is above ln g - 1/2 by about ln(H) / 4 H = .016; the sample is good to .025
    mean = mean_field("tanh", g, 0.25).mean_exponent
    assert sample.mean() == pytest.approx(mean, abs=0.016 + 3 * sample.std() / math.sqrt(draws))


@pytest.mark.parametrize(
    ("s2", "g"), [(0.0, 1.0), (0.05, 1.327010), (0.25, 1.549674), (1.0, 1.855589)]
)
def test_critical_gain_of_tanh(s2: float, g: float) -> None:
    assert critical_gain("tanh", s2) == pytest.approx(g, abs=6e-7)  # six decimals


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("s2", [0.1, 2.0])
def test_chi_is_one_at_the_critical_gain(activation: str, s2: float) -> None:
    g = critical_gain(activation, s2)
    assert mean_field(activation, g, s2).chi == pytest.approx(1.0, abs=1e-11)
    chi_below, chi_above = (mean_field(activation, x * g, s2).chi for x in (0.99, 1.01))
    assert chi_below < 1 < chi_above


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [-0.7, 0.0, 0.4])
def test_q_is_a_fixed_point(activation: str, bias: float) -> None:
    g, s2 = 0.8, 0.3
    theory = mean_field(activation, g, s2, bias)
    assert theory.q is not None
    a = bias + math.sqrt(theory.q) * np.random.default_rng(0).standard_normal(400_000)
    phi = a if activation == "linear" else NONLINEARITIES[activation].value(a)
    slope = np.ones_like(a) if activation == "linear" else NONLINEARITIES[activation].slope(a)
    # by a sample of 400,000: relative error of a mean square up to .003
    assert theory.q == pytest.approx(g * g * np.mean(phi**2) + s2, rel=0.01)
    assert theory.chi == pytest.approx(g * g * np.mean(slope**2), rel=0.01)


@pytest.mark.parametrize("q", [1e3, 1e4, 1e6, 4e6])
def test_steep_nonlinearities_are_resolved(q: float) -> None:
    # E f(a) -> integral of f / sqrt(2 pi q): 4/3 for sech^4, the next order is O(1/q) relative
    limit = 4 / 3 / math.sqrt(2 * math.pi * q)
    assert moments.slope_moment("tanh", 0.0, q, 2) == pytest.approx(limit, rel=1 / q + 1e-10)
    # E ln sech^2 = 2 ln 2 - 2 E|a| up to the kink, pi^2 / 12 sqrt(2 / pi q) wide
    far = 2 * math.log(2) - 2 * math.sqrt(2 * q / math.pi)
    assert moments.mean_log_slope("tanh", 0.0, q) == pytest.approx(far, abs=1 / math.sqrt(q))


@pytest.mark.parametrize(
    ("activation", "g", "s2", "domain"),
    [
        ("linear", 1.0, 0.25, Domain.DIVERGES),
        ("linear", 2.0, 0.0, Domain.DIVERGES),
        ("linear", 0.5, 1.0, Domain.SAME_SLOPE),
        ("relu", math.sqrt(2.0), 0.25, Domain.DIVERGES),
        ("relu", 1.3, 0.25, Domain.HEAVY_TAIL),
        ("relu", 1.0, 0.0, Domain.AT_REST),
        ("tanh", 3.0, 0.0, Domain.AT_REST),
        ("tanh", 1.2, 0.0, Domain.TRANSITION),
        ("tanh", 0.9, 0.0, Domain.SAME_SLOPE),
        ("tanh", 0.9, 0.1, Domain.SAME_SLOPE),  # H = 64 measures -.48, the formula would give -.55
        ("sigmoid", 4.0, 0.25, Domain.QUENCHED),
        ("tanh", 0.0, 0.25, Domain.NO_RECURRENCE),
        ("tanh", 4000.0, 0.0, Domain.QUADRATURE),
    ],
)
def test_what_fails_is_said(activation: str, g: float, s2: float, domain: Domain) -> None:
    theory = mean_field(activation, g, s2)
    assert domain in theory.caveats
    assert (theory.q is None) == (domain is Domain.DIVERGES)
    if domain in (Domain.SAME_SLOPE, Domain.QUENCHED, Domain.NO_RECURRENCE):
        assert theory.log_slope_at(64) is None
        assert theory.growth_rate_at(64) is None
    assert (theory.growth_rate is None) == (domain is Domain.NO_RECURRENCE)


def test_chi_holds_where_q_diverges() -> None:
    assert mean_field("linear", 2.0, 0.25).chi == 4.0
    assert mean_field("relu", 2.0, 0.25, bias=0.5).chi == 2.0


def test_where_all_is_well_there_is_no_caveat() -> None:
    assert mean_field("tanh", 1.5, 0.25).caveats == ()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("g", [1e-100, 1e-8, 1e3, 1e100])
@pytest.mark.parametrize("bias", [0.0, -100.0, 1e4])
def test_extremes_give_numbers(activation: str, g: float, bias: float) -> None:
    for s2 in (0.0, 1e-300, 1e8):
        theory = mean_field(activation, g, s2, bias)
        assert 0 <= theory.chi < math.inf
        assert theory.q is None or 0 <= theory.q < math.inf


@pytest.mark.parametrize(
    ("activation", "g", "s2"),
    [("gelu", 1.0, 0.1), ("tanh", -1.0, 0.1), ("tanh", 1.0, -0.1), ("tanh", math.nan, 0.1)],
)
def test_nonsense_is_refused(activation: str, g: float, s2: float) -> None:
    with pytest.raises(ValueError, match=r"no mean field|0 <= g"):
        mean_field(activation, g, s2)


def measured(activation: str, g: float, s2: float, **size: int) -> tuple[float, float]:
    """Slope of ln||delta||^2 over the first lags, mean over seeds and its standard error.

    Every unit has its own input (identity), so s2 is exactly the square of its std. 50 steps are
    left for the state to settle.
    """
    config = {
        "cell": {"type": "rnn", "activation": activation},
        "weight_scale": g,
        "init": {"recurrent": "normal", "input": "identity"},
        "inputs": {"type": "normal", "std": math.sqrt(s2)},
        "spectrum": "none",
        "lag_split": "none",
        "figures": "none",
    }
    lags = size["seq_len"] - 50
    log10 = gradlab.run({**config, **size})["log10_grad_norm_h"][:, ::-1]
    slopes = 2 * math.log(10) * (log10[:, lags] - log10[:, 0]) / lags
    return float(slopes.mean()), float(slopes.std(ddof=1) / math.sqrt(len(slopes)))


@pytest.mark.parametrize(("g", "s2"), [(1.5, 0.25), (3.0, 1.0)])
def test_a_narrow_net_follows_the_finite_width_curve(g: float, s2: float) -> None:
    H = 64
    theory = mean_field("tanh", g, s2)
    slope, error = measured("tanh", g, s2, hidden_size=H, batch_size=1, seq_len=250, seeds=32)
    expected = theory.log_slope_at(H)
    assert expected is not None
    assert theory.log_chi is not None
    # errors of the mean .004 to .007; the next order in 1 / H was measured as .006 here
    assert error < 0.01
    assert slope == pytest.approx(expected, abs=0.025)
    assert abs(slope - theory.log_chi) > 1.5 * abs(slope - expected)  # the correction is real


@pytest.mark.long
@pytest.mark.parametrize(
    ("activation", "g", "s2"),
    [
        ("tanh", 1.0, 0.25),
        ("tanh", 1.5, 0.25),
        ("tanh", 2.0, 1.0),
        ("tanh", 3.0, 1.0),
        ("relu", 1.0, 0.25),
        ("sigmoid", 4.0, 0.25),
    ],
)
def test_a_wide_net_follows_chi(activation: str, g: float, s2: float) -> None:
    slope, error = measured(activation, g, s2, hidden_size=512, batch_size=4, seq_len=150, seeds=4)
    # .02 per step is what H = 512 with input reaches: width .010 at most, seeds .007 to .034 each
    assert slope == pytest.approx(mean_field(activation, g, s2).log_chi, abs=0.02)
    assert error < 0.03


def test_the_bound_is_loose() -> None:
    # g = 1.5: (gamma sigma_max)^100 is 10^46, the gradient stays within a factor of 100
    slope, _ = measured("tanh", 1.5, 0.25, hidden_size=64, batch_size=1, seq_len=150, seeds=4)
    bound = math.log10(1.5 * 1.944)
    assert 100 * (bound - slope / 2 / math.log(10)) > 40
