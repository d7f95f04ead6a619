"""sigmoid into memory that is there, with the digits of gradlab.nonlinearity."""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array


def sigmoids(a: Array, out: Array, one: Array) -> None:
    """1 / (1 + exp(-a)). An exp beyond the largest float is inf, the sigmoid then 0.

    one: () of the same dtype; a number of Python would be made into an array at every call.
    """
    np.negative(a, out)
    np.exp(out, out)
    np.add(out, one, out)
    np.divide(one, out, out)


def opposite_sigmoids(a: Array, out: Array, one: Array) -> None:
    """1 / (1 + exp(a)), the sigmoid of -a."""
    np.exp(a, out)
    np.add(out, one, out)
    np.divide(one, out, out)
