"""What the kernels share: the input products of a block of steps, and arrays cut by steps.

A product of few columns is slow: what surrounds it costs as much as the arithmetic. The products
W_ih x_t of all steps of a block are therefore one product, the steps being side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from gradlab.large import NEVER, product
from gradlab.nonlinearity import Array


def driven(U: Array, b: Array, x: Array) -> Array:
    """U x_t + b of every step: (n, R, G, B), not contiguous, from U (R, G, I), b (R, G, 1) and x
    (n, R, I, B).

    A member's numbers do not depend on the others: each has a product of its own, of one shape.
    """
    n, R, _, B = x.shape
    x_columns = columns(x)
    if B == 1:  # the transposed product has the numbers of a step side by side
        u = np.matmul(x_columns.swapaxes(-1, -2), U.swapaxes(-1, -2))
        u += b.swapaxes(-1, -2)
        return u.swapaxes(0, 1)[..., None]
    u = np.empty((R, U.shape[1], n * B), x.dtype)
    product(U, x_columns, u)
    u += b
    return u.reshape(R, -1, n, B).transpose(2, 0, 1, 3)


def columns(a: Array) -> Array:
    """(n, R, rows, B) with steps and sequences side by side: (R, rows, n B), a copy.

    (1, rows, n B) where all members have the same numbers, by a stride of 0.
    """
    if a.strides[1] == 0:
        a = a[:, :1]
    n, R, rows, B = a.shape
    # copied also where R = 1, whose odd strides would take another way through the product
    return a.transpose(1, 2, 0, 3).copy().reshape(R, rows, n * B)


def lean(a: Array) -> Array:
    """(n, R, rows, B) as (n, rows, B) where R = 1, and (n, rows) where B = 1 too: a view.

    Axes of length 1 would cost time at every call.
    """
    if a.shape[1] > 1:
        return a
    return a[:, 0, :, 0] if a.shape[3] == 1 else a[:, 0]


def lean_weights(W: Array) -> tuple[Array, Callable[[Array, Array, Array], Any]]:
    """(R, G, H), or (G, H) where R = 1, and what multiplies by it: (W, h, out).

    For a single member `dot` does what `matmul` does, with less around it. Large products are cut.
    """
    if W[0].size > NEVER:
        return (W[0] if len(W) == 1 else W), product
    return (W[0], np.dot) if len(W) == 1 else (W, np.matmul)


def room(like: Array, H: int, parts: int, *some: slice) -> list[Array]:
    """New memory for `parts` parts of H rows of one step, beside (R, ..., B): the whole, and some
    of the parts, without the axes that `lean` leaves out.
    """
    R, _, B = like.shape
    whole = np.empty((1, R, parts * H, B), like.dtype)
    rows = [slice(part.start * H, part.stop * H) for part in some]
    return [lean(whole[:, :, own])[0] for own in (slice(None), *rows)]


def in_turn(a: Array, *rows: int) -> list[Array]:
    """a (..., rows, B) cut into so many rows and so many, as views."""
    ends = accumulate(rows)
    return [a[..., end - own : end, :] for own, end in zip(rows, ends, strict=True)]


def apart(a: Array, parts: int) -> Array:
    """(n, R, parts H, B) as (n, R, parts, H, B), and without the axes that `lean` leaves out."""
    n, R, rows, B = a.shape
    a = a.reshape(n, R, parts, rows // parts, B)
    if R > 1:
        return a
    return a[:, 0, :, :, 0] if B == 1 else a[:, 0]


def beside_parts(W: Array) -> tuple[slice | None, ...]:
    """The index by which (R, H, B), or what `lean` leaves of it, multiplies each of its parts."""
    return (slice(None), None) if len(W) > 1 else (None,)
