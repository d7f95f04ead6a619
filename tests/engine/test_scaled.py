"""Numbers beyond float range, against whole-number arithmetic.

Claims: norm, hypot, add and log10 are right for entries of any size, the exponents up to 2^40000
included; a zero is -inf and stays zero; powers of two change no digit; `plain` gives what a float
can hold and NaN elsewhere.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.engine.scaled import Scaled, add, hypot, norm, renormalize, shift
from tests.engine.ensembles import canonical

LOG10_2 = log10(2)
EXPONENTS = [-40000, -1100, -700, -30, 0, 30, 700, 1100, 40000]


def scaled(mantissa: object, exponent: int) -> Scaled:
    """One member."""
    return Scaled(np.array(mantissa, dtype=float)[None], np.array([exponent]))


def exact(a: Scaled, base: int) -> list[int]:
    """Entries of one member in units of 2^-base, as whole numbers."""
    scale = Fraction(2) ** (int(a.exponent[0]) + base)
    entries = [Fraction(float(v)) * scale for v in a.mantissa.ravel()]
    assert all(entry.denominator == 1 for entry in entries)
    return [entry.numerator for entry in entries]


def log10_root(square: int, base: int) -> float:
    """log10(sqrt(square) 2^-base) for a whole number of any size."""
    drop = max(square.bit_length() - 200, 0) // 2 * 2
    root = isqrt((square >> drop) << 60)
    return log10(root) + (drop // 2 - 30 - base) * LOG10_2


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_norm(exponent: int, size: float) -> None:
    a = scaled(np.random.default_rng(0).standard_normal((4, 3)) * size, exponent)
    base = 2200 - exponent  # mantissas are whole in units of 2^-2200
    square = sum(v * v for v in exact(a, base))
    found = norm(a).log10()[0]
    # 12 terms to eps each; the logarithm carries eps of its own size
    assert abs(found - log10_root(square, base)) < 1e-14 + 4e-16 * abs(found)


@pytest.mark.parametrize("one", EXPONENTS)
@pytest.mark.parametrize("other", EXPONENTS)
def test_hypot_and_add(one: int, other: int) -> None:
    a, b = scaled([3.0, -1.25], one), scaled([0.5, 7.0], other)
    base = 100 - min(one, other)
    x, y = exact(a, base), exact(b, base)
    square = sum(v * v for v in x + y)
    total = hypot([norm(a), norm(b)])
    assert abs(total.log10()[0] - log10_root(square, base)) < 1e-14 + 4e-16 * abs(total.log10()[0])
    together = add(a, b)
    for found, left, right in zip(together.mantissa[0], x, y, strict=True):
        true = Fraction(left + right, 2**base) if base >= 0 else Fraction((left + right) * 2**-base)
        got = Fraction(float(found)) * Fraction(2) ** int(together.exponent[0])
        assert abs(got - true) <= abs(true) * Fraction(1, 2**53)  # one rounding


def test_add_takes_each_member_in_its_own_frame() -> None:
    a = Scaled(np.array([[1.0], [1.0], [0.0]]), np.array([5000, 0, 9000]))
    b = Scaled(np.array([[1.0], [1.0], [1.5]]), np.array([0, 5000, -7000]))
    total = add(a, b)
    assert np.array_equal(total.mantissa.ravel(), [1.0, 1.0, 1.5])
    assert total.exponent.tolist() == [5000, 5000, -7000]  # a zero has no say in the frame


def test_zeros() -> None:
    nothing = scaled([0.0, 0.0], 300)
    assert np.isneginf(norm(nothing).log10()[0]) and norm(nothing).plain()[0] == 0
    assert np.isneginf(hypot([norm(nothing), norm(nothing)]).log10()[0])
    kept = hypot([norm(nothing), norm(scaled([3.0, 4.0], -5000))])
    assert np.array_equal(canonical(kept), canonical(norm(scaled([3.0, 4.0], -5000))))
    assert not add(nothing, nothing).mantissa.any()


def test_not_finite_is_said_and_raises_nothing() -> None:
    for bad in (np.nan, np.inf):
        assert not np.isfinite(norm(scaled([1.0, bad], 0)).log10()[0])
        assert not np.isfinite(hypot([norm(scaled([1.0, bad], 3)), norm(scaled([1.0], 9))]).log10())


def test_plain() -> None:
    held = Scaled(
        np.array([0.75, 0.75, 0.75, 0.75, 0.0]), np.array([1024, 1025, -1021, -1022, -9999])
    )
    # 0.75 2^1024 is below the largest float; 0.75 2^-1022 is subnormal: digits would be lost
    expected = [0.75 * 2.0**1023 * 2, np.nan, 0.75 * 2.0**-1021, np.nan, 0.0]
    assert np.array_equal(held.plain(), expected, equal_nan=True)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-30000, 30000))
def test_renormalize_changes_no_digit(x: float, exponent: int) -> None:
    a = np.array([[x, x / 3, -x / 7]])
    mantissa, moved = renormalize(a, np.array([exponent]))
    assert (a == 0).all() or 0.5 <= np.abs(mantissa).max() < 1
    before, after = Fraction(x) * Fraction(2) ** exponent, Fraction(float(mantissa[0, 0]))
    assert after * Fraction(2) ** int(moved[0]) == before


def test_shift_belongs_to_the_leading_axes() -> None:
    a = np.ones((2, 3, 4, 5))
    k = np.array([[0, 1, 2], [3, -4, 5]])
    assert np.array_equal(shift(a, k), 2.0 ** k[:, :, None, None] * a)
    assert np.array_equal(shift(a, np.array([1, -1])), a * np.array([2, 0.5])[:, None, None, None])
