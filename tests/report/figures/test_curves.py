"""Claims: medians and spreads treat an exact zero as a value; a logarithmic axis has few ticks,
inside the picture, with labels that differ.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradlab.report.figures import decades
from gradlab.report.figures.ensemble import over_members


def test_median_and_spread_of_zeros_have_no_nan() -> None:
    values = np.array([[0.0, -np.inf], [1.0, -np.inf], [2.0, 3.0], [np.nan, np.nan]])
    curve = over_members(np.array([0, 1]), values)
    assert curve.members == 3
    np.testing.assert_array_equal(curve.median, [1.0, -np.inf])
    np.testing.assert_array_equal(curve.low, [0.0, -np.inf])
    np.testing.assert_array_equal(curve.high, [2.0, 3.0])


def test_spread_of_many_members_leaves_out_the_tails() -> None:
    curve = over_members(np.array([0]), np.arange(1.0, 101.0)[:, None])
    assert (curve.low[0], curve.high[0], curve.spread) == (5.0, 95.0, "5 to 95 %")


@pytest.mark.parametrize("span", [0.6, 0.9, 1.3, 2.0, 2.9, 3.1, 5.0, 8.0, 40.0, 700.0, 2e6])
@pytest.mark.parametrize("low", [-1234.5, -5.03, -0.31, 0.0, 2.2, 999.9])
def test_ticks_are_few_and_in_the_picture(low: float, span: float) -> None:
    ticks = decades.ticks(low, low + span)
    assert 2 <= len(ticks) <= decades.TICKS
    assert all(low <= tick <= low + span for tick in ticks)
    texts = decades.labels(ticks)
    assert len(set(texts)) == len(texts)


def test_labels_are_plain_near_one_and_powers_elsewhere() -> None:
    log10 = [math.log10(value) for value in (0.5, 1, 1.5, 20, 700)]
    assert decades.labels(log10) == ["0.5", "1", "1.5", "20", "700"]
    assert decades.labels([-3, 0, 3]) == ["10⁻³", "1", "10³"]
    assert decades.labels([-300 + math.log10(3), -300]) == ["3·10⁻³⁰⁰", "10⁻³⁰⁰"]
