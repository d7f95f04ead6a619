"""The symbols that are told apart, in the order of their numbers.

A text's own vocabulary has the most frequent symbol first, and equally frequent ones by code
point. In a file there is one entry a line; the lines \\n, \\t, \\r and \\\\ stand for the
characters that they mean in Python, since a line cannot hold a line end. <unk> stands for every
other symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gradlab.errors import GradlabError
from gradlab.sequences.decoding import numbered_lines
from gradlab.sequences.tokens import MOST, UNKNOWN, Level

LONGEST = 1000  # characters of an entry
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\"}

Vocabulary = tuple[str, ...]


def of_counts(counts: Mapping[str, int], most: int | None) -> Vocabulary:
    """All symbols by their frequency, or the `most` most frequent ones and <unk> for the rest."""
    order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    if most is None or len(order) <= most:
        return tuple(order)
    kept = [symbol for symbol in order if symbol != UNKNOWN][:most]
    return (*kept, UNKNOWN)


def of_file(path: Path, level: Level) -> Vocabulary:
    """The entries of a file.

    Raises GradlabError, with the line, for one that is empty, repeated, or no symbol at this level.
    """
    lines: dict[str, int] = {}
    for number, line in numbered_lines(path, LONGEST):
        entry = ESCAPES.get(line, line if level == "char" else line.strip())
        where = f"{path.name}:{number}"
        if flaw := _flaw(entry, level):
            raise GradlabError(f"{where}: {flaw}")
        if entry in lines:
            raise GradlabError(f"{where}: {entry!r} is in line {lines[entry]} already; remove one")
        if len(lines) == MOST:
            raise GradlabError(f"{path.name} has more than {MOST} entries")
        lines[entry] = number
    if not lines:
        raise GradlabError(f"{path.name} has no entries; write one a line")
    return tuple(lines)


def _flaw(entry: str, level: Level) -> str | None:
    if not entry:
        return r"this line is empty; write one entry a line, \n for the end of a line"
    if level == "char" and len(entry) > 1 and entry != UNKNOWN:
        return f"{entry[:20]!r} is more than one character, and level is char"
    if level == "word" and any(c.isspace() for c in entry) and len(entry) > 1:
        return f"{entry[:20]!r} has white space in it; write one word a line"
    return None
