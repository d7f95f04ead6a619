"""Gradients of the parameters, and the share of every step in dL/dW_hh.

A cell names the terms of its parameters' gradients as outer products left right^T, summed over the
sequences. The sum over the steps of a block is then one matrix product a term, and the norm of one
step's term needs no matrix at all where H is larger than B:

    ||A C^T||_F^2 = sum of (A^T A) * (C^T C)          (B x B Gram matrices)

That sum cancels when the product is small against ||A|| ||C||; there the product itself is formed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
    norm,
    renormalize,
    shift,
    side_by_side,
)
from gradlab.kernels.layout import columns
from gradlab.nonlinearity import Array

# Gram's relative error is about B eps ||A||^2 ||C||^2 / ||A C^T||^2: below 1e-12 above this ratio
CANCELLATION = 1e-3


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

    Where steps have sets of weights of their own, each set has its own sum.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], members: int, dtype: np.dtype, sets: int = 1
    ) -> None:
        def zeros() -> dict[str, Scaled]:
            return {
                name: Scaled(np.zeros((members, *shape), dtype), np.zeros(members, np.int64))
                for name, shape in shapes.items()
            }

        self.by_set = [zeros() for _ in range(sets)]
        self._room = Room()

    @property
    def total(self) -> dict[str, Scaled]:
        """By tensor: (R, ...); (R, sets, ...) where there are several sets."""
        if len(self.by_set) == 1:
            return self.by_set[0]
        return {name: side_by_side([s[name] for s in self.by_set]) for name in self.by_set[0]}

    def add(
        self, shares: tuple[Share, ...], frame: Exponents, sets: NDArray[np.int64] | None = None
    ) -> None:
        """Add one block's terms, whose cotangents have the exponents frame (n, R).

        sets: (n,) the set of weights that each step has, None where there is one.
        """
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

    def _add(self, total: dict[str, Scaled], shares: tuple[Share, ...], frame: Exponents) -> None:
        top = frame.max(axis=0)
        own = [share for share in shares if share.tensor in total]  # a network may have no bias
        # weights and biases have the same cotangents, several tensors the same states: copied once,
        # and gone after the last that has them
        last = {id(a): k for k, share in enumerate(own) for a in (share.left, share.right)}
        lefts: dict[int, Array] = {}
        rights: dict[int, Array] = {}
        sums: dict[int, Array] = {}
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for k, share in enumerate(own):
                key = id(share.left)
                if key not in lefts:  # steps far below the top vanish, as they must
                    lefts[key] = columns(shift(share.left, frame - top))
                if share.right is not None:
                    other = id(share.right)
                    if other not in rights:
                        rights[other] = columns(share.right)
                    term = self._product(lefts[key], rights[other], top)
                else:
                    if key not in sums:
                        sums[key] = np.stack([a.sum(axis=-1) for a in lefts[key]])
                    term = Scaled(sums[key], top)
                total[share.tensor] = _with(total[share.tensor], term, share.row)
                for copies in (lefts, rights, sums):
                    for done in [key for key in copies if last[key] == k]:
                        del copies[done]

    def _product(self, left: Array, right: Array, frame: Exponents) -> Scaled:
        """Sum over steps and sequences of left right^T, columns (R, rows, n B), with the exponents
        frame (R,). Good until the next product.

        Where states are so large or small that a product leaves the float range, their size is
        taken out first; that is rare, so it is looked at afterwards.
        """
        shape = (*left.shape[:2], right.shape[1])
        total, exponent = self._room.array("product", shape, left.dtype), frame.copy()
        np.matmul(left, right.swapaxes(-1, -2), out=total)
        for r in np.flatnonzero(_out_of_range(total.reshape(len(total), -1))):
            own = right[r : r + 1] if len(right) > 1 else right
            a, e = renormalize(left[r : r + 1], frame[r : r + 1])
            b, exponent[r : r + 1] = renormalize(own, e)
            total[r] = (a @ b.swapaxes(-1, -2))[0]
        return Scaled(total, exponent)


def _with(total: Scaled, term: Scaled, row: int) -> Scaled:
    """The sum with a term that starts at a row; total may be overwritten."""
    rows = slice(row, row + term.mantissa.shape[1])
    if np.array_equal(total.exponent, term.exponent):
        total.mantissa[:, rows] += term.mantissa
        return total
    if term.mantissa.shape == total.mantissa.shape:
        return add(total, term)
    whole = np.zeros_like(total.mantissa)
    whole[:, rows] = term.mantissa
    return add(total, Scaled(whole, term.exponent))


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
