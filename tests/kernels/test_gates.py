"""Gates into memory that is there, against 60-digit decimal arithmetic.

Claims:
- both sigmoids of one exponential, and the slope of tanh, have full relative accuracy in both
  tails, wherever they are not subnormal;
- beyond the range of the exponential they are 0 and 1, and no NaN comes of it; a NaN stays one.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.kernels.gates import both_sigmoids, tanh_slopes
from gradlab.nonlinearity import Array
from tests.test_nonlinearity import EPS, relative_error, true_sigmoid, true_tanh_slope

# near zero, where both are near 1/2, and as far as neither value nor slope is subnormal
POINTS = [0.0, *(s * a for a in (1e-9, 0.3, 1, 4, 17, 25, 37, 100, 300, 350) for s in (1, -1))]
FAR = [-700.0, 700.0]


def sigmoids(a: Array) -> tuple[Array, Array]:
    value, opposite = np.full((2, *a.shape), np.nan, a.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        both_sigmoids(a, value, opposite, np.ones((), a.dtype))
    return value, opposite


def slopes(a: Array) -> Array:
    out = np.full_like(a, np.nan)
    with np.errstate(over="ignore"):
        tanh_slopes(a, out, np.ones((), a.dtype))
    return out


def test_they_are_accurate_in_both_tails() -> None:
    # some roundings each, of half an eps, and the exponential's or the cosh's, of one eps, squared
    assert relative_error(lambda a: sigmoids(a)[0], true_sigmoid, POINTS + FAR) < 4 * EPS
    assert relative_error(lambda a: sigmoids(-a)[1], true_sigmoid, POINTS + FAR) < 4 * EPS
    assert relative_error(slopes, true_tanh_slope, POINTS) < 6 * EPS


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_beyond_the_range_they_are_0_and_1(dtype: type) -> None:
    far = np.array([-1e4, 1e4, -np.inf, np.inf, np.nan, 0], dtype)
    value, opposite = sigmoids(far)
    assert np.array_equal(value, [0, 1, 0, 1, np.nan, 0.5], equal_nan=True)
    assert np.array_equal(opposite, [1, 0, 1, 0, np.nan, 0.5], equal_nan=True)
    assert np.array_equal(slopes(far), [0, 0, 0, 0, np.nan, 1], equal_nan=True)
    assert value.dtype == opposite.dtype == dtype
