"""Inputs x_t.

Claims:
- Any segment is the same steps of the whole, whatever its start; blocks of the draw do not show.
- A shorter sequence is the start of a longer one.
- What each kind holds: N(0, std^2), nothing, a constant, one 1 in every column.
- A member's inputs are its own, whoever else is there.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.draws import Streams
from gradlab.inputs import BLOCK, DRAWN, Inputs

GENERATORS = ["pcg64", "mt19937"]
KINDS = list(DRAWN)
FLOAT = np.dtype(float)
T, I, B = 2 * BLOCK + 50, 3, 2

every_generator = pytest.mark.parametrize("generator", GENERATORS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def members(generator: str, *seeds: int) -> list[Streams]:
    return [Streams(seed, generator) for seed in seeds or (0, 1)]  # type: ignore[arg-type]


def inputs(kind: str, T: int = T, I: int = I, B: int = B, parameter: float = 1.0) -> Inputs:
    return Inputs(kind, I=I, B=B, T=T, parameter=parameter)


@every_generator
@every_kind
def test_every_segment_is_part_of_the_whole(kind: str, generator: str) -> None:
    x, who = inputs(kind), members(generator)
    whole = x.segment(who, 0, T, FLOAT)
    assert whole.shape == (T, 2, I, B) and whole.dtype == FLOAT
    for start in (0, 16, 240, 256, 272, 496, 512):
        for n in (1, 16, 48, 300, T - start):
            n = min(n, T - start)
            assert np.array_equal(x.segment(who, start, n, FLOAT), whole[start : start + n])


@every_generator
@every_kind
@pytest.mark.parametrize("shorter", [1, 7, 255, 256, 257])
def test_a_shorter_sequence_is_a_prefix(kind: str, generator: str, shorter: int) -> None:
    whole = inputs(kind).segment(members(generator), 0, T, FLOAT)
    short = inputs(kind, T=shorter).segment(members(generator), 0, shorter, FLOAT)
    assert np.array_equal(short, whole[:shorter])


@every_generator
def test_blocks_and_members_differ(generator: str) -> None:
    x = inputs("normal").segment(members(generator), 0, T, FLOAT)
    assert not np.array_equal(x[:BLOCK, 0], x[BLOCK : 2 * BLOCK, 0])
    assert not np.array_equal(x[:, 0], x[:, 1])
    assert len(np.unique(x)) == x.size  # no draw comes twice


@every_generator
@every_kind
def test_a_member_s_inputs_are_its_own(kind: str, generator: str) -> None:
    together = inputs(kind).segment(members(generator, 4, 5, 6), 0, T, FLOAT)
    for r, seed in enumerate((4, 5, 6)):
        alone = inputs(kind).segment(members(generator, seed), 0, T, FLOAT)
        assert np.array_equal(together[:, r], alone[:, 0])


@every_generator
def test_normal(generator: str) -> None:
    x = inputs("normal", I=8, B=8, parameter=0.3).segment(members(generator), 0, T, FLOAT) / 0.3
    # 71936 entries: standard errors 0.004 of the mean and 0.005 of the variance; five of them
    assert abs(x.mean()) < 5 / np.sqrt(x.size)
    assert abs((x**2).mean() - 1) < 5 * np.sqrt(2 / x.size)


@every_generator
def test_onehot(generator: str) -> None:
    x = inputs("onehot", I=5, B=4).segment(members(generator), 0, T, FLOAT)
    assert set(np.unique(x)) == {0.0, 1.0}
    assert (x.sum(axis=2) == 1).all()
    share = x.mean(axis=(0, 1, 3))
    # 4496 draws: each symbol 0.2 +- 0.006; five standard errors
    assert np.abs(share - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / (x.size / 5))


def test_constant_and_zeros() -> None:
    who = members("pcg64")
    assert (inputs("constant", parameter=-0.7).segment(who, 16, 20, FLOAT) == -0.7).all()
    assert not inputs("zeros").segment(who, 16, 20, FLOAT).any()


@every_kind
def test_float32_is_the_rounded_float64(kind: str) -> None:
    single = inputs(kind).segment(members("pcg64"), 0, 50, np.dtype(np.float32))
    double = inputs(kind).segment(members("pcg64"), 0, 50, FLOAT)
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))
