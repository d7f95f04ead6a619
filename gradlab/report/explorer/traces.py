"""The curve behind a point, small: few steps, the norms in thousandths of a decade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report.figures.ensemble import over_members

MOST = 100  # steps of a curve
FINE = 1000  # parts of a decade: a norm is right to 0.12 %
Differences = list[int | None]


@dataclass(frozen=True)
class Trace:
    """log10 ||dL/dh_t|| over steps: median over the seeds, and the edges of their spread.

    Whole numbers, each the difference from the one before, the first from 0; None where the norm
    is exactly zero or not known. low and high are empty for a single seed.
    """

    t: tuple[int, ...]
    median: Differences
    low: Differences
    high: Differences


def trace(record: Record) -> Trace:
    """The Trace of a record, at MOST of its steps at most: evenly, the first and the last too."""
    t: NDArray[np.int64] = record["t"]
    kept = np.unique(np.linspace(0, len(t) - 1, min(MOST, len(t))).round().astype(int))
    curve = over_members(t[kept], record["log10_grad_norm_h"][:, kept])
    band = (curve.low, curve.high) if curve.members > 1 else ()
    low, high = map(differences, band) if band else ([], [])
    return Trace(tuple(t[kept].tolist()), differences(curve.median), low, high)


def differences(values: Array) -> Differences:
    """Values (N,) as differences of thousandths; what is not finite is None and is passed over."""
    known = np.isfinite(values)
    whole: NDArray[Any] = np.round(values[known] * FINE).astype(np.int64)
    steps = iter(np.diff(whole, prepend=0).tolist())
    return [next(steps) if one else None for one in known]
