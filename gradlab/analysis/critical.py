"""Closed forms: critical gains at the zero state, products of a skip and a matrix, scalar cells.

g scales recurrent matrices with entries N(0, g^2 / H), whose eigenvalues w fill the disk |w| <= g
as H -> infinity. Rates are in nats per step. The critical gain of a vanilla net with input is
`meanfield.critical_gain`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from gradlab.nonlinearity import sigmoid


def lstm_critical_gain(forget_bias: float = 0.0) -> float:
    """g above which the zero state of an LSTM is unstable: (1 - f) / (i o).

    No input, i = o = 1/2, f = sigmoid(forget_bias). There J has the eigenvalues 0 and f + i o w,
    of modulus up to f + i o g. About the zero state only: with input the gates move, and `dmft`
    is the theory (at forget bias 1 and s2 = 1/4 the rate is 0 between g = 1 and 2, not at 1.08).
    """
    return 4 * float(sigmoid(np.array(-forget_bias)))


def gru_critical_gain() -> float:
    """g above which the zero state of a GRU is unstable: 1 / r = 2, whatever the update gate.

    J = z + (1 - z) r W_n there, with the eigenvalues z + (1 - z) r w. Also of the form of 2014.
    """
    return 2.0


def gru_minimal_critical_gain() -> float:
    """g above which the zero state of a minimal GRU is unstable: 1. The GRU with r = 1."""
    return 1.0


# g at which the zero state turns unstable, by forget bias; of gru_2014 it is that of gru
CRITICAL_GAINS: dict[str, Callable[[float], float]] = {
    "lstm": lstm_critical_gain,
    "gru": lambda forget_bias: gru_critical_gain(),
    "gru_minimal": lambda forget_bias: gru_minimal_critical_gain(),
}
REST_LAGS = 60


def rest_curve(cell: str, g: float, forget_bias: float = 0.0) -> tuple[float, ...]:
    """ln(||delta_h|| / ||delta_h at lag 0||) at lags 0 .. REST_LAGS, at the zero state without
    input and biases, H -> infinity, for one of CRITICAL_GAINS. g > 0.

    J^k of the GRUs is that of keep + branch W, shared W of gain 1. J of the LSTM is A B with
    A = (o, 1) and B = (i W, f), so J^k = A (B A)^(k-1) B with B A = f + i o W: the same to the
    power k - 1, and i o W once.
    """
    keep = float(sigmoid(np.array(forget_bias)))
    let_in = float(sigmoid(np.array(-forget_bias)))
    branch = {"lstm": 0.25, "gru": 0.5 * let_in, "gru_minimal": let_in}[cell] * g
    less, once = (1, math.log(branch)) if cell == "lstm" else (0, 0.0)
    powers = (shared_skip_log_square(keep, branch, k - less) for k in range(1, REST_LAGS + 1))
    return (0.0, *(once + 0.5 * power for power in powers))


@lru_cache(maxsize=4096)
def rest_rate(cell: str, g: float, forget_bias: float = 0.0) -> float:
    """Slope of `rest_curve` over lags 1 to REST_LAGS. It changes sign a little above the critical
    gain, to which it tends over more lags.
    """
    curve = rest_curve(cell, g, forget_bias)
    return (curve[-1] - curve[1]) / (REST_LAGS - 1)


def untied_residual_rate(keep: float, branch: float, chi: float) -> float:
    """Growth rate of ln||delta|| per layer of h' = keep h + branch phi(W h + b), W fresh in each:
    ln(keep^2 + branch^2 chi) / 2, from E||delta'||^2 = (keep^2 + branch^2 chi) E||delta||^2.

    chi = g^2 E phi'^2 at the layer's own pre-activation, g^2 for a linear branch; keep = 0 is a
    deep net without skips (critical at chi = 1: ReLU at g^2 = 2, He et al. 2015), keep = 1 a
    residual net. phi' at the layers must be independent of delta: true of fresh weights. q grows
    with the layers of a residual net, and chi of tanh with it falls.
    """
    factor = keep * keep + branch * branch * chi
    return 0.5 * math.log(factor) if factor > 0 else -math.inf


def shared_skip_log_square(keep: float, branch: float, k: int) -> float:
    """ln E||(keep + branch W)^k v||^2 / ||v||^2 for one shared Gaussian W of g = 1, H -> infinity:
    the sum over j of C(k, j)^2 keep^(2 (k - j)) branch^(2 j), which grows about as
    (keep + branch)^(2 k).

    W^j v, j = 0 .. k, are orthogonal and of the same length as H -> infinity, and that is all that
    is needed. It needs k well below H. With a fresh W in each step it is k ln(keep^2 + branch^2).
    """
    logs = [
        2 * _log_binomial(k, j) + 2 * _log_power(keep, k - j) + 2 * _log_power(branch, j)
        for j in range(k + 1)
    ]
    top = max(logs)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(x - top) for x in logs))


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_power(base: float, n: int) -> float:
    """ln |base|^n, with 0^0 = 1."""
    if n == 0:
        return 0.0
    return n * math.log(abs(base)) if base else -math.inf


def scalar_gradient_square(weight: float) -> float:
    """E (dh/dw)^2 of h' = w h + u with u of variance 1, white, |w| < 1, in the stationary state:
    (1 + w^2) / (1 - w^2)^3.

    dh/dw = sum of n w^(n-1) u at lag n, so it is the sum of n^2 w^(2 n - 2).
    """
    square = weight * weight
    return (1 + square) / (1 - square) ** 3


def scalar_horizon(weight: float, missing: float = 0.05) -> float:
    """Lags n for which |w|^(2 n) = missing, the share of a geometric series that lies beyond lag n:
    ln(missing) / (2 ln|w|), 0 < |w| < 1.
    """
    return math.log(missing) / (2 * math.log(abs(weight)))


def chrono_retention(horizon: int) -> float:
    """f^T for the largest forget bias that the chrono initialisation (Tallec, Ollivier 2018) draws
    for that horizon T, ln(T - 1), f = (T - 1) / T: tends to 1/e. T >= 2.
    """
    return (1 - 1 / horizon) ** horizon
