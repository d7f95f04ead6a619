"""A curve in one line.

Claims:
- as many characters as points, at most the width; first and last point are always there;
- the lowest value is the lowest mark, the highest the highest, and order is kept;
- a constant curve is a level line, what is not finite a gap, and no value at all only gaps;
- without Unicode the marks are ASCII.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.report.sparkline import ASCII, BLOCKS, GAP, sparkline


def test_eight_heights() -> None:
    assert sparkline(np.arange(8.0), 48) == BLOCKS
    assert sparkline(-np.arange(8.0), 48) == BLOCKS[::-1]
    assert sparkline(np.arange(8.0), 48, unicode=False) == ASCII


def test_each_kind_of_marks_has_eight_different_ones() -> None:
    assert len(set(BLOCKS)) == len(set(ASCII)) == 8
    assert ASCII.isascii()
    assert GAP not in BLOCKS + ASCII


@pytest.mark.parametrize("n", [1, 2, 47, 48, 49, 10_001])
def test_its_length(n: int) -> None:
    assert len(sparkline(np.arange(float(n)), 48)) == min(n, 48)


def test_the_ends_of_a_long_curve_are_there() -> None:
    curve = np.zeros(1001)
    curve[[0, -1]] = 1.0, 2.0
    line = sparkline(curve, 10)
    assert line[-1] == BLOCKS[-1] and line[0] in BLOCKS[3:5] and set(line[1:-1]) == {BLOCKS[0]}


@pytest.mark.parametrize("value", [0.0, -3.0, 1e300])
def test_a_constant_is_a_level_line(value: float) -> None:
    line = sparkline(np.full(5, value), 48)
    assert len(set(line)) == 1 and line[0] in BLOCKS[2:6]


def test_gaps() -> None:
    line = sparkline(np.array([-np.inf, 0.0, np.nan, 1.0, np.inf]), 48)
    assert line == GAP + BLOCKS[0] + GAP + BLOCKS[-1] + GAP
    assert sparkline(np.full(3, -np.inf), 48) == GAP * 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=48))
def test_order_is_kept(values: list[float]) -> None:
    line = sparkline(np.array(values), 48)
    heights = [BLOCKS.index(mark) for mark in line]
    for a, x in zip(values, heights, strict=True):
        for b, y in zip(values, heights, strict=True):
            assert x <= y or a > b


def test_values_near_the_ends_of_float_range() -> None:
    assert sparkline(np.array([-1e308, 0.0, 1e307]), 48)[0] == BLOCKS[0]
