"""A picture as a PNG file (W3C, Portable Network Graphics, 2003), in a third of the usual time.

An encoder for photographs tries five filters on every row. A figure is flat: its rows and pixels
are equal for long, which deflate finds by itself, and sooner where no filter has hidden it.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVEL = 3  # of zlib: 1 takes as long for more bytes, and 4 half as long again for a tenth fewer
RGB = 2  # a pixel is three samples
INCH = 0.0254  # metres


def encoded(pixels: NDArray[np.uint8], dpi: float) -> bytes:
    """The file of a picture of opaque pixels (height, width, 3 or more): red, green, blue.

    The same bytes for the same picture. dpi: pixels per inch, which programs that print go by.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # before every row its filter: 0, none
    for sample in range(3):  # all three at once take five times as long
        rows[:, 1 + sample :: 3] = pixels[:, :, sample]
    per_metre = round(dpi / INCH)
    header = struct.pack(">IIBBBBB", width, height, 8, RGB, 0, 0, 0)
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
            _chunk(b"IDAT", zlib.compress(rows.data, LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    """Its length, name and data, and their checksum."""
    check = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
