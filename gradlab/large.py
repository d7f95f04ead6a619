"""Large products, cut into pieces of their rows that several threads may share.

Sizes alone say where a product is cut, and not who does the pieces: its digits are the same for any
number of threads. A piece is what takes some ten times as long as handing it over. For each piece
the library rearranges the other operand anew, which counts where the piece has few rows: there are
a few such pieces, or more with many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.team import begin, share

WORK = 2**22  # multiplications of a piece, at least: about 0.2 ms
FEW, ROWS = 4, 128  # so many pieces have so many rows at least
TALL = 512  # and more of them so many
EVEN = 16  # rows that a library's kernels take at a time, or a multiple
NEVER = 2**16  # numbers of a matrix whose products with few columns are not looked at


def height(rows: int, terms: int, columns: int) -> int:
    """Rows of a piece of a product (rows, terms) by (terms, columns); the last may have fewer."""
    by_rows = max(min(FEW, rows // ROWS), rows // TALL)
    count = max(1, min(by_rows, rows * terms * columns // WORK))
    return max(-(-rows // count // EVEN) * EVEN, 1)


@cache
def cut(rows: int, terms: int, columns: int) -> tuple[slice, ...]:
    """The rows of each piece."""
    each = height(rows, terms, columns)
    return tuple(slice(start, min(start + each, rows)) for start in range(0, rows, each))


def product(W: Array, h: Array, out: Array) -> None:
    """W h for W (..., G, H) and h (..., H, B), or (H,) beside a single matrix, written to out."""
    columns = h.shape[-1] if h.ndim == W.ndim else 1
    pieces = cut(W.shape[-2], W.shape[-1], columns)
    if len(pieces) > 1:
        share([partial(_piece, W, h, out, rows) for rows in pieces])
    elif W.ndim == 2:  # with less around it than `matmul`
        np.dot(W, h, out)
    else:
        np.matmul(W, h, out=out)


def begin_affine(W: Array, h: Array, b: Array, out: Array) -> Callable[[], Any]:
    """W h + b for W (R, G, H), h (R, H, B) and b (R, G, 1), begun: what waits until it is there."""

    def piece(rows: slice) -> None:
        _piece(W, h, out, rows)
        out[:, rows] += b[:, rows]

    return begin([partial(piece, rows) for rows in cut(*W.shape[-2:], h.shape[-1])]).results


def _piece(W: Array, h: Array, out: Array, rows: slice) -> None:
    # `dot` would copy rows of a transposed matrix
    at = (..., rows, slice(None)) if h.ndim == W.ndim else rows
    np.matmul(W[..., rows, :], h, out=out[at])
