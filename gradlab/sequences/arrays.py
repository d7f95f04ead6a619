"""Recordings from files: (T, I), or (B, T, I) for several sequences, as npy, npz or csv.

A small file is read into memory, once for everybody who uses it; a large .npy file is mapped, so
that only the pieces that are used are read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.archive import UNREADABLE
from gradlab.digest import sha256
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.sequences import table
from gradlab.weights import npz

MAGIC = b"\x93NUMPY"
MAPPED = 2**26  # bytes of an .npy file from which on it is mapped
LOOKED_AT = 2**21  # numbers at a time when a file is searched for NaN
KEPT = 2  # files that stay in memory, for the next experiment of a sweep


class Held:
    """The numbers of a file: `array` (sequences, steps, inputs), which nobody may write to.

    batch: the file has several sequences, and not one recording. Where the file is mapped, what is
    sent to a worker is its path; the worker maps it again.
    """

    def __init__(self, array: Array, batch: bool, path: str, sha: str) -> None:
        self.array, self.batch, self.path, self.sha = array, batch, path, sha

    def __reduce__(self) -> tuple[Callable[..., Held], tuple[Any, ...]]:
        if isinstance(self.array, np.memmap):
            return _unchanged, (self.path, self.sha)
        return Held, (self.array, self.batch, self.path, self.sha)


def read(path: Path) -> Held:
    """The numbers of an .npy, .npz (with a single array) or .csv file.

    Raises GradlabError for a file that is missing, broken, of another shape, or not finite.
    """
    if path.suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise GradlabError(f"cannot read inputs from {path.name!r}: known formats are {known}")
    if path.suffix == ".csv":
        table.refuse_too_large(path)  # before its digest is taken
    return _held(str(path), sha256(path))


@lru_cache(maxsize=KEPT)
def _held(path: str, sha: str) -> Held:
    name = Path(path).name
    array = FORMATS[Path(path).suffix](Path(path))
    if array.ndim not in (2, 3):
        raise GradlabError(
            f"{name} has shape {array.shape}; inputs are (steps, inputs) "
            "or (sequences, steps, inputs)"
        )
    if array.size == 0 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise GradlabError(
            f"{name} is empty or not real numbers (shape {array.shape}, {array.dtype})"
        )
    batch = array[None] if array.ndim == 2 else array
    _refuse_not_finite(batch, name)
    if not isinstance(batch, np.memmap):
        batch = np.ascontiguousarray(batch, np.float64)
        batch.setflags(write=False)
    return Held(batch, array.ndim == 3, path, sha)


@lru_cache(maxsize=KEPT)
def _unchanged(path: str, sha: str) -> Held:
    if sha256(Path(path)) != sha:
        raise GradlabError(f"{path} has changed since the experiment was planned; start it again")
    return _held(path, sha)


def _refuse_not_finite(batch: Array, name: str) -> None:
    sequences, T, I = batch.shape
    n = max(1, LOOKED_AT // I)
    for b in range(sequences):
        for start in range(0, T, n):
            finite = np.isfinite(batch[b, start : start + n]).all(axis=1)
            if not finite.all():
                step = start + int(np.argmin(finite)) + 1
                where = f"step {step}" + f" of sequence {b + 1}" * (sequences > 1)
                raise GradlabError(f"{name} holds NaN or infinity (first in {where})")


def _npy(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise GradlabError(f"{path.name} is no npy file: it does not begin as one")
        # mapped in any case: a header that claims more than there is costs no memory then
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped if path.stat().st_size >= MAPPED else np.array(mapped)
    except UNREADABLE as error:  # a header is a Python literal, and may be torn anywhere
        why = " ".join(str(error).split())
        raise GradlabError(f"{path.name} is not a readable npy file: {why}") from error


def _npz(path: Path) -> Array:
    arrays = npz.read(path)
    if len(arrays) != 1:
        raise GradlabError(f"{path.name} holds {len(arrays)} arrays; inputs are one array")
    return next(iter(arrays.values()))


FORMATS: dict[str, Callable[[Path], Array]] = {".npy": _npy, ".npz": _npz, ".csv": table.read}
