"""Numbers spread over an interval: exact arithmetic, rounded once, the same on every platform.

A number stands for the decimal that it is written as: 0.1 is one tenth. So 0.1, 0.3 in steps of 0.1
is 0.1, 0.2, 0.3 to the last bit, and no library's `exp` has a say in what log spacing gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction

Real = int | float

LOG = Context(prec=60)  # 10^6 products of 60 digits are right to 50, and 17 are kept


def linear(first: Real, last: Real, count: int) -> Iterator[Real]:
    """`count` >= 2 numbers from `first` to `last`, both exactly."""
    a, b = _exact(first), _exact(last)
    step = (b - a) / (count - 1)
    whole = _both_whole(first, last) and step.denominator == 1
    return _on_grid(a, step, count, whole)


def stepped(first: Real, step: Real, count: int) -> Iterator[Real]:
    """`count` numbers from `first` on, `step` apart."""
    return _on_grid(_exact(first), _exact(step), count, _both_whole(first, step))


def steps_within(first: Real, last: Real, step: Real) -> int:
    """How many numbers `stepped` has from `first` <= `last`, which is included."""
    return (_exact(last) - _exact(first)) // _exact(step) + 1


def logarithmic(first: Real, last: Real, count: int) -> list[Real]:
    """`count` >= 2 positive numbers from `first` to `last`, both exactly, of equal ratios."""
    a, b = Decimal(repr(first)), Decimal(repr(last))
    step = LOG.divide(LOG.subtract(LOG.ln(b), LOG.ln(a)), Decimal(count - 1))
    ratio, value, inner = LOG.exp(step), a, []
    for _ in range(count - 2):
        value = LOG.multiply(value, ratio)
        inner.append(float(value))
    if _both_whole(first, last) and all(x.is_integer() for x in inner):
        return [first, *map(int, inner), last]
    return [float(first), *inner, float(last)]


def _on_grid(first: Fraction, step: Fraction, count: int, whole: bool) -> Iterator[Real]:
    below = first.denominator * step.denominator
    a, d = first.numerator * step.denominator, step.numerator * first.denominator
    if whole:
        return ((a + i * d) // below for i in range(count))
    return ((a + i * d) / below for i in range(count))  # of two ints: correctly rounded


def _exact(value: Real) -> Fraction:
    return Fraction(repr(value))


def _both_whole(one: Real, other: Real) -> bool:
    return isinstance(one, int) and isinstance(other, int)
