"""Gradients of the parameters, and the share of every step in dL/dW_hh.

A cell names the terms of its parameters' gradients as outer products left right^T, summed over the
sequences. The sum over the steps of a block is then one matrix product a term, and the norm of one
step's term needs no matrix at all where H is larger than B:

    ||A C^T||_F^2 = sum of (A^T A) * (C^T C)          (B x B Gram matrices)

That sum cancels when the product is small against ||A|| ||C||; there the product itself is formed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell, Share
from gradlab.engine.backward import Block
from gradlab.engine.room import Room
from gradlab.engine.scaled import (
    Exponents,
    Scaled,
    add,
    hypot,
    largest_frame,
    norm,
    renormalize,
    shift,
    side_by_side,
)
from gradlab.kernels.layout import columns
from gradlab.large import cut
from gradlab.nonlinearity import Array
from gradlab.team import Begun, begin

# Gram's relative error is about B eps ||A||^2 ||C||^2 / ||A C^T||^2: below 1e-12 above this ratio
CANCELLATION = 1e-3
TERMS = 32  # of a product of gradients, by which its tensor is cut; there may be more or fewer


def block_shares(cell: Cell, block: Block) -> tuple[Share, ...]:
    """The cell's terms for the steps of a block, arrays (n, R, rows, B)."""
    segment, steps = block.segment, block.steps
    return cell.shares(
        block.cotangents.mantissa,
        segment.activations[steps],
        segment.states[steps],
        segment.x[steps],
    )


class ParameterGradients:
    """dL/d(tensor) of every member, summed over the blocks in the order in which they come.

    Where steps have sets of weights of their own, each set has its own sum. The terms of a block
    are added while its memory is used for the next, where there are other threads (`begin`).
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], members: int, dtype: np.dtype, sets: int = 1
    ) -> None:
        self.by_set = [
            {name: _Sum(members, shape, dtype) for name, shape in shapes.items()}
            for _ in range(sets)
        ]
        self._rooms: deque[Room] = deque()
        self._begun: list[Begun[None]] = []

    @property
    def total(self) -> dict[str, Scaled]:
        """By tensor: (R, ...); (R, sets, ...) where there are several sets."""
        self._complete()
        if len(self.by_set) == 1:
            return {name: own.total() for name, own in self.by_set[0].items()}
        return {
            name: side_by_side([s[name].total() for s in self.by_set]) for name in self.by_set[0]
        }

    def add(
        self, shares: tuple[Share, ...], frame: Exponents, sets: NDArray[np.int64] | None = None
    ) -> None:
        """Add one block's terms, whose cotangents have the exponents frame (n, R).

        sets: (n,) the set of weights that each step has, None where there is one.
        """
        self._complete()
        if sets is None or (sets == sets[0]).all():
            self._add(self.by_set[0 if sets is None else int(sets[0])], shares, frame)
            return
        for index in np.unique(sets):
            k = sets == index
            some = tuple(
                s._replace(left=s.left[k], right=None if s.right is None else s.right[k])
                for s in shares
            )
            self._add(self.by_set[int(index)], some, frame[k])

    def _complete(self) -> None:
        """Two blocks are never added at a time: the order is a part of the digits."""
        while self._begun:
            self._begun.pop(0).results()

    def _add(self, total: dict[str, _Sum], shares: tuple[Share, ...], frame: Exponents) -> None:
        top = frame.max(axis=0)
        by_tensor: dict[str, list[Share]] = {}
        for share in shares:
            if share.tensor in total:  # a network may have no bias
                by_tensor.setdefault(share.tensor, []).append(share)
        # weights and biases have the same cotangents, several tensors the same states: copied once,
        # and gone after the last that has them
        last = {
            id(a): s.tensor for own in by_tensor.values() for s in own for a in (s.left, s.right)
        }
        copies: dict[int, Array] = {}
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for name, own in by_tensor.items():
                for share in own:
                    if id(share.left) not in copies:  # steps far below the top vanish, as they must
                        copies[id(share.left)] = columns(shift(share.left, frame - top))
                    if share.right is not None and id(share.right) not in copies:
                        copies[id(share.right)] = columns(share.right)
                terms = [
                    _Term(s.row, copies[id(s.left)], copies.get(id(s.right)), top) for s in own
                ]
                self._begun.append(begin(total[name].pieces(terms, self._rooms)))
                for done in [key for key in copies if last[key] == name]:
                    del copies[done]


class _Term(NamedTuple):
    """left right^T, or the sum of left's columns, for the rows of a tensor from `row` on."""

    row: int
    left: Array  # (R, rows, n B)
    right: Array | None  # (R or 1, columns of the tensor, n B)
    frame: Exponents  # (R,) of left


def parts(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The rows of each part of a tensor, the first as large as any: sums of their own, which
    several threads may have.
    """
    return cut(*shape, TERMS) if len(shape) == 2 else (slice(0, shape[0]),)


class _Sum:
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

    def pieces(self, terms: list[_Term], rooms: deque[Room]) -> list[Callable[[], None]]:
        """What adds the terms, each in another part."""
        return [partial(part.add, terms, rooms) for part in self._parts]


class _Part:
    """Some rows of a tensor's gradient."""

    def __init__(self, whole: Array, rows: slice) -> None:
        self._rows = rows
        self.sum = Scaled(whole[:, rows], np.zeros(len(whole), np.int64))

    def add(self, terms: list[_Term], rooms: deque[Room]) -> None:
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
    for r in np.flatnonzero(_out_of_range(total.reshape(len(total), -1))):
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


def _out_of_range(a: Array) -> Array:
    """Which rows of a (..., n) hold something not finite, or only what may have underflowed."""
    square = np.vecdot(a, a)
    tiny = np.finfo(a.dtype).tiny
    doubtful = np.asarray(~np.isfinite(square) | (square < a.shape[-1] * tiny))
    if doubtful.any():  # squares leave the range before the numbers do
        top = np.abs(a[doubtful]).max(axis=-1)
        doubtful[doubtful] = ~np.isfinite(top) | (top < 2.0 ** (np.finfo(a.dtype).minexp // 2))
    return doubtful


def share_norms(
    shares: tuple[Share, ...],
    tensors: Collection[str],
    frame: Exponents,
    k: NDArray[np.int64] | slice,
) -> Scaled:
    """Norm of the terms of each of the steps k of a block in the gradients of these tensors
    together: (number of k, R).
    """
    square = np.zeros(frame[k].shape)
    exponent = frame[k].copy()
    terms = [
        (share.left[k].astype(float, copy=False), share.right[k].astype(float, copy=False))
        for share in shares
        if share.tensor in tensors and share.right is not None
    ]
    for left, right in terms:
        square += _squared_norm(left, right)
    doubtful = _out_of_range(square[..., None])
    if doubtful.any():  # an exact zero is none: a dead unit, the zero state before the first step
        doubtful &= np.any([_nonzero(left) & _nonzero(right) for left, right in terms], axis=0)
    for at in zip(*np.nonzero(doubtful), strict=True):
        total = hypot([_product_norm(a[at], b[at], frame[k][at]) for a, b in terms])
        square[at], exponent[at] = total.mantissa[0] ** 2, total.exponent[0]
    return Scaled(np.sqrt(square), exponent)


def _nonzero(a: Array) -> Array:
    """Where (n, R) of a (n, R, rows, B) there is anything but zeros."""
    return np.asarray(a.any(axis=(-1, -2)))


def _product_norm(left: Array, right: Array, exponent: np.int64) -> Scaled:
    """||left right^T||_F of one step of one member, for operands of any size: (1,)."""
    a, e = renormalize(left[None], np.array([exponent]))
    b, e = renormalize(right[None], e)
    return norm(Scaled(a @ b.swapaxes(-1, -2), e))


def _squared_norm(left: Array, right: Array) -> Array:
    """||left right^T||_F^2 for every step and member: (n, R)."""
    (m, B), n = left.shape[-2:], right.shape[-2]
    if B * (m + n) >= m * n:
        return _squares(left @ right.swapaxes(-1, -2))
    gram_left = left.swapaxes(-1, -2) @ left
    gram_right = right.swapaxes(-1, -2) @ right
    square = (gram_left * gram_right).sum(axis=(-1, -2))
    size = np.trace(gram_left, axis1=-2, axis2=-1) * np.trace(gram_right, axis1=-2, axis2=-1)
    for at in zip(*np.nonzero(square < CANCELLATION * size), strict=True):
        square[at] = _squares(left[at] @ right[at].T)
    return square


def _squares(a: Array) -> Array:
    flat = a.reshape(*a.shape[:-2], -1)
    return np.vecdot(flat, flat)
