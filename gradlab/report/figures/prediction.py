"""The line that theory predicts for ||dL/dh_t||, from where the gradient enters on backwards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network
from gradlab.report.figures.ensemble import Array, over_members
from gradlab.report.theory_curve import expected
from gradlab.report.words import travelled


class Line(NamedTuple):
    """Steps (N,), log10 of the norm (N,), and what a legend says."""

    t: NDArray[np.int64]
    log10: Array
    label: str


def curve(record: Record) -> Line | None:
    """From the median over the seeds at the last step, as far back as any gradient comes.

    None where theory predicts nothing about the recorded norms.
    """
    median = over_members(record["t"], record["log10_grad_norm_h"]).median
    last = travelled(record)
    there = np.isfinite(median) & (record["t"] <= last)
    t = record["t"][there]
    if len(t) < 2 or t[-1] != last:
        return None
    found = expected(record)
    if found is None:
        return None
    start = float(median[there][-1])
    return Line(t, start + found.log10(last - t), found.label(network.unit(record)))
