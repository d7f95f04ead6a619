"""What comes from how far back: the split of dL/dW by lag, from a record.

A_lag is the part of dL/dW from lag steps before the loss term. Its norm is told relative to that of
the whole gradient, ||dL/dW||, also where truncation cuts the gradient.
"""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report import network

ROUNDING = 1e-13  # of the whole: what is missing less than this is not known
MOST = 0.8  # of the steps: more are no stretch near the loss


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


def told(record: Record, of: str, reached: int) -> str | None:
    """The memory horizon in words, counted back from where the loss is, of so many steps that the
    gradient reaches; None where there is no horizon.
    """
    near = horizon(record)
    if near is None:
        return None
    loss = "each loss term" if network.sums(record) else "the loss"
    if near == 1:
        return f"95 % of {of} comes from the {network.unit(record)} of {loss} itself"
    units = network.unit(record, near)
    if near > MOST * reached:
        some = f"{near} of the" if near < reached else "all"
        return f"it takes {some} {reached} {units} up to {loss} to make 95 % of {of}"
    return f"95 % of {of} comes from the {near} {units} up to {loss}"
