"""UTF-8 files as text, piece by piece: no more than CHUNK bytes are looked at at a time.

A byte order mark is left out, and a line ends in "\\n" whatever it ended in.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from gradlab.digest import opened
from gradlab.errors import GradlabError

CHUNK = 2**20


def decoded(path: Path) -> Iterator[str]:
    """The text of a file, in pieces that are not empty.

    Raises GradlabError for a file that cannot be read, and with the place of the first byte that is
    not UTF-8.
    """
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    at, left, first = 0, b"", True
    with opened(path) as file:
        while True:
            new = file.read(CHUNK)
            data = left + new
            if first and data.startswith(codecs.BOM_UTF8):
                data, at = data[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
            text, used = _utf8(data, at, not new, path.name)
            first, left, at = False, data[used:], at + used
            if piece := lines.decode(text, not new):
                yield piece
            if not new:
                return


def numbered_lines(path: Path, longest: int) -> Iterator[tuple[int, str]]:
    """Each line's number, from 1, and its text without its end.

    Raises GradlabError as `decoded` does, and for a line of more than `longest` characters.
    """
    number, left = 1, ""
    for piece in decoded(path):
        *whole, left = (left + piece).split("\n")
        for line in whole:
            yield number, _bounded(line, number, longest, path.name)
            number += 1
        _bounded(left, number, longest, path.name)
    if left:
        yield number, left


def _bounded(line: str, number: int, longest: int, name: str) -> str:
    if len(line) > longest:
        raise GradlabError(f"{name}:{number}: this line has more than {longest} characters")
    return line


def _utf8(data: bytes, at: int, last: bool, name: str) -> tuple[str, int]:
    """The text of the bytes that stand at an offset, and how many of them it is of."""
    try:
        return codecs.utf_8_decode(data, "strict", last)
    except UnicodeDecodeError as fault:
        offset = at + fault.start
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and offset == 0
        like = "it looks like UTF-16" if wide else "it may be Latin-1"
        raise GradlabError(
            f"{name}: byte 0x{data[fault.start]:02x} at offset {offset} is not UTF-8 "
            f"({like}); save the file as UTF-8"
        ) from None
