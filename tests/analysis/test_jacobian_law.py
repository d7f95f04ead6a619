"""The law of the singular values of J = D W at large width.

Claims:
- D = 1 is the quarter circle, with its edge 2 g;
- half of the units silent (ReLU) is the Marchenko-Pastur law of ratio 1/2, in closed form;
- two kinds of units: the roots of a cubic, also where the law has a gap;
- the moments are those of free probability, and E sigma^2 is chi of the mean field;
- singular values of drawn D W lie so, to their fluctuations;
- it vanishes beyond its edge, scales with g, and is finite where units saturate.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradlab.analysis.jacobian_law import Population, density, edge, of_values, population
from gradlab.analysis.meanfield import mean_field
from gradlab.analysis.random_matrix import quarter_circle
from gradlab.nonlinearity import NONLINEARITIES, Array

NETS = [("tanh", 0.5, 1.0), ("tanh", 1.5, 0.25), ("tanh", 3.0, 1.0), ("sigmoid", 4.0, 0.25)]
GAP = of_values(np.array([1.0, 100.0]), np.array([0.7, 0.3]))
CLOSE = of_values(np.array([1.0, 3.0]), np.array([0.6, 0.4]))


def units_of(activation: str, g: float, s2: float) -> Population:
    q = mean_field(activation, g, s2).q
    assert q is not None
    return population(activation, g, 0.0, q)


@pytest.mark.parametrize("g", [1e-200, 1e-160, 1e160, 1e200])
def test_the_quarter_circle_scales(g: float) -> None:
    """g times its density depends on sigma / g alone; g^2 is no float here."""
    x = np.linspace(0, 3, 31)
    np.testing.assert_allclose(g * quarter_circle(x * g, g), quarter_circle(x, 1.0), rtol=1e-12)
    assert quarter_circle(np.array([1e300]), g)[0] == 0 or g == 1e300


@pytest.mark.parametrize("g", [0.3, 1.0, 2.5])
def test_the_identity_is_the_quarter_circle(g: float) -> None:
    units = population("linear", g, 0.0, 1.0)
    sigma = np.linspace(1e-3, 2.2, 300) * g
    # m is approached at an angle of 7e-10, and near the edge it is a square root: 1e-4 times that
    np.testing.assert_allclose(density(sigma, units), quarter_circle(sigma, g), atol=1e-4 / g)
    inner = sigma < 1.99 * g
    np.testing.assert_allclose(
        density(sigma[inner], units), quarter_circle(sigma[inner], g), rtol=1e-7
    )
    assert edge(units) == pytest.approx(2 * g, rel=1e-12)


@pytest.mark.parametrize("g", [1.0, 1.7])
def test_silent_units_are_the_law_of_a_flat_matrix(g: float) -> None:
    units = population("relu", g, 0.0, 2.0)
    assert units.zeros == pytest.approx(0.5, abs=1e-15)
    low, high = g * (1 - math.sqrt(0.5)), g * (1 + math.sqrt(0.5))
    assert edge(units) == pytest.approx(high, rel=1e-12)
    sigma = np.linspace(low + 1e-3, high - 1e-3, 200)
    x = sigma**2
    # of H/2 rows, H columns; the factor 2 sigma is dx/dsigma
    exact = np.sqrt((high**2 - x) * (x - low**2)) / (2 * math.pi * g * g * x) * 2 * sigma
    np.testing.assert_allclose(density(sigma, units), exact, rtol=1e-6)
    outside = np.array([0.1 * low, 0.9 * low, 1.1 * high])
    np.testing.assert_allclose(density(outside, units), 0, atol=1e-7)


def test_a_bias_moves_the_share_of_silent_units() -> None:
    units = population("relu", 1.0, -1.0, 1.0)
    assert units.zeros == pytest.approx(0.5 * math.erfc(-1 / math.sqrt(2)), abs=1e-14)


def cubic(sigma: float, units: Population) -> float:
    """The density from the roots of the equation for m, cleared of its fractions."""
    (s, t), (u, v), z = units.t, units.weight, sigma**2
    both = np.polymul([s, 1], [t, 1])
    equation = np.polyadd(z * np.polymul([1, 0], both), both)
    for a, b, w in ((s, t, u), (t, s, v)):
        equation = np.polysub(equation, w * a * np.polymul([1, 0], [b, 1]))
    return float(2 * sigma * np.roots(equation).imag.max() / math.pi)


@pytest.mark.parametrize("units", [CLOSE, GAP])
def test_two_kinds_of_units_are_a_cubic(units: Population) -> None:
    sigma = np.linspace(0.02, 1.05, 150) * edge(units)
    exact = [cubic(float(one), units) for one in sigma]
    # at an edge both are square roots of rounding errors
    np.testing.assert_allclose(density(sigma, units), exact, atol=1e-5)


def test_a_gap_is_empty() -> None:
    # 30 % of the units are 10 times as steep: they have a bulk of their own, from about 4.5 on
    sigma = np.linspace(0.05, 1.02 * edge(GAP), 2000)
    found = density(sigma, GAP)
    gap = (sigma > 2.2) & (sigma < 4.0)
    np.testing.assert_allclose(found[gap], 0, atol=1e-6)
    upper = sigma > 4.0
    # trapezoid over two square-root edges, 2000 points
    assert np.trapezoid(found[upper], sigma[upper]) == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(("activation", "g", "s2"), NETS)
def test_moments(activation: str, g: float, s2: float) -> None:
    units = units_of(activation, g, s2)
    chi = mean_field(activation, g, s2).chi
    assert units.moment(1) == pytest.approx(chi, rel=1e-11)
    t1, t2, t3 = (units.moment(k) for k in (1, 2, 3))
    expected = [1.0, t1, t2 + t1**2, t3 + 3 * t2 * t1 + t1**3]  # free cumulants are E t^k
    # log sigma = log edge - s^2 makes the edge smooth; e^-40 is below all units
    s = np.linspace(0, math.sqrt(40), 601)[1:]
    sigma = edge(units) * np.exp(-(s**2))
    weight = density(sigma, units) * sigma * 2 * s
    found = [np.trapezoid(weight * sigma ** (2 * k), s) for k in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)  # trapezoid, step 0.01


@pytest.mark.parametrize(("activation", "g", "s2"), NETS[1:])
def test_drawn_matrices(activation: str, g: float, s2: float) -> None:
    H = 800
    q = mean_field(activation, g, s2).q
    assert q is not None
    units = population(activation, g, 0.0, q)
    random = np.random.default_rng(0)
    # D at the quantiles of its distribution: drawn, it would add a noise of 1 / sqrt(H)
    slope = NONLINEARITIES[activation].slope(math.sqrt(q) * quantiles(H))
    W = g / math.sqrt(H) * random.standard_normal((H, H))
    drawn = np.linalg.svd(random.permutation(slope)[:, None] * W, compute_uv=False)
    # the largest fluctuates by a few H^(-2/3) of itself
    assert drawn[0] == pytest.approx(edge(units), rel=3 * H ** (-2 / 3))
    at = np.exp(np.linspace(math.log(1e-12), math.log(edge(units)), 400))
    weight = density(at, units) * at
    below = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2 * np.diff(np.log(at)))])
    counted = np.searchsorted(drawn[::-1], at) / H
    # singular values are rigid: ln H / H, and as much for the quadrature of the density
    assert np.abs(counted - below).max() < 0.02


def quantiles(n: int) -> Array:
    """Of a standard Gaussian, at the middles of n intervals of equal probability."""
    z = np.linspace(-6, 6, 200_001)
    cdf = np.cumsum(np.exp(-z * z / 2))
    return np.interp((np.arange(n) + 0.5) / n, cdf / cdf[-1], z)


@pytest.mark.parametrize(("activation", "g", "s2"), NETS)
def test_it_ends_at_its_edge(activation: str, g: float, s2: float) -> None:
    units = units_of(activation, g, s2)
    end = edge(units)
    inside, outside = density(end * np.array([1 - 1e-3, 1 + 1e-3]), units)
    assert inside > 1e-2 / end
    assert outside < 1e-6 / end
    twice = Population(4 * units.t, units.weight)
    assert edge(twice) == pytest.approx(2 * end, rel=1e-12)
    sigma = end * np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(density(2 * sigma, twice), density(sigma, units) / 2, rtol=1e-8)


def test_saturated_units() -> None:
    units = population("tanh", 30.0, 0.0, 800.0)
    sigma = 10.0 ** np.linspace(-30, math.log10(edge(units)), 200)
    found = density(sigma, units)
    assert np.isfinite(found).all()
    assert (found[:-1] > 0).all()


def test_no_units() -> None:
    nothing = population("relu", 0.0, 0.0, 1.0)
    assert (nothing.zeros, edge(nothing)) == (1.0, 0.0)
    assert density(np.array([0.5]), nothing).tolist() == [0.0]


def test_equal_values_become_one() -> None:
    units = of_values(np.array([2.0, 0.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert units.t.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(units.weight, [0.3, 0.5], rtol=1e-15)
    assert units.zeros == pytest.approx(0.2, rel=1e-14)
