"""Matrices whose largest singular value is known, for those who look for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradlab.nonlinearity import Array


def random(*shape: int, seed: int = 0) -> Array:
    """Independent normal numbers."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def rotations(m: int, n: int, seed: int = 0) -> Array:
    """Orthogonal matrices (m, n, n)."""
    return np.linalg.qr(random(m, n, n, seed=seed))[0]


def with_values(sigma: Sequence[float], m: int = 5) -> Array:
    """Matrices (m, n, n) of these singular values, with vectors of their own."""
    n = len(sigma)
    return rotations(m, n, 1) @ (np.array(sigma)[:, None] * rotations(m, n, 2))


def complex_pairs(n: int) -> Array:
    """Powers of a block of rotation by one radian: two equal values of every product."""
    A = np.zeros((6, n, n))
    block = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    for k in range(6):
        A[k, :2, :2] = np.linalg.matrix_power(block, k + 1)
        A[k, 2:, 2:] = 0.9 ** (k + 1) * np.eye(n - 2)
    return A


MATRICES: dict[str, tuple[Array, float]] = {  # the matrices, and their largest singular value
    "all equal": (3 * rotations(5, 8), 3.0),
    "identity": (np.tile(np.eye(7), (2, 1, 1)), 1.0),
    "two equal": (with_values([2, 2, 1, 0.5, 0.1, 0]), 2.0),
    "three equal": (with_values([2, 2, 2, 1, 0.1, 0]), 2.0),
    "equal to ten digits": (with_values([2, 2 - 1e-10, 2 - 2e-10, 2 - 3e-10, 1, 1]), 2.0),
    "equal to five digits": (with_values([2, 2 - 1e-5, 2 - 2e-5, 2 - 3e-5, 1, 1]), 2.0),
    "two equal to five digits": (with_values([2, 2 - 1e-5, 0, 0, 0, 0]), 2.0),
    "nearly equal": (with_values([1 + 0.001 * k for k in range(12, 0, -1)]), 1.012),
    "rank one": (with_values([5, 0, 0, 0, 0]), 5.0),
    "rank one of many": (random(1, 32, 1) @ random(1, 1, 32, seed=1), 0.0),  # its norm, below
    "zero": (np.zeros((3, 6, 6)), 0.0),
    "a wide range": (with_values([2.0**-k for k in range(0, 960, 40)]), 1.0),
    "rotation of pairs": (complex_pairs(6), 1.0),
    "two by two": (with_values([4, 3]), 4.0),
    "of 64": (with_values(np.linspace(1.5, 0, 64).tolist()), 1.5),
}
A, _ = MATRICES["rank one of many"]
MATRICES["rank one of many"] = A, float(np.linalg.norm(A))
