"""Step singular values: of the Jacobian J_t of one step, for the first sequences of the batch.

The Jacobian is that of the whole state: (h, c) jointly where a cell has both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.nonlinearity import Array


def step_singular_values(cell: Cell, p: Any, local: Any, sequences: int) -> Array:
    """All D singular values of J_t, descending: (R, sequences, D).

    local: the cell's local derivatives at one step, arrays (R, rows, B). NaN where J_t is not
    finite.
    """
    probe = type(local)(*(field[..., :sequences] for field in local))
    J = cell.jacobian(p, probe)
    finite = np.asarray(np.isfinite(J).all(axis=(-1, -2)))
    values: Array = np.linalg.svd(np.where(finite[..., None, None], J, 0), compute_uv=False)
    values[~finite] = np.nan
    return values


def weight_singular_values(gates: int, weight_hh: Array) -> Array:
    """Singular values (R, gates, H) of each recurrent block."""
    R, _, H = weight_hh.shape
    return np.linalg.svd(weight_hh.reshape(R, gates, H, H), compute_uv=False)


def weight_spectrum(gates: int, weight_hh: Array) -> tuple[Array, Array]:
    """Singular values (R, gates, H) and spectral radius (R, gates) of each recurrent block."""
    R, _, H = weight_hh.shape
    blocks = weight_hh.reshape(R, gates, H, H)
    radius: Array = np.abs(np.linalg.eigvals(blocks)).max(axis=-1)
    return weight_singular_values(gates, weight_hh), radius
