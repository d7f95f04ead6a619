"""What the kernels share: the input products of a block of steps, and arrays cut by steps.

A product of few columns is slow: what surrounds it costs as much as the arithmetic. The products
W_ih x_t of all steps of a block are therefore one product, the steps being side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from gradlab.cells.affine import Affine
from gradlab.large import NEVER, begin_affine, product
from gradlab.nonlinearity import Array


def begin_driven(U: Array, b: Array, x: Array) -> Callable[[], Array]:
    """U x_t + b of every step, begun: what waits until it is there. (n, R, G, B), not contiguous,
    from U (R, G, I), b (R, G, 1) and x (n, R, I, B).

    A member's numbers do not depend on the others: each has a product of its own, of one shape.
    """
    n, R, _, B = x.shape
    u = np.empty((R, U.shape[1], n * B), x.dtype)
    results = begin_affine(U, columns(x), b, u)

    def there() -> Array:
        results()
        return u.reshape(R, -1, n, B).transpose(2, 0, 1, 3)

    return there


def affine_drive(p: Affine, x: Array) -> Callable[[], Array]:
    """W_ih x_t + (b_ih + b_hh) of every step, begun."""
    return begin_driven(p.U, p.b_ih + p.b_hh, x)


def driven(U: Array, b: Array, x: Array) -> Array:
    """U x_t + b of every step of one sequence, at once: (n, R, G, 1)."""
    u = np.empty((*x.shape[:2], U.shape[1], 1), x.dtype)
    of_all_steps(U, x, u)
    u += b
    return u


def of_all_steps(W: Array, a: Array, out: Array) -> None:
    """W a_t of every step of one sequence, out (n, R, G, 1), from W (R, G, H) and a (n, R, H, 1).

    The product is the transposed one, which has the numbers of a step side by side.
    """
    steps, Wt = columns(a).swapaxes(-1, -2), W.swapaxes(-1, -2)
    np.matmul(steps, Wt, out=out[..., 0].swapaxes(0, 1))


def affine_activations(p: Affine, x: Array, h: Array, out: Array) -> None:
    """W_hh h_{t-1} + b_hh + W_ih x_t + b_ih of every step of one sequence, h (n, R, H, 1)."""
    of_all_steps(p.W, h, out)
    out += driven(p.U, p.b_ih + p.b_hh, x)


def columns(a: Array) -> Array:
    """(n, R, rows, B) with steps and sequences side by side: (R, rows, n B), laid out alike
    whatever `a` is part of, for other strides would take another way through a product.

    (1, rows, n B) where all members have the same numbers, by a stride of 0. Of one sequence it is
    the transpose of what lies there.
    """
    if a.strides[1] == 0:
        a = a[:, :1]
    n, R, rows, B = a.shape
    if B == 1:
        return np.ascontiguousarray(a[..., 0].swapaxes(0, 1)).swapaxes(-1, -2)
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


def times(W: Array) -> Callable[[Array, Array], Any]:
    """What writes W h into `out`, of (h, out), for W (R, G, H): the fewest calls for one member."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


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


def repeated(like: Array, H: int, parts: int) -> tuple[Array, Array]:
    """Memory for a row of one member and sequence repeated some times: (parts H,), and the same as
    (parts, H), which takes the row.
    """
    whole = np.empty(parts * H, like.dtype)
    return whole, whole.reshape(parts, H)


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
