"""The median without numpy.ma.

Claim: it is numpy's, to the bit, whatever the values are.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gradlab.middle import median


@given(st.data(), arrays(np.float64, array_shapes(max_dims=3)))
def test_it_is_numpys(data: st.DataObject, values: np.ndarray) -> None:
    axis = data.draw(st.integers(0, values.ndim - 1))
    with np.errstate(all="ignore"):  # inf - inf, and sums beyond float range
        found, expected = median(values, axis), np.median(values, axis=axis)
    np.testing.assert_array_equal(found, expected)
    assert np.shape(found) == np.shape(expected)
