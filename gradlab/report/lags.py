"""What comes from how far back: the split of dL/dW by lag, from a record.

A_lag is the part of dL/dW from lag steps before the loss term. Its norm is told relative to that of
the whole gradient, ||dL/dW||, also where truncation cuts the gradient.
"""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record

ROUNDING = 1e-13  # of the whole: what is missing less than this is not known


def applies(record: Record) -> bool:
    """Whether the gradient was split, and any part of it is neither lost nor zero."""
    return "log10_lag_norm" in record.arrays and bool(np.isfinite(record["log10_lag_norm"]).any())


def relative(record: Record) -> Array:
    """log10 of ||A_lag|| / ||dW||, (R, M); NaN where there is nothing to divide by."""
    whole = record["log10_lag_whole"][:, None]
    known = np.isfinite(whole)
    return np.where(known, record["log10_lag_norm"] - np.where(known, whole, 0.0), np.nan)


def remainder(record: Record) -> Array:
    """log10 of ||dW - sum of A_0 .. A_lag|| / ||dW||, (R, M); NaN below 1e-13: rounding."""
    values = np.asarray(record["lag_remainder"], float)
    known = values >= ROUNDING
    return np.where(known, np.log10(np.where(known, values, 1.0)), np.nan)


def horizon(record: Record) -> int | None:
    """The memory horizon: median over the seeds that have one, rounded up."""
    found = record.arrays.get("memory_horizon")
    if found is None:
        return None
    known = np.asarray(found, float)
    known = known[np.isfinite(known) & (known > 0)]
    return int(np.ceil(np.median(known))) if len(known) else None
