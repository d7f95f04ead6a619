"""Step singular values: of the Jacobian J_t of one step, for the first sequences of the batch.

The Jacobian is that of the whole state: (h, c) jointly where a cell has both. And how many
directions the gradient itself has: delta_t as a matrix with a column for each sequence.
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


def effective_rank(a: Array) -> Array:
    """exp of the entropy of the singular values, taken as shares of their sum (Roy, Vetterli 2007).

    a: a stack of matrices (..., m, n). Between 1 and min(m, n); an exact zero matrix and one that
    is not finite give NaN. No scale enters, so mantissas do.
    """
    sigma = _singular_values(a)
    total = sigma.sum(axis=-1, keepdims=True)
    share = np.divide(sigma, total, out=np.full_like(sigma, np.nan), where=total > 0)
    # 0 ln 0 = 0; NaN stays
    entropy = -(share * np.log(np.where(share == 0, 1, share))).sum(axis=-1)
    return np.exp(entropy)


def condition_number(a: Array) -> Array:
    """Largest over smallest of the min(m, n) singular values of a (..., m, n): inf for a matrix of
    lower rank, NaN for an exact zero and for one that is not finite.
    """
    sigma = _singular_values(a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return sigma[..., 0] / sigma[..., -1]


def _singular_values(a: Array) -> Array:
    """Descending, float64, of each matrix brought to a largest entry of about 1; NaN where it is
    not finite.
    """
    top = np.abs(a).max(axis=(-1, -2), keepdims=True)
    finite = np.isfinite(top)
    unit = np.ldexp(
        np.where(finite, a, 0).astype(np.float64), -np.frexp(np.where(finite, top, 0))[1]
    )
    sigma = np.linalg.svd(unit, compute_uv=False)
    return np.where(finite[..., 0], sigma, np.nan)
