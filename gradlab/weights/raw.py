"""Raw little-endian numbers as safetensors and ONNX hold them.

bfloat16 is the upper half of a float32, so shifting its bits up is exact. Sixteen-bit floats become
float32, all others keep their type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array

BFLOAT16 = "bfloat16"


def array(
    data: bytes | bytearray | memoryview, kind: str, shape: Sequence[int], what: str
) -> Array:
    """The numbers of `data`; kind is numpy's name of their type, or `bfloat16`.

    what names the tensor in errors. Raises GradlabError where shape and bytes do not fit: that is
    looked at first, so a claim costs nothing.
    """
    stored = np.dtype("<u2" if kind == BFLOAT16 else kind).newbyteorder("<")
    claimed = math.prod(shape) * stored.itemsize
    if min(shape, default=0) < 0 or claimed != len(data):
        raise GradlabError(
            f"{what} claims shape {tuple(shape)} of {kind}, {claimed} bytes, and has {len(data)}; "
            "the file is damaged, save it again"
        )
    found = np.frombuffer(data, stored).reshape(shape)
    return widened(from_bfloat16(found) if kind == BFLOAT16 else found)


def from_bfloat16(bits: NDArray[np.uint16]) -> Array:
    """float32 from the bits of bfloat16."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def widened(found: Array) -> Array:
    """float16 as float32, which numpy calculates with; others in the machine's byte order."""
    wide = np.dtype(np.float32) if found.dtype.kind == "f" and found.dtype.itemsize == 2 else None
    return found.astype(wide or found.dtype.newbyteorder("="), copy=wide is not None)
