"""Blocks of steps, where steps have weights of their own.

Claims:
- blocks follow one another, none is longer than asked for, and together they are all steps;
- a block starts at a multiple of the size, or where another set of weights begins;
- the steps of a block have one set, or each has its own: no set is copied for several steps;
- wherever a run of steps is begun at a multiple of the size, its blocks are those of the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradlab.engine.schedule import Scheduled, Shared, blocks

SETS = st.one_of(
    # phases: each set for a while
    st.lists(st.integers(1, 40), min_size=1, max_size=4).map(lambda n: np.repeat(range(len(n)), n)),
    # of every step, from the first or from the last
    st.integers(1, 60).map(np.arange),
    st.integers(1, 60).map(lambda n: np.arange(n)[::-1]),
)


def scheduled(which: Any) -> Scheduled:
    """Only which set a step has is asked for."""
    cell: Any = None
    return Scheduled(cell, None, {}, np.asarray(which))


@given(SETS, st.integers(1, 20))
def test_blocks_are_all_steps_and_share_no_copies(which: Any, size: int) -> None:
    found = list(blocks(scheduled(which), 0, len(which), size))
    assert [k for some in found for k in range(some.start, some.stop)] == list(range(len(which)))
    for some in found:
        sets = which[some]
        assert 1 <= len(sets) <= size
        assert some.start % size == 0 or which[some.start] != which[some.start - 1]
        assert len(np.unique(sets)) in (1, len(sets))


@given(SETS, st.integers(1, 20), st.integers(0, 3))
def test_blocks_lie_at_the_same_steps_in_every_segment(which: Any, size: int, before: int) -> None:
    t0 = min(before * size, len(which) // size * size)
    whole = [some for some in blocks(scheduled(which), 0, len(which), size) if some.start >= t0]
    rest = blocks(scheduled(which), t0, len(which) - t0, size)
    assert [slice(some.start + t0, some.stop + t0) for some in rest] == whole


def test_one_set_for_all_steps_leaves_the_blocks_whole() -> None:
    assert list(blocks(Shared(None), 7, 40, 16)) == [slice(0, 16), slice(16, 32), slice(32, 40)]
