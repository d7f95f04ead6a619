"""What comes from how far back: the split of dL/dW by lag, from a record.

A_lag is the part of dL/dW from lag steps before the loss term. Its norm is told relative to that of
the whole gradient, ||dL/dW||, which is the norm over all layers of the tensor that the record names
under `weights`. Where truncation cuts the recorded gradient, the whole one has no recorded norm,
and the largest ||A_lag|| of the seed stands in its place: `reference` says which.
"""

from __future__ import annotations

import re

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report import network

ROUNDING = 1e-13  # of the whole: what is missing less than this is not known
WHOLE, LARGEST = "the whole", "the largest"


def applies(record: Record) -> bool:
    """Whether the gradient was split, and any part of it is neither lost nor zero."""
    return "log10_lag_norm" in record.arrays and bool(np.isfinite(record["log10_lag_norm"]).any())


def reference(record: Record) -> str:
    """What norms are relative to: WHOLE, or LARGEST."""
    return WHOLE if _log10_whole(record) is not None else LARGEST


def relative(record: Record) -> Array:
    """log10 of ||A_lag|| relative to that reference, (R, M)."""
    norms = record["log10_lag_norm"]
    whole = _log10_whole(record)
    if whole is None:
        finite = np.where(np.isfinite(norms), norms, -np.inf)
        whole = finite.max(axis=1)
    known = np.isfinite(whole)
    return np.where(known[:, None], norms - np.where(known, whole, 0.0)[:, None], np.nan)


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


def _log10_whole(record: Record) -> Array | None:
    """log10 ||dL/dW|| of every seed, (R,)."""
    if network.truncation(record) is not None:
        return None
    name = record.names.get("weights", ["weight_hh"])[0]
    pattern = re.compile(re.escape(name) + r"(_l\d+)?")
    at = [k for k, one in enumerate(record.names["tensors"]) if pattern.fullmatch(one)]
    if not at:
        return None
    norms = np.asarray(record["log10_parameter_grad_norm"][:, at], float)
    top = norms.max(axis=1, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return (safe + np.log10(np.sqrt((10.0 ** (2 * (norms - safe))).sum(1, keepdims=True))))[
            :, 0
        ]
