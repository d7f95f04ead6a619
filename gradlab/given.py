"""Arrays that a user gives in files: input sequences and initial states.

Files keep the usual order, sequences first: inputs (T, I) or (B, T, I), states (B, H). What comes
out is in gradlab's order: inputs (T, I, B), states (D, B).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import npz


def sequences(path: Path) -> Array:
    """Inputs (T, I, B) from an .npy file, or from an .npz file with a single array.

    Raises GradlabError for a file that is missing, broken, of another shape, or not finite.
    """
    array = _array(path)
    if array.ndim not in (2, 3):
        raise GradlabError(
            f"{path.name} has shape {array.shape}; inputs are (steps, inputs) "
            "or (sequences, steps, inputs)"
        )
    batch = array[None] if array.ndim == 2 else array
    return np.ascontiguousarray(_numbers(batch, path.name).transpose(1, 2, 0))


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


def _array(path: Path) -> Array:
    if _existing(path).suffix == ".npz":
        arrays = npz.read(path)
        if len(arrays) != 1:
            raise GradlabError(f"{path.name} holds {len(arrays)} arrays; inputs are one array")
        return next(iter(arrays.values()))
    if path.suffix != ".npy":
        raise GradlabError(f"cannot read inputs from {path.name!r}: known formats are .npy, .npz")
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise GradlabError(f"{path.name} is not a readable npy file: {error}") from error


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
