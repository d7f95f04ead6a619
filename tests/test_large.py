"""Large products in pieces of rows.

Claims:
- pieces take every row once, in order; none has fewer rows or less work than a piece must have
  unless the whole is one piece; small products are one;
- with numbers whose sums are exact the pieces together are the product, to the last bit: for one
  matrix and several, transposed, beside vectors, in both precisions, with any number of threads,
  written in the place that is given and nowhere else;
- the digits are those of any number of threads, whatever the numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradlab.large import ROWS, WORK, cut, product
from gradlab.team import team

SIZES = [(1, 1, 1), (64, 64, 16), (512, 512, 32), (1536, 512, 32), (700, 2100, 50), (515, 300, 99)]
# (G, H, B), of which all but the first are cut; None: h is a vector
PRODUCTS = [(40, 30, 5), (515, 300, 99), (768, 256, 64), (3100, 3000, None)]

every_product = pytest.mark.parametrize("size", PRODUCTS, ids=str)
# a step of several members has no vectors
CASES = [(size, R) for size in PRODUCTS for R in (1, 3) if R == 1 or size[2] is not None]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pieces_take_every_row_once(size: tuple[int, int, int]) -> None:
    rows, terms, columns = size
    pieces = cut(*size)
    assert [row for piece in pieces for row in range(rows)[piece]] == list(range(rows))
    for piece in pieces[:-1]:
        assert piece.stop - piece.start >= ROWS
        assert (piece.stop - piece.start) * terms * columns >= WORK
    if rows * terms * columns < 2 * WORK:
        assert len(pieces) == 1


def drawn(size: tuple[int, int, int | None], dtype: Any, members: int, exact: bool) -> tuple:
    """W and h; whole numbers below 8, whose sums of a few thousand products are exact even in
    float32, or numbers that are not.
    """
    G, H, B = size
    random = np.random.default_rng([G, members])
    shapes = (members, G, H), (members, H, B or 1)
    W, h = (random.integers(-7, 8, s) if exact else random.standard_normal(s) for s in shapes)
    W, h = W.astype(dtype), h.astype(dtype)
    if members > 1:
        return W, h
    return W[0], h[0] if B else h[0, :, 0]


@pytest.mark.parametrize(("size", "members"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("turned", [False, True])
def test_the_pieces_are_the_product(
    size: tuple, members: int, dtype: Any, threads: int, turned: bool
) -> None:
    W, h = drawn(size, dtype, members, exact=True)
    if turned:  # rows of a transposed matrix are no rows in memory
        W = np.ascontiguousarray(W.swapaxes(-1, -2)).swapaxes(-1, -2)
    expected = np.matmul(W.astype(np.int64), h.astype(np.int64))
    rows = 0 if size[2] is None else -2  # the axis of rows, with a row more at either end
    memory = np.full(np.add(expected.shape, [2 * (k == rows % W.ndim) for k in range(h.ndim)]), 9.5)
    memory = memory.astype(dtype)
    inner = (..., slice(1, -1)) if size[2] is None else (..., slice(1, -1), slice(None))
    with team(threads):
        product(W, h, memory[inner])
    assert np.array_equal(memory[inner], expected)
    assert np.count_nonzero(memory == 9.5) == memory.size - expected.size


@every_product
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_digits_are_those_of_any_number_of_threads(size: tuple, dtype: Any) -> None:
    W, h = drawn(size, dtype, 1, exact=False)
    found = []
    for threads in (1, 2, 3, 7):
        out = np.empty(W.shape[:1] + h.shape[1:], dtype)
        with team(threads):
            for _ in range(3):
                product(W, h, out)
                found.append(out.tobytes())
    assert len(set(found)) == 1
