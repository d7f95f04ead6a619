"""Initial states that a user gives in a file.

Files keep the usual order, sequences first: (B, H). What comes out is in gradlab's order: (D, B).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import npz


def state(path: Path, parts: tuple[str, ...], B: int, H: int) -> Array:
    """Initial state (D, B) from an .npz file with an array (B, H) for each part, or (1, H) for all
    sequences.

    Raises GradlabError naming the part that is missing or misshapen.
    """
    arrays = npz.read(_existing(path))
    columns = []
    for part in parts:
        if part not in arrays:
            raise GradlabError(
                f"{path.name} has no array {part!r}; it has: {', '.join(arrays) or 'none'}"
            )
        array = _numbers(arrays[part], f"{path.name}: {part}")
        if array.shape not in ((B, H), (1, H)):
            raise GradlabError(
                f"{path.name}: {part} has shape {array.shape}; "
                f"batch_size and hidden_size want {(B, H)}"
            )
        columns.append(np.broadcast_to(array, (B, H)).T)
    return np.concatenate(columns)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise GradlabError(f"there is no file {str(path)!r}")
    return path


def _numbers(array: Array, name: str) -> Array:
    if array.size == 0 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise GradlabError(
            f"{name} is empty or not real numbers (shape {array.shape}, {array.dtype})"
        )
    if not np.isfinite(array).all():
        raise GradlabError(f"{name} holds NaN or infinity")
    return array.astype(np.float64)
