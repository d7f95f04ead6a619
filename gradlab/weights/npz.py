"""npz: numpy's zip of arrays. Arrays of Python objects (pickles) are refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array

LARGEST = 2**32  # bytes that a file may claim to hold when unpacked


def read(path: Path) -> dict[str, Array]:
    """All arrays of a .npz file. Raises GradlabError for a broken, too large or pickled one."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise GradlabError(f"{path.name} claims to hold more than 4 GiB unpacked")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, KeyError) as error:
        raise GradlabError(f"{path.name} is not a readable npz file: {error}") from error
