"""The median, as numpy has it, without numpy.ma: that takes a fiftieth of a short run to load."""

from __future__ import annotations

from typing import Any

import numpy as np


def median(values: Any, axis: int = 0) -> Any:
    """Of at least one value, along an axis: the one in the middle, or the mean of the two there.
    NaN where one of them is.
    """
    ordered = np.sort(values, axis=axis)
    n = ordered.shape[axis]
    low, high, last = (ordered.take(k, axis=axis) for k in ((n - 1) // 2, n // 2, n - 1))
    middle = low if n % 2 else (low + high) / 2
    return np.where(np.isnan(last), last, middle)[()]  # NaN is sorted to the end
