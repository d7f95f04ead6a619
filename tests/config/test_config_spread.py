"""Numbers spread over an interval: linear, log and range.

- both ends are exact, the count is what was asked for, the order is that of the ends
- each value is the float nearest to the decimal or rational that is meant
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.config.spread import Real, linear, logarithmic, stepped, steps_within

FINITE = st.floats(-1e300, 1e300) | st.integers(-(2**53), 2**53)
POSITIVE = st.floats(1e-300, 1e300) | st.integers(1, 2**53)
COUNT = st.integers(2, 60)


def exact(value: Real) -> Fraction:
    """The number that the value is written as."""
    return Fraction(repr(value))


def monotone(values: list[Real], first: Real, last: Real) -> bool:
    """Whether the values go from one end to the other without turning."""
    ordered = sorted(values, reverse=first > last)
    return values == ordered


@given(FINITE, FINITE, COUNT)
def test_linear_is_the_rational_rounded_once(first: Real, last: Real, count: int) -> None:
    """Every value is within half a unit in the last place of the exact one; whole ones are ints."""
    values = list(linear(first, last, count))
    assert len(values) == count
    assert (values[0], values[-1]) == (first, last)
    assert monotone(values, first, last)
    for i, value in enumerate(values):
        wanted = exact(first) + (exact(last) - exact(first)) * i / (count - 1)
        assert value == wanted if isinstance(value, int) else value == float(wanted)


@given(POSITIVE, POSITIVE, COUNT)
def test_log_has_equal_ratios(first: Real, last: Real, count: int) -> None:
    """The ends are exact; the logarithms are evenly spaced up to rounding."""
    values = logarithmic(first, last, count)
    assert len(values) == count
    assert (values[0], values[-1]) == (first, float(last))
    assert monotone(values, first, last)
    low, high = math.log(first), math.log(last)
    for i, value in enumerate(values):
        wanted = low + (high - low) * i / (count - 1)
        # math.log of numbers up to 1e300 is right to 1 ulp of 700, three of them and a sum
        assert math.log(value) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.fault("sweep: decimal ranges (0.1 to 0.3 by 0.1)", "exact values, the end included")
@given(st.decimals(-1000, 1000, places=3), st.decimals("0.001", 50, places=3), st.integers(1, 200))
def test_a_range_holds_its_end(first: Decimal, step: Decimal, count: int) -> None:
    """Decimals that are `step` apart, each the nearest float; the last is the end, if it fits."""
    last = first + (count - 1) * step
    a, b, s = float(first), float(last), float(step)
    assert steps_within(a, b, s) == count
    assert steps_within(a, float(last + step / 2), s) == count
    values = list(stepped(a, s, count))
    assert values == [float(first + i * step) for i in range(count)]
    assert values[-1] == b


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (linear(0.1, 3.0, 30), [float(f"{i / 10:.1f}") for i in range(1, 31)]),
        (linear(0, 1, 4), [0.0, 1 / 3, 2 / 3, 1.0]),
        (linear(0, 1, 3), [0.0, 0.5, 1.0]),
        (linear(0, 10, 3), [0, 5, 10]),
        (linear(3, 1, 3), [3, 2, 1]),
        (linear(1.0, 3, 3), [1.0, 2.0, 3.0]),
        (logarithmic(0.01, 10, 4), [0.01, 0.1, 1.0, 10.0]),
        (logarithmic(1, 1000, 4), [1, 10, 100, 1000]),
        (logarithmic(10, 1, 2), [10, 1]),
        (logarithmic(1, 4, 4), [1.0, 1.58740105196819947475, 2.51984209978974632953, 4.0]),
        (stepped(0.1, 0.1, 3), [0.1, 0.2, 0.3]),
        (stepped(20, 20, 3), [20, 40, 60]),
        (stepped(1, 0.5, 3), [1.0, 1.5, 2.0]),
    ],
)
def test_exact_values(values: object, wanted: list[Real]) -> None:
    """To the last bit, and ints where all of it is whole."""
    assert repr(list(values)) == repr(wanted)  # type: ignore[call-overload]


def test_a_million_log_spaced_values_end_where_they_should() -> None:
    """What the products of 10^6 ratios lose is far below what a float can tell."""
    values = logarithmic(1.0, 2.0, 1_000_001)
    assert values[500_000] == math.sqrt(2)
    assert values[-2] == pytest.approx(math.exp2(1 - 1e-6), rel=4e-16)  # 2 ulp: both are rounded
