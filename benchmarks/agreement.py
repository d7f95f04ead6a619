"""Whether programs that were given the same arrays have the same results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Twenty steps at weight_scale 2 make a rounding error of 1e-16 up to 2^20 times as large, and sums
# of a few thousand terms come before that: below 1e-9. A wrong formula is wrong by parts.
TOLERANCE = 1e-8
# A product that is formed has errors of T sqrt(H) eps times its largest value, about 5e-14; where a
# value is 1e-6 of that, so is a part 5e-8 of it, and the trajectories' own error comes on top.
RESOLVED, PRODUCT_TOLERANCE = 1e-6, 1e-6

Results = Mapping[str, NDArray[Any]]


def differences(found: Results, reference: Results) -> dict[str, float]:
    """The largest relative difference of each result over its tolerance: 1 and less agrees.

    Of singular values so many are compared as both have, of products those that forming them leaves
    resolved. What only one of them has is not compared; NaN and other shapes are infinitely
    different.
    """
    return {name: _difference(name, found[name], a) for name, a in reference.items()
            if name in found}  # fmt: skip


def _difference(name: str, found: NDArray[Any], expected: NDArray[Any]) -> float:
    if name in {"step", "product"}:
        kept = min(found.shape[-1], expected.shape[-1])
        found, expected = found[..., :kept], expected[..., :kept]
    if found.shape != expected.shape or not np.isfinite(found).all():
        return np.inf
    size = np.abs(expected)
    if name == "step":  # LAPACK's error is a part of the largest value
        size = np.maximum(size, size[..., :1])
    if name == "product":
        resolved = size > RESOLVED * size[..., :1]
        error = np.abs(found - expected)[resolved] / size[resolved]
        return float(error.max()) / PRODUCT_TOLERANCE
    with np.errstate(divide="ignore", invalid="ignore"):  # an exact zero
        error = np.where(found == expected, 0.0, np.abs(found - expected) / size)
    return float(error.max()) / TOLERANCE
