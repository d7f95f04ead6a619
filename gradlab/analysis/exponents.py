"""Finite-time Lyapunov exponents: what the singular values of a product say about one step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array


def finite_time_exponents(log_sigma: Array, lag: NDArray[np.int64]) -> Array:
    """ln sigma_i(P_t) / (T - t), nats per step: log_sigma (N, ...) and lags (N,); NaN at lag 0.

    They are not the Lyapunov exponents, which are averages over repeated QR: the two differ by
    terms of order 1 / (T - t), and have the same limit.
    """
    lags = lag.reshape(-1, *[1] * (log_sigma.ndim - 1)).astype(float)
    return np.divide(log_sigma, lags, out=np.full_like(log_sigma, np.nan), where=lags > 0)
