"""Values and slopes of gates into memory that is there: as gradlab.nonlinearity has them, the slope
of the sigmoid to its last digits.
"""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array


def minus(a: Array, out: Array, one: Array) -> None:
    """-a. Not by numpy's `negative`, which in 2.4 gives wrong numbers where these lie apart."""
    np.multiply(a, -one, out)


def sigmoids(a: Array, out: Array, one: Array) -> None:
    """1 / (1 + exp(-a)). An exp beyond the largest float is inf, the sigmoid then 0.

    one: () of the same dtype; a number of Python would be made into an array at every call.
    """
    minus(a, out, one)
    np.exp(out, out)
    np.add(out, one, out)
    np.divide(one, out, out)


def both_sigmoids(a: Array, value: Array, opposite: Array, one: Array) -> None:
    """sigmoid(a) and sigmoid(-a), by one exponential: the latter is exp(-a) times the former."""
    minus(a, opposite, one)
    np.exp(opposite, opposite)
    np.add(opposite, one, value)
    np.divide(one, value, value)
    np.multiply(opposite, value, opposite)
    if not value.all():
        opposite[value == 0] = one  # it was inf times 0


def tanh_slopes(a: Array, out: Array, one: Array) -> None:
    """1 / cosh(a)^2. Where the square is beyond the largest float, 0 in place of a subnormal."""
    np.cosh(a, out)
    np.multiply(out, out, out)
    np.divide(one, out, out)


def opposite_sigmoids(a: Array, out: Array, one: Array) -> None:
    """1 / (1 + exp(a)), the sigmoid of -a."""
    np.exp(a, out)
    np.add(out, one, out)
    np.divide(one, out, out)
