"""Means over a Gaussian pre-activation a ~ N(b, q) of phi and its slope.

Closed forms for linear and ReLU. For tanh and sigmoid the trapezoid rule on +-12 standard
deviations, which converges exponentially for such integrands: 4800 intervals give 1e-13 up to
q = 1000, and their number grows with sqrt(q) beyond. The trap: Gauss-Hermite quadrature with 64
nodes is off by 3e-3 at q = 10 and by 6e-2 at q = 100, where tanh is a step for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from gradlab.nonlinearity import NONLINEARITIES, Array

POINTS = 4800  # intervals of the quadrature on +-12; more of them for larger q
WELL_RESOLVED = 1000.0  # the largest q for which they are enough
FINEST = 64  # times as many intervals, for q up to
LARGEST_Q = WELL_RESOLVED * FINEST**2


def second_moment(activation: str, b: float, q: float) -> float:
    """E phi(a)^2 for a ~ N(b, q)."""
    if activation == "linear":
        return b * b + q
    if activation == "relu":
        edge = math.exp(-b * b / (2 * q)) / math.sqrt(2 * math.pi) if q > 0 else 0.0
        return (b * b + q) * positive(b, q) + b * math.sqrt(q) * edge
    return gauss(lambda a: NONLINEARITIES[activation].value(a) ** 2, b, q)


def slope_moment(activation: str, b: float, q: float, k: int) -> float:
    """E phi'(a)^k for a ~ N(b, q)."""
    if activation in ("linear", "relu"):
        return 1.0 if activation == "linear" else positive(b, q)
    return gauss(lambda a: NONLINEARITIES[activation].slope(a) ** k, b, q)


def mean_log_slope(activation: str, b: float, q: float) -> float:
    """E ln phi'(a) for a ~ N(b, q), where phi' itself may underflow."""
    if activation in ("linear", "relu"):
        return 0.0 if activation == "linear" else -math.inf
    if activation == "tanh":  # tanh'(a) = 4 sigmoid'(2 a)
        return math.log(4) + mean_log_slope("sigmoid", 2 * b, 4 * q)
    return gauss(lambda a: -np.abs(a) - 2 * np.log1p(np.exp(-np.abs(a))), b, q)


def positive(b: float, q: float) -> float:
    """P(a > 0) for a ~ N(b, q); 1/2 at b = q = 0, the limit of q -> 0."""
    if q == 0:
        return 0.5 + 0.5 * math.copysign(1.0, b) if b else 0.5
    return 0.5 * math.erfc(-b / math.sqrt(2 * q))


def gauss(f: Callable[[Array], Array], b: float, q: float) -> float:
    """E f(a) for a ~ N(b, q), by the trapezoid rule."""
    z, weight = nodes(q)
    return float(weight @ f(b + math.sqrt(q) * z))


def nodes(q: float) -> tuple[Array, Array]:
    """Points z, in standard deviations, and weights, that resolve functions of a ~ N(b, q)."""
    finer = 1 if q <= WELL_RESOLVED else min(math.ceil(math.sqrt(q / WELL_RESOLVED)), FINEST)
    return _nodes(finer)


@lru_cache(maxsize=4)
def _nodes(finer: int) -> tuple[Array, Array]:
    """Points and weights of the trapezoid rule for N(0, 1)."""
    z = np.linspace(-12, 12, POINTS * finer + 1)
    return z, np.exp(-z * z / 2) * (24 / (POINTS * finer) / math.sqrt(2 * math.pi))
