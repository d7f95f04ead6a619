"""The verdict's rule, at its boundaries and as a whole, and the textbook's two conditions.

Claims:
- exploding and vanishing need both an interval that excludes 0 and |r| T >= ln 2, preserved needs
  the whole interval within +-ln 2 / T: each at its very boundary;
- turning time around (r -> -r) exchanges exploding and vanishing and leaves the others;
- every rate and interval has exactly one verdict, and each of the four is reached;
- sigma_max is judged against 1 / gamma, and exactly 1 is on neither side.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.analysis.growth import Spread
from gradlab.analysis.theory import textbook
from gradlab.analysis.verdict import Verdict, judge

T = 64  # a power of two: ln 2 / T times T is ln 2 to the bit
EDGE = math.log(2) / T
UP, DOWN = math.nextafter(EDGE, 1), math.nextafter(EDGE, 0)
TINY = 5e-324


def rate(mean: float, low: float, high: float) -> Spread:
    return Spread(mean, 0.0, low, high)


CASES = {
    "it just doubles": (rate(EDGE, TINY, 1.0), "exploding"),
    "it almost doubles": (rate(DOWN, TINY, 1.0), "undecided"),
    "the interval touches 0": (rate(1.0, 0.0, 2.0), "undecided"),
    "it just halves": (rate(-EDGE, -1.0, -TINY), "vanishing"),
    "it almost halves": (rate(-DOWN, -1.0, -TINY), "undecided"),
    "the interval touches 0 from below": (rate(-1.0, -2.0, -0.0), "undecided"),
    "the whole band": (rate(0.0, -EDGE, EDGE), "preserved"),
    "a bit above the band": (rate(0.0, -EDGE, UP), "undecided"),
    "a bit below the band": (rate(0.0, -UP, EDGE), "undecided"),
    "nothing moves": (rate(0.0, 0.0, 0.0), "preserved"),
    "it moves for sure, but little": (rate(EDGE / 2, EDGE / 4, EDGE), "preserved"),
    "nothing is known": (rate(1.0, -math.inf, math.inf), "undecided"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rule_at_its_boundaries(case: str) -> None:
    given_rate, verdict = CASES[case]
    assert judge(given_rate, T) == verdict


OTHER = {"exploding": "vanishing", "vanishing": "exploding"}
FLOATS = st.floats(-2, 2)


@given(FLOATS, st.floats(0, 1), st.integers(1, 10_000))
def test_time_reversal(mean: float, half: float, steps: int) -> None:
    forth = judge(rate(mean, mean - half, mean + half), steps)
    back = judge(rate(-mean, -mean - half, -mean + half), steps)
    assert back == OTHER.get(forth, forth)


@given(FLOATS, st.floats(0, 1), st.integers(1, 10_000))
def test_the_verdict_says_what_the_rule_says(mean: float, half: float, steps: int) -> None:
    low, high = mean - half, mean + half
    verdict = judge(rate(mean, low, high), steps)
    moves = abs(mean) * steps >= math.log(2)
    if verdict in (Verdict.EXPLODING, Verdict.VANISHING):
        assert moves and low * high > 0
        assert (mean > 0) == (verdict is Verdict.EXPLODING)
    elif verdict is Verdict.PRESERVED:
        assert max(abs(low), abs(high)) <= math.log(2) / steps
    else:
        assert not moves or low <= 0 <= high


def test_more_steps_never_take_a_direction_back() -> None:
    for steps in range(1, 200):
        now, later = (judge(rate(0.01, 0.005, 0.015), n) for n in (steps, steps + 1))
        if now is Verdict.EXPLODING:
            assert later is Verdict.EXPLODING


# ---------------------------------------------------------------- the textbook


def test_the_two_conditions() -> None:
    found = textbook(1.0, np.array([0.5, 0.999, 1.0, 1.001, 2.0]))
    assert (found.sufficient_for_vanishing, found.necessary_for_exploding) == (2, 2)
    assert (found.seeds, found.bound_per_step, found.gamma) == (5, 2.0, 1.0)


def test_the_largest_slope_counts() -> None:
    """The logistic function's slope is at most 1/4: sigma_max below 4 is enough to vanish."""
    found = textbook(0.25, np.array([3.9, 4.0, 4.1]))
    assert (found.sufficient_for_vanishing, found.necessary_for_exploding) == (1, 1)
    assert found.bound_per_step == pytest.approx(1.025, rel=1e-15)
