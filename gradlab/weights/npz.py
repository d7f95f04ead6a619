"""npz: numpy's zip of arrays. Arrays of Python objects (pickles) are refused."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from gradlab.archive import UNREADABLE
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds

HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # as 2.0, in UTF-8
}


def read(path: Path) -> dict[str, Array]:
    """All arrays of a .npz file. Raises GradlabError for a broken, too large or pickled one."""
    size = bounds.file_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            found = bounds.members(archive, size, path.name)
            bounds.once(path.name, (_key(member) for member in found))
            return {_key(member): _array(archive, member, path.name) for member in found}
    except PermissionError as error:
        raise bounds.unreadable(path, error) from error
    except UNREADABLE as error:
        raise GradlabError(
            f"{path.name} is not a readable npz file: {_line(error)}; save it with numpy.savez"
        ) from error


def _key(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Array:
    """One array. Its header is held against the member's size before numpy makes room for it."""
    with archive.open(member) as file:
        claimed = _claimed(file, name, _key(member))
        room = member.file_size - file.tell()
    if claimed != room:
        raise GradlabError(
            f"{name}: {_key(member)} claims {claimed} bytes and has {room}; "
            "the file is damaged, save it again"
        )
    with archive.open(member) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _claimed(file: IO[bytes], name: str, key: str) -> int:
    """Bytes of the array after the header."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise GradlabError(
            f"{name}: {key} has npy version {version}; known are {', '.join(map(str, HEADERS))}"
        )
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise GradlabError(
            f"{name}: {key} holds Python objects, not numbers, and they are never loaded; "
            "save it as an array of floats"
        )
    return math.prod(shape) * dtype.itemsize


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
