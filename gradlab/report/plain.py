"""Text that is piped: lines of at most 80 characters, tables of columns, no colours.

What rich would print there, to the character, without loading rich. What needs more than counting
characters (wide or invisible ones, a table that must be narrowed) is left to it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import IO

WIDTH = 80
# how a user makes rich take a pipe for a terminal
FORCED = ("FORCE_COLOR", "TTY_COMPATIBLE")


def is_plain(file: IO[str]) -> bool:
    """Whether what is written there is piped, and nobody wants it as on a terminal."""
    return not file.isatty() and not any(os.environ.get(name) for name in FORCED)


def is_simple(text: str) -> bool:
    """Whether each character stands in one column, and none breaks the line."""
    if text.isascii():
        return text.isprintable()
    return text.isprintable() and not any(
        unicodedata.east_asian_width(c) in "WF" or unicodedata.category(c) in ("Mn", "Mc", "Me")
        for c in text
    )


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """The lines of a simple text, broken between words; a word that is wider, within it."""
    lines = [""]
    for word in re.findall(r"\s*\S+\s*", text):
        length = len(word.rstrip())
        if length <= width - len(lines[-1]):
            lines[-1] += word
            continue
        parts = [word]
        if length > width:
            parts = [word[start : start + width] for start in range(0, len(word), width)]
        if lines == [""]:
            lines = []
        lines += parts
    return [_cut(line, width) for line in lines] if lines != [""] else [text[:width]]


def _cut(line: str, width: int) -> str:
    """Without the spaces at its end that lie beyond the width."""
    return line[: max(width, len(line.rstrip()))][:width]


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str] | None:
    """The lines of a table, the first column to the left and the others to the right; None where
    that is not simple, too wide, or a column is empty.
    """
    every = [list(header), *map(list, rows)]
    if not all(is_simple(cell) and cell == cell.strip() for row in every for cell in row):
        return None
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    if 0 in widths or sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        return None
    return [
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in every
    ]
