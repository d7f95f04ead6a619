"""npz files of results: arrays, and metadata as JSON inside.

They are read with care: torn, foreign and hostile ones are told, and cost nothing. A zip file may
unpack to a thousand times its size. What it claims is held against its size and against the memory
that is free before anything is unpacked.
"""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from gradlab.machine import SHARE, available, size

METADATA = "metadata"  # the array with the JSON text
FACTOR, FLOOR = 50, 2**30  # of the file's size, or bytes: a record of NaN alone packs well
LITTLE = 2**22  # bytes that are there: to ask the system about them takes longer than to read them

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


def opened(file: IO[bytes]) -> Any:
    """The npz file in a binary one, to be used as a context. What is asked for is read then, and
    nothing else. Raises one of UNREADABLE.
    """
    length = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        claimed = sum(member.file_size for member in archive.infolist())
    there = available() if claimed > LITTLE else None
    if claimed > max(FACTOR * length, FLOOR):
        raise ValueError(f"{length} bytes that claim to hold {size(claimed)}")
    if there is not None and claimed > SHARE * there:
        raise ValueError(f"it holds {size(claimed)}, and {size(there)} of memory are free here")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def metadata_of(text: Any) -> dict[str, Any]:
    """What the array METADATA says. Raises one of UNREADABLE."""
    found: dict[str, Any] = json.loads(str(text))
    return found


def save(
    file: IO[bytes], metadata: Mapping[str, Any], arrays: Mapping[str, Any], compress: bool = False
) -> None:
    """Write an npz file: the same bytes for the same content. Raises OSError.

    An interrupt stays one: the zip file that it leaves open would complain in its place.
    """
    text = np.array(json.dumps(metadata, allow_nan=False))
    write: Any = np.savez_compressed if compress else np.savez
    try:
        write(file, **{METADATA: text}, **arrays)
    except ValueError as error:
        if isinstance(error.__context__, Exception | None):
            raise
        raise error.__context__ from None
