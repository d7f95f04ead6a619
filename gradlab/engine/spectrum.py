"""Step singular values: of the Jacobian J_t of one step, for the first sequences of the batch.

The Jacobian is that of the whole state: (h, c) jointly where a cell has both. And what singular
values say of a matrix: how many directions it has, and how far they are apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell, Factored
from gradlab.engine.powers import largest_values, largest_values_of_rows
from gradlab.nonlinearity import Array

# widths of Jacobians whose largest value alone is found sooner than LAPACK has all of them
SOONER = range(2, 65)


def step_singular_values(
    cell: Cell, p: Any, local: Any, sequences: int, largest: bool = False
) -> Array:
    """All D singular values of J_t, descending: (n, R, sequences, D); the largest alone: (..., 1).

    local: the cell's local derivatives at n steps, arrays (n, R, rows, B); p for each of the n
    steps, or for all. NaN where J_t is not finite.
    """
    probe = type(local)(*(field[..., :sequences] for field in local))
    if largest and isinstance(cell, Factored) and local[0].shape[-2] in SOONER:
        d, W = (a.astype(np.float64, copy=False) for a in cell.factors(p, probe))
        return largest_values_of_rows(d.swapaxes(-1, -2), W[..., None, :, :])[..., None]
    J = cell.jacobian(p, probe)
    return _largest(J) if largest else _all(J)


def _all(J: Array) -> Array:
    finite = np.asarray(np.isfinite(J).all(axis=(-1, -2)))
    if not finite.all():
        J = np.where(finite[..., None, None], J, 0)
    values: Array = np.linalg.svd(J, compute_uv=False)
    values[~finite] = np.nan
    return values


def _largest(J: Array) -> Array:
    """LAPACK where it is as fast, or where the matrix is a number."""
    D = J.shape[-1]
    if D not in SOONER:
        return _all(J)[..., :1]
    found = largest_values(J.reshape(-1, D, D).astype(np.float64, copy=False))
    return found.sigma.reshape(*J.shape[:-2], 1)


def weight_singular_values(gates: int, weight_hh: Array) -> Array:
    """Singular values (R, gates, H) of each recurrent block of weight_hh (R, G, H)."""
    blocks, of = _distinct(gates, weight_hh)
    return np.asarray(np.linalg.svd(blocks, compute_uv=False)[of])


def weight_eigenvalues(gates: int, weight_hh: Array) -> NDArray[np.complex128]:
    """Eigenvalues (R, gates, H) of each recurrent block of weight_hh (R, G, H): the largest modulus
    first, of a conjugate pair the one above the real axis.
    """
    blocks, of = _distinct(gates, weight_hh)
    values = np.linalg.eigvals(blocks).astype(complex)
    order = np.lexsort((-values.imag, -np.abs(values)))
    return np.asarray(np.take_along_axis(values, order, axis=-1)[of])


def weight_spectrum(gates: int, weight_hh: Array) -> tuple[Array, Array]:
    """Singular values (R, gates, H) and spectral radius (R, gates) of each recurrent block."""
    radius = np.abs(weight_eigenvalues(gates, weight_hh)[..., 0])
    return weight_singular_values(gates, weight_hh), radius


def _distinct(gates: int, weight_hh: Array) -> tuple[Array, list[int]]:
    """The blocks (m, gates, H, H) of members that differ, and which of them each member has: those
    of a file are the same for all seeds.
    """
    R, _, H = weight_hh.shape
    if R == 1:  # no copy of what may be large
        return weight_hh.reshape(R, gates, H, H), [0]
    found: dict[bytes, int] = {}
    of = [found.setdefault(W.tobytes(), len(found)) for W in weight_hh]
    first = [of.index(k) for k in range(len(found))]
    return weight_hh.reshape(R, gates, H, H)[first], of


def effective_rank(log_sigma: Array) -> Array:
    """exp of the entropy of singular values as shares of their sum (Roy, Vetterli 2007): how many
    directions there are.

    log_sigma (..., n): their ln, -inf for a zero. Between 1 and n. No scale enters, so any range
    will do. NaN where all are zero, and where one is not known.
    """
    top = log_sigma.max(axis=-1, keepdims=True)
    below = log_sigma - np.where(np.isneginf(top), np.nan, top)
    sigma = np.exp(below)
    total = sigma.sum(axis=-1)
    # -sum p ln p with p = sigma / total; 0 ln 0 = 0
    weighted = (sigma * np.where(np.isneginf(below), 0, below)).sum(axis=-1)
    rank = total * np.exp(-weighted / total)
    return np.where(np.isnan(rank), np.nan, rank)  # one NaN, whatever its sign


def log10_condition(log_sigma: Array) -> Array:
    """log10 of the largest over the smallest singular value, of all of them: their ln (..., n),
    descending. inf where only the smallest is zero; NaN where all are, and where one is not known.
    """
    top = log_sigma[..., 0]
    return np.asarray(np.where(np.isneginf(top), np.nan, top) - log_sigma[..., -1]) / np.log(10.0)
