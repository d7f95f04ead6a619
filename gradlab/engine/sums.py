"""The gradient of one tensor: a sum of products, some rows of it apart from the others.

Each part of rows has exponents and a sum of its own, so several threads may have one each. Sizes
alone say where a tensor is cut; the digits are those of the parts, whoever sums them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from gradlab.engine.room import Room
from gradlab.engine.scaled import Exponents, Scaled, add, largest_frame, renormalize, shift
from gradlab.large import cut, height
from gradlab.nonlinearity import Array

TERMS = 32  # of a product of gradients, by which its tensor is cut; there may be more or fewer


class Term(NamedTuple):
    """left right^T, or the sum of left's columns, for the rows of a tensor from `row` on."""

    row: int
    left: Array  # (R, rows, n B)
    right: Array | None  # (R or 1, columns of the tensor, n B)
    frame: Exponents  # (R,) of left


def parts(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The rows of each part of a tensor: sums of their own, which several threads may have."""
    return cut(*shape, TERMS) if len(shape) == 2 else (slice(0, shape[0]),)


def largest_part(shape: tuple[int, ...]) -> int:
    """Numbers of the largest part of a tensor."""
    return min(height(*shape, TERMS), shape[0]) * shape[1] if len(shape) == 2 else shape[0]


class Sum:
    """The gradient of one tensor, in parts of rows of which each is summed for itself."""

    def __init__(self, members: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._whole = np.zeros((members, *shape), dtype)
        self._parts = [_Part(self._whole, rows) for rows in parts(shape)]

    def total(self) -> Scaled:
        """(R, ...), in the frame of each member's largest part."""
        frames = [part.sum.exponent for part in self._parts]
        if any(not np.array_equal(frame, frames[0]) for frame in frames):
            joint = largest_frame([part.sum for part in self._parts])
            for part in self._parts:
                part.sum.mantissa[...] = shift(part.sum.mantissa, part.sum.exponent - joint)
                part.sum.exponent[...] = joint
        return Scaled(self._whole, self._parts[0].sum.exponent)

    def pieces(self, terms: list[Term], rooms: deque[Room]) -> list[Callable[[], None]]:
        """What adds the terms, each in another part."""
        return [partial(part.add, terms, rooms) for part in self._parts]


class _Part:
    """Some rows of a tensor's gradient."""

    def __init__(self, whole: Array, rows: slice) -> None:
        self._rows = rows
        self.sum = Scaled(whole[:, rows], np.zeros(len(whole), np.int64))

    def add(self, terms: list[Term], rooms: deque[Room]) -> None:
        """Add what the terms have for these rows. rooms: those that no thread is using."""
        try:
            room = rooms.pop()
        except IndexError:
            room = Room()
        for term in terms:
            low = max(self._rows.start - term.row, 0)
            left = term.left[:, low : max(self._rows.stop - term.row, 0)]
            if left.shape[1]:
                own = _term(left, term.right, term.frame, room)
                _add_rows(self.sum, own, term.row + low - self._rows.start)
        rooms.append(room)


def _term(left: Array, right: Array | None, frame: Exponents, room: Room) -> Scaled:
    """Sum over steps and sequences of left right^T, columns (R, rows, n B), with the exponents
    frame (R,). Good until the room is used again.

    Where states are so large or small that a product leaves the float range, their size is
    taken out first; that is rare, so it is looked at afterwards.
    """
    if right is None:
        return Scaled(np.stack([a.sum(axis=-1) for a in left]), frame)
    total = room.array("product", (*left.shape[:2], right.shape[1]), left.dtype)
    exponent = frame.copy()
    np.matmul(left, right.swapaxes(-1, -2), out=total)
    for r in np.flatnonzero(out_of_range(total.reshape(len(total), -1))):
        own = right[r : r + 1] if len(right) > 1 else right
        a, e = renormalize(left[r : r + 1], frame[r : r + 1])
        b, exponent[r : r + 1] = renormalize(own, e)
        total[r] = (a @ b.swapaxes(-1, -2))[0]
    return Scaled(total, exponent)


def _add_rows(total: Scaled, term: Scaled, row: int) -> None:
    """Add a term that starts at a row."""
    rows = slice(row, row + term.mantissa.shape[1])
    if np.array_equal(total.exponent, term.exponent):
        total.mantissa[:, rows] += term.mantissa
        return
    if term.mantissa.shape != total.mantissa.shape:
        whole = np.zeros_like(total.mantissa)
        whole[:, rows] = term.mantissa
        term = Scaled(whole, term.exponent)
    total.mantissa[...], total.exponent[...] = add(total, term)


def out_of_range(a: Array) -> Array:
    """Which rows of a (..., n) hold something not finite, or only what may have underflowed."""
    square = np.vecdot(a, a)
    tiny = np.finfo(a.dtype).tiny
    doubtful = np.asarray(~np.isfinite(square) | (square < a.shape[-1] * tiny))
    if doubtful.any():  # squares leave the range before the numbers do
        top = np.abs(a[doubtful]).max(axis=-1)
        doubtful[doubtful] = ~np.isfinite(top) | (top < 2.0 ** (np.finfo(a.dtype).minexp // 2))
    return doubtful
