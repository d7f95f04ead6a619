"""npz files of results, read with care: torn, foreign and hostile ones are told, and cost nothing.

A zip file may unpack to a thousand times its size. What it claims is held against its size and
against the memory that is free before anything is unpacked.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from gradlab.machine import SHARE, available, size

FACTOR, FLOOR = 50, 2**30  # of the file's size, or bytes: a record of NaN alone packs well

# what reading a torn, foreign or hostile npz file raises: zip, zlib, numpy's header, JSON, and us
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


def opened(data: bytes) -> Any:
    """The npz file in these bytes, to be used as a context. Raises one of UNREADABLE."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        claimed = sum(member.file_size for member in archive.infolist())
    there = available()
    if claimed > max(FACTOR * len(data), FLOOR):
        raise ValueError(f"{len(data)} bytes that claim to hold {size(claimed)}")
    if there is not None and claimed > SHARE * there:
        raise ValueError(f"it holds {size(claimed)}, and {size(there)} of memory are free here")
    return np.load(io.BytesIO(data), allow_pickle=False)
