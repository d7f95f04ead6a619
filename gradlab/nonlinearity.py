"""Activation functions and their derivatives, taken at the pre-activation.

    sigmoid(a) = 1 / (1 + exp(-a))          sigmoid'(a) = sigmoid(a) sigmoid(-a)
    tanh(a)                                 tanh'(a)    = sech(a)^2
    relu(a)    = max(a, 0)                  relu'(a)    = 1 for a > 0, else 0

The trap: `1 - tanh(a)**2` is exactly 0 from |a| = 19.1 on (the true value there is 1e-16, at 25 it
is 7.7e-22) and `s * (1 - s)` from a = 37 on. A program about vanishing gradients must not invent a
zero, so nothing here is derived from the rounded output. All functions also accept complex
arguments (the complex step needs them analytic) and keep the dtype of floating input.

Measured against 60-digit arithmetic on |a| <= 350: relative error of each derivative below 4 eps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of floats; complex in the complex step


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), with full relative accuracy in both tails.

    Where exp(-a) is beyond the largest float, so that the value would be subnormal, it is 0.
    """
    return _sigmoid_by_decay(a) if a.dtype.kind == "c" else _inverse_of_one_plus_exp(-a)


def sigmoid_slope(a: Array) -> Array:
    """sigmoid'(a) = sigmoid(a) sigmoid(-a). At most 1/4."""
    return _bell(_decay(a, 1)) if a.dtype.kind == "c" else sigmoid(a) * sigmoid(-a)


def sigmoid_and_slope(a: Array) -> tuple[Array, Array]:
    """Both of the above, bit for bit."""
    if a.dtype.kind == "c":
        return sigmoid(a), sigmoid_slope(a)
    value, slope = sigmoid(a), sigmoid(-a)
    slope *= value
    return value, slope


def tanh_slope(a: Array) -> Array:
    """tanh'(a) = sech(a)^2 = 4 e / (1 + e)^2 with e = exp(-2 |a|). At most 1."""
    slope = _bell(_decay(a, 2))
    slope *= 4
    return slope


def relu(a: Array) -> Array:
    """max(a, 0) by the real part; NaN stays NaN."""
    return a * (a.real > 0) if np.iscomplexobj(a) else np.maximum(a, 0)


def relu_slope(a: Array) -> Array:
    """1 where a > 0, else 0 (at the kink too, as PyTorch has it)."""
    return (a.real > 0).astype(a.real.dtype)


def _inverse_of_one_plus_exp(b: Array) -> Array:
    """1 / (1 + exp(b)) for real b, which is overwritten where it is of floats."""
    with np.errstate(over="ignore"):
        e = np.asarray(np.exp(b, out=b if b.dtype.kind == "f" and b.ndim else None))
    e += 1
    return np.asarray(np.divide(1, e, out=e))


def _sigmoid_by_decay(a: Array) -> Array:
    """Of complex a, whose exp(-a) must not overflow: it would be no number."""
    e = _decay(a, 1)
    out = np.where(a.real > 0, 1, e)
    e += 1
    out /= e
    return out


def _decay(a: Array, times: int) -> Array:
    """exp(-times |a|), with the analytic a * sign(Re a) for complex a; never overflows. In place
    from here on: what is fresh from the system is slower than the arithmetic.
    """
    e = np.asarray(np.where(a.real > 0, a, -a) if a.dtype.kind == "c" else np.abs(a))
    e = -times * e if e.dtype.kind in "iu" else np.multiply(e, -times, out=e)
    if e.dtype.kind in "iu":
        return np.asarray(np.exp(e))
    return np.exp(e, out=e)


def _bell(e: Array) -> Array:
    """e / (1 + e)^2; e is overwritten."""
    root = e + 1
    root *= root
    e /= root
    return e


@dataclass(frozen=True)
class Nonlinearity:
    """phi with its slope phi' and the largest value that phi' takes (the texts' gamma)."""

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    max_slope: float


NONLINEARITIES = {
    "tanh": Nonlinearity("tanh", np.tanh, tanh_slope, 1.0),
    "relu": Nonlinearity("relu", relu, relu_slope, 1.0),
    "sigmoid": Nonlinearity("sigmoid", sigmoid, sigmoid_slope, 0.25),
}
