"""Rows of a trained embedding: the input vector of each entry of a vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradlab import weights
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array

SHOWN = 8  # names of a file in a message


def rows(path: Path, name: str, entries: int) -> Array:
    """The matrix (entries, I) of that name in a weights file, float64.

    Raises GradlabError for a file or a matrix that is missing or does not fit the vocabulary.
    """
    arrays = weights.read(path)
    if name not in arrays:
        names = sorted(arrays)
        there = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
        raise GradlabError(f"{path.name} has no {name!r}; it has: {there or 'nothing'}")
    found = arrays[name]
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.floating) or found.size == 0:
        raise GradlabError(
            f"{path.name}: {name} is no matrix of numbers (shape {found.shape}, {found.dtype})"
        )
    if len(found) != entries:
        raise GradlabError(
            f"{path.name}: {name} has {len(found)} rows, but the vocabulary has {entries} entries; "
            "give the vocabulary that it was trained with (inputs.vocabulary)"
        )
    if not np.isfinite(found).all():
        raise GradlabError(f"{path.name}: {name} holds NaN or infinity")
    return found.astype(np.float64)
