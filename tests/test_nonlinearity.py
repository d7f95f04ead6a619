"""Activation functions and slopes, against 60-digit decimal arithmetic.

Claims:
- sigmoid, and the slopes of tanh and sigmoid, have full relative accuracy for every |a| up to 350,
  in both tails: at |a| = 25, 100 and 300, too, where 1 - tanh^2 and s (1 - s) are exactly 0.
- They are even or odd as they should be, and never warn, at infinities neither.
- Complex arguments give the derivative by complex step; float32 stays float32; a NaN stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.nonlinearity import (
    NONLINEARITIES,
    Array,
    relu,
    relu_slope,
    sigmoid,
    sigmoid_and_slope,
    sigmoid_slope,
    tanh_slope,
)

EPS = 2.220446049250313e-16


def true_sigmoid(a: Decimal) -> Decimal:
    return 1 / (1 + (-a).exp())


def true_sigmoid_slope(a: Decimal) -> Decimal:
    return true_sigmoid(a) * true_sigmoid(-a)


def true_tanh_slope(a: Decimal) -> Decimal:
    return 4 / (a.exp() + (-a).exp()) ** 2


TRUE: list[tuple[Callable[[Array], Array], Callable[[Decimal], Decimal]]] = [
    (sigmoid, true_sigmoid),
    (sigmoid_slope, true_sigmoid_slope),
    (tanh_slope, true_tanh_slope),
]
each = pytest.mark.parametrize(("function", "true"), TRUE, ids=lambda f: f.__name__)


def relative_error(
    function: Callable[[Array], Array], true: Callable[[Decimal], Decimal], points: list[float]
) -> float:
    """The largest over the points; a float is a decimal number exactly."""
    values = function(np.array(points))
    with localcontext() as context:
        context.prec = 60
        errors = [
            abs(Decimal(float(value)) / true(Decimal(a)) - 1)
            for a, value in zip(points, values, strict=True)
        ]
    return float(max(errors))


@each
def test_full_relative_accuracy(
    function: Callable[[Array], Array], true: Callable[[Decimal], Decimal]
) -> None:
    points = [*np.linspace(-350, 350, 1403), *np.linspace(-2, 2, 401), 1e-8, -1e-8, 1e-300, 0.0]
    # one exp (1 eps), a sum, a product, a quotient: 4 eps, as the module's page says
    assert relative_error(function, true, [float(a) for a in points]) < 4 * EPS


@each
@pytest.mark.parametrize("a", [25.0, 100.0, 300.0, -25.0, -100.0, -300.0])
def test_saturated(
    function: Callable[[Array], Array], true: Callable[[Decimal], Decimal], a: float
) -> None:
    assert relative_error(function, true, [a]) < 1e-12
    assert relative_error(function, true, [a]) < 4 * EPS


def test_known_values_where_the_rounded_output_gives_zero() -> None:
    # 4 e^-50 and e^-100, with what is left out below e^-50
    assert tanh_slope(np.array([25.0]))[0] == pytest.approx(7.714999e-22, rel=1e-6)
    assert sigmoid_slope(np.array([100.0]))[0] == pytest.approx(3.720076e-44, rel=1e-6)
    assert 1 - np.tanh(25.0) ** 2 == 0  # the trap
    assert 1 - 1 / (1 + np.exp(-100.0)) == 0


@given(st.floats(-700, 700))
def test_symmetry(a: float) -> None:
    plus, minus = np.array([a]), np.array([-a])
    assert np.array_equal(tanh_slope(plus), tanh_slope(minus))
    assert np.array_equal(sigmoid_slope(plus), sigmoid_slope(minus))
    # two roundings of numbers that add up to 1
    assert abs(sigmoid(plus) + sigmoid(minus) - 1)[0] < 2 * EPS
    assert 0 <= sigmoid(plus)[0] <= 1


def test_infinities_and_nan() -> None:
    a = np.array([-np.inf, np.inf, np.nan])
    assert np.array_equal(sigmoid(a), [0, 1, np.nan], equal_nan=True)
    assert np.array_equal(sigmoid_slope(a), [0, 0, np.nan], equal_nan=True)
    assert np.array_equal(tanh_slope(a), [0, 0, np.nan], equal_nan=True)
    assert np.array_equal(relu(a), [0, np.inf, np.nan], equal_nan=True)


def test_relu() -> None:
    a = np.array([-2.0, -0.0, 0.0, 1e-320, 3.0])
    assert np.array_equal(relu(a), [0, 0, 0, 1e-320, 3])
    assert np.array_equal(relu_slope(a), [0, 0, 0, 1, 1])  # 0 at the kink, as PyTorch has it
    assert np.array_equal(relu(a + 1e-100j).imag, [0, 0, 0, 1e-100, 1e-100])


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_slope_is_the_derivative(name: str) -> None:
    phi = NONLINEARITIES[name]
    a = np.concatenate((np.linspace(-40, 40, 321), [-300.0, -100.0, 100.0, 300.0, 1e-9]))
    # the imaginary part over the step, without any difference; a few eps for the complex functions
    step = phi.value(a + 1e-100j).imag / 1e-100
    normal = phi.slope(a) * 1e-100 > 1e-300  # below, the imaginary part is no normal number
    assert normal.sum() > 150  # the half where a ReLU is on
    assert np.allclose(step[normal], phi.slope(a)[normal], rtol=1e-14, atol=0)
    assert phi.slope(a).max() <= phi.max_slope * (1 + EPS)
    assert phi.slope(np.array([1e-12]))[0] == pytest.approx(phi.max_slope, rel=1e-15)
    assert phi.name == name


@pytest.mark.parametrize("function", [sigmoid, sigmoid_slope, tanh_slope, relu, relu_slope])
def test_float32_stays_float32_and_is_as_accurate(function: Callable[[Array], Array]) -> None:
    a = np.linspace(-30, 30, 241, dtype=np.float32)
    value = function(a)
    assert value.dtype == np.float32
    # the same 4 eps in the smaller precision; float64 is exact beside it
    assert np.allclose(value, function(a.astype(float)), rtol=4 * 1.2e-7, atol=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_value_and_slope_at_once_are_the_two_apart(dtype: type) -> None:
    """Bit for bit: which of the two ways a cell takes is no matter of digits."""
    a = np.concatenate([np.linspace(-800, 800, 4001), [0.0, -0.0, 1e-300]]).astype(dtype)
    value, slope = sigmoid_and_slope(a)
    assert np.array_equal(value, sigmoid(a))
    assert np.array_equal(slope, sigmoid_slope(a))
    assert value.dtype == slope.dtype == dtype
