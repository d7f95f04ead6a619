"""What networks share: local derivatives of several cells side by side, a Jacobian from vjps."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.nonlinearity import Array


class Locals(tuple[Array, ...]):
    """The local derivatives of several cells, all fields in a row.

    Like a NamedTuple it is made from its fields, one argument each: the engine cuts every field and
    puts the cuts together again.
    """

    __slots__ = ()

    def __new__(cls, *fields: Array) -> Locals:
        return super().__new__(cls, fields)


def joined(each: list[Any]) -> Locals:
    """One Locals of the local derivatives of several cells."""
    return Locals(*(field for local in each for field in local))


def apart(cell: Cell, local: Locals, count: int) -> list[Any]:
    """The local derivatives of each of `count` cells again."""
    n = len(local) // count
    return [cell.Local(*local[k * n : (k + 1) * n]) for k in range(count)]


def jacobian_by_vjp(cell: Cell, p: Any, local: Locals, D: int) -> Array:
    """J_t (..., B, D, D): each row is J_t^T pulled back from a unit vector, all rows at once."""
    fields = list(local)
    *lead, _, B = np.broadcast_shapes(*(f[..., :1, :].shape for f in fields))
    # all laid out alike: else numpy multiplies a lone member in another order than one of several
    unit = np.broadcast_to(np.eye(D, dtype=fields[0].dtype), (*lead, D, D)).copy()
    rows = []
    for b in range(B):
        wide = (np.repeat(f[..., b : b + 1], D, axis=-1) for f in fields)
        pulled = cell.vjp(p, Locals(*wide), unit)[0]
        rows.append(pulled.swapaxes(-1, -2))
    return np.stack(rows, axis=-3)
