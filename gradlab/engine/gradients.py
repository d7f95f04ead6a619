"""Gradients of the parameters, and the share of every step in dL/dW_hh.

A cell names the terms of its parameters' gradients as outer products left right^T, summed over the
sequences. The sum over the steps of a block is then one matrix product a term, and the norm of one
step's term needs no matrix at all where H is larger than B:

    ||A C^T||_F^2 = sum of (A^T A) * (C^T C)          (B x B Gram matrices)

That sum cancels when the product is small against ||A|| ||C||; there the product itself is formed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell, Share
from gradlab.engine.backward import Block
from gradlab.engine.room import Room
from gradlab.engine.scaled import (
    Exponents,
    Scaled,
    hypot,
    norm,
    renormalize,
    shift,
    side_by_side,
    squares,
)
from gradlab.engine.sums import Sum, Term, out_of_range
from gradlab.kernels.layout import columns
from gradlab.nonlinearity import Array
from gradlab.team import Begun, begin

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

    Where steps have sets of weights of their own, each set has its own sum. The terms of a block
    are added while its memory is used for the next, where there are other threads (`begin`).
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], members: int, dtype: np.dtype, sets: int = 1
    ) -> None:
        self.by_set = [
            {name: Sum(members, shape, dtype) for name, shape in shapes.items()}
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

    def _add(self, total: dict[str, Sum], shares: tuple[Share, ...], frame: Exponents) -> None:
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
                    if id(share.left) not in copies:
                        copies[id(share.left)] = _kept(share.left, frame - top)
                    if share.right is not None and id(share.right) not in copies:
                        copies[id(share.right)] = columns(share.right)
                terms = [Term(s.row, copies[id(s.left)], copies.get(id(s.right)), top) for s in own]
                self._begun.append(begin(total[name].pieces(terms, self._rooms)))
                for done in [key for key in copies if last[key] == name]:
                    del copies[done]


def _kept(left: Array, exponent: Exponents) -> Array:
    """The columns of 2^exponent left, in memory of their own: that of left is used again. Steps far
    below the others vanish, as they must.
    """
    own = columns(shift(left, exponent))
    # in the order in which it lies: the product goes the same way
    return own.copy(order="K") if np.may_share_memory(own, left) else own


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
    doubtful = out_of_range(square[..., None])
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
        return squares(left @ right.swapaxes(-1, -2))
    gram_left = left.swapaxes(-1, -2) @ left
    gram_right = right.swapaxes(-1, -2) @ right
    square = (gram_left * gram_right).sum(axis=(-1, -2))
    size = np.trace(gram_left, axis1=-2, axis2=-1) * np.trace(gram_right, axis1=-2, axis2=-1)
    for at in zip(*np.nonzero(square < CANCELLATION * size), strict=True):
        square[at] = squares(left[at] @ right[at].T)
    return square
