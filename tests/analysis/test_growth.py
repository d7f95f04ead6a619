"""Growth rates, their spread, and lengths in steps.

Claims:
- the slope of an exact line is its slope, with error 0; that of any curve agrees with numpy's
  least squares; errors are those of the textbook formula;
- an exact zero gives -inf, a NaN or a single step NaN;
- mean, standard deviation and interval are what hand calculation gives;
- the order of the seeds shows in no bit;
- Student's t agrees with published tables: exactly up to 10 degrees of freedom, to 1e-4 above;
- a crossing is interpolated, may be reached at a step, or never; a zero reaches every level below.
"""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.analysis.growth import crossing, mean_curve, slopes, spread, student_t

LN10 = math.log(10)

# ---------------------------------------------------------------- slopes


@pytest.mark.parametrize("rate", [-2.0, -1e-3, 0.0, 0.25, 3.0])
@pytest.mark.parametrize("lag", [[0, 1], [9, 6, 3, 0], range(100)])
def test_the_slope_of_a_line(rate: float, lag: list[int]) -> None:
    lags = np.array(lag)
    curves = np.stack([(rate * lags + start) / LN10 for start in (0.0, -40.0, 7.0)])
    found, error = slopes(curves, lags)
    # log10 and back costs a few eps of the largest value, 340 at most
    np.testing.assert_allclose(found, rate, rtol=0, atol=1e-13 * (1 + abs(rate)))
    if len(lags) > 2:
        np.testing.assert_allclose(error, 0, atol=1e-13 * (1 + abs(rate)))
    else:
        assert np.isnan(error).all()  # two points leave nothing to judge a line by


def test_slopes_and_errors_are_those_of_least_squares() -> None:
    random = np.random.default_rng(0)
    lags = np.array([0, 1, 4, 5, 9, 16, 30])
    curves = random.standard_normal((5, len(lags))) - 0.3 * lags
    found, error = slopes(curves, lags)
    for k, curve in enumerate(curves):
        (slope, _), covariance = np.polyfit(lags, curve * LN10, 1, cov=True)
        assert found[k] == pytest.approx(slope, rel=1e-12)  # 7 points: a few eps
        assert error[k] == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-12)


def test_what_has_no_slope() -> None:
    lags = np.arange(4)
    dead, lost = np.array([0, -1, -np.inf, -np.inf]), np.array([0, np.nan, 1, 2])
    found, error = slopes(np.stack([dead, lost, lags / LN10]), lags)
    assert found[0] == -np.inf
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(1, rel=1e-15)  # the neighbours do no harm
    assert np.isnan(error[:2]).all()


def test_a_single_step_has_no_slope() -> None:
    found, error = slopes(np.array([[1.0]]), np.array([0]))
    assert np.isnan(found).all() and np.isnan(error).all()


# ---------------------------------------------------------------- spread

NAN = np.array([np.nan])


def test_the_spread_of_three_seeds_by_hand() -> None:
    """1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, std sqrt(7), half-width 4.3027 sqrt(7 / 3)."""
    found = spread(np.array([1.0, 2.0, 6.0]), np.full(3, np.nan), 50)
    half = 4.3027 * math.sqrt(7 / 3)
    assert found.mean == 3
    assert found.std == pytest.approx(math.sqrt(7), rel=1e-15)
    assert found.low == pytest.approx(3 - half, rel=1e-14)
    assert found.high == pytest.approx(3 + half, rel=1e-14)


def test_the_spread_of_two_seeds_by_hand() -> None:
    found = spread(np.array([-0.5, -0.3]), np.full(2, np.nan), 50)
    half = 12.7062 * 0.1  # std 0.1 sqrt 2, over sqrt 2
    assert found.mean == pytest.approx(-0.4, rel=1e-15)
    assert found.low == pytest.approx(-0.4 - half, rel=1e-14)
    assert found.high == pytest.approx(-0.4 + half, rel=1e-14)


def test_equal_seeds_have_no_spread() -> None:
    found = spread(np.full(8, 0.1), np.full(8, np.nan), 50)
    assert (found.mean, found.std, found.low, found.high) == (0.1, 0, 0.1, 0.1)


def test_one_seed_has_the_interval_of_its_slope() -> None:
    found = spread(np.array([0.5]), np.array([0.01]), 12)  # 12 points: 10 degrees of freedom
    assert found.mean == 0.5
    assert math.isnan(found.std)
    assert found.high - found.mean == pytest.approx(0.022281, rel=1e-12)
    assert found.mean - found.low == pytest.approx(0.022281, rel=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6))
def test_the_order_of_the_seeds_shows_in_no_bit(rates: list[float]) -> None:
    errors = np.full(len(rates), np.nan)
    found = {spread(np.array(p), errors, 9) for p in itertools.permutations(rates)}
    assert len(found) == 1


# ---------------------------------------------------------------- Student's t

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: upper critical values, 0.975
NIST = dict(
    [
        *[(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365)],
        *[(8, 2.306), (9, 2.262), (10, 2.228), (11, 2.201), (12, 2.179), (13, 2.160)],
        *[(14, 2.145), (15, 2.131), (20, 2.086), (25, 2.060), (30, 2.042), (40, 2.021)],
        *[(60, 2.000), (80, 1.990), (100, 1.984)],
    ]
)


@pytest.mark.parametrize("degrees", NIST)
def test_students_t_is_that_of_the_table(degrees: int) -> None:
    # the table has three decimals; the expansion is off by less than 1e-4 beside that
    assert student_t(degrees) == pytest.approx(NIST[degrees], abs=6e-4)


@pytest.mark.parametrize("degrees", [1, 2, 3, 5, 10, 11, 12, 15, 30, 200])
def test_students_t_leaves_five_per_cent_outside(degrees: int) -> None:
    """The density's integral, by Simpson's rule: independent of any table."""
    n, t = degrees, student_t(degrees)
    scale = math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)) / math.sqrt(n * math.pi)
    x = np.linspace(0, t, 20_001)
    density = scale * (1 + x**2 / n) ** (-(n + 1) / 2)
    step = x[1] - x[0]
    inside = step / 3 * (density[0] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum())
    inside += step / 3 * density[-1]
    # four decimals of t, times the density there (0.005 to 0.06), twice
    assert 2 * inside == pytest.approx(0.95, abs=1.3e-5)


def test_students_t_falls_towards_the_normal() -> None:
    values = [student_t(n) for n in range(1, 300)]
    assert all(a > b for a, b in itertools.pairwise(values))  # also where the table ends
    assert student_t(10**9) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-8)


# ---------------------------------------------------------------- curves


def test_the_mean_curve_is_geometric() -> None:
    curve = mean_curve(np.array([[0.0, 1.0, -2.0], [2.0, 1.0, -np.inf]]))
    assert curve.tolist() == [1.0, 1.0, -np.inf]
    assert np.isnan(mean_curve(np.empty((0, 3)))).all()


LAGS = np.array([4, 3, 2, 1, 0])  # as recorded: t rises, the lag falls


def falling(slope: float) -> np.ndarray:
    return slope * LAGS + 5.0


def test_a_crossing_is_interpolated() -> None:
    assert crossing(falling(-0.8), LAGS, -2.0) == pytest.approx(2.5, rel=1e-14)
    assert crossing(falling(+0.8), LAGS, +2.0) == pytest.approx(2.5, rel=1e-14)


def test_a_crossing_at_a_step_is_that_step() -> None:
    assert crossing(falling(-1.0), LAGS, -2.0) == 2.0
    assert crossing(falling(-0.5), LAGS, -2.0) == 4.0  # the last step counts
    assert crossing(falling(+0.5), LAGS, +2.0) == 4.0


def test_a_crossing_that_does_not_come() -> None:
    assert crossing(falling(-0.1), LAGS, -2.0) is None
    assert crossing(falling(-1.0), LAGS, +2.0) is None
    assert crossing(np.full(5, np.nan), LAGS, -2.0) is None


def test_the_first_crossing_counts() -> None:
    there_and_back = np.array([0.0, -3.0, 0.0, -4.0, 0.0])
    assert crossing(there_and_back, LAGS, -2.0) == pytest.approx(0.5, rel=1e-14)


def test_an_exact_zero_has_crossed_at_its_step() -> None:
    dead = np.array([-np.inf, -np.inf, -np.inf, 4.9, 5.0])
    assert crossing(dead, LAGS, -2.0) == 2.0


def test_a_crossing_between_recorded_steps_that_are_far_apart() -> None:
    lags = np.array([1000, 500, 0])
    assert crossing(-0.003 * lags, lags, -2.0) == pytest.approx(2000 / 3, rel=1e-14)
