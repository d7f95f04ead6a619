"""sigmoid into memory that is there, with the digits of gradlab.nonlinearity."""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array


def sigmoids(a: Array, out: Array) -> None:
    """1 / (1 + exp(-a)). An exp beyond the largest float is inf, the sigmoid then 0."""
    np.negative(a, out=out)
    opposite_sigmoids(out, out)


def opposite_sigmoids(a: Array, out: Array) -> None:
    """1 / (1 + exp(a)), the sigmoid of -a."""
    np.exp(a, out=out)
    np.add(out, 1, out=out)
    np.divide(1, out, out=out)
