"""How a text is split into symbols: characters or words.

A word is a run of letters, digits and underscores, with apostrophes between them (don't). Every
other character that is no white space is a word of its own, and so is <unk>. White space separates
and is dropped; upper and lower case differ. A character is a Unicode code point.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import GradlabError
from gradlab.sequences.decoding import decoded

UNKNOWN = "<unk>"  # stands for every symbol that has no entry of its own
MOST = 1_000_000  # different symbols
LONGEST = 2**20  # characters without white space
CODES = 0x110000  # of Unicode

Level = Literal["char", "word"]
Numbers = NDArray[np.integer]

_WORD = re.compile(rf"{UNKNOWN}|\w+(?:['\u2019]\w+)*|[^\w\s]")


class Splitting(Protocol):
    """One way to split a text."""

    def count(self, path: Path) -> Mapping[str, int]:
        """How often each symbol is in the text."""

    def encode(self, path: Path, vocabulary: Sequence[str]) -> Numbers:
        """The number of each symbol of the text in the vocabulary.

        Raises GradlabError for one that is not there, unless there is an entry <unk>.
        """


class Characters:
    """Every character is a symbol."""

    def count(self, path: Path) -> Mapping[str, int]:
        counts = np.zeros(CODES, np.int64)
        for codes in _codes(path):
            counts += np.bincount(codes, minlength=CODES)
        return {chr(code): int(counts[code]) for code in np.flatnonzero(counts)}

    def encode(self, path: Path, vocabulary: Sequence[str]) -> Numbers:
        number = np.full(CODES, -1, np.int64)
        for k, symbol in enumerate(vocabulary):
            if symbol == UNKNOWN:
                number[number < 0] = k
        for k, symbol in enumerate(vocabulary):
            if symbol != UNKNOWN:
                number[ord(symbol)] = k
        pieces, seen = [], 0
        for codes in _codes(path):
            found = number[codes]
            if (found < 0).any():
                place = int(np.argmin(found))
                raise _not_there(path, chr(codes[place]), seen + place)
            pieces.append(found.astype(np.min_scalar_type(len(vocabulary) - 1)))
            seen += len(codes)
        return _joined(pieces)


class Words:
    """Every word and every punctuation mark is a symbol."""

    def count(self, path: Path) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        for words in _words(path):
            counts.update(words)
            if len(counts) > MOST:
                raise GradlabError(
                    f"{path.name} has more than {MOST} different words; use level: char"
                )
        return counts

    def encode(self, path: Path, vocabulary: Sequence[str]) -> Numbers:
        number = {symbol: k for k, symbol in enumerate(vocabulary)}
        unknown = number.get(UNKNOWN, -1)
        pieces, seen = [], 0
        for words in _words(path):
            found = np.array([number.get(word, unknown) for word in words], np.int64)
            if (found < 0).any():
                place = int(np.argmin(found))
                raise _not_there(path, words[place], seen + place)
            pieces.append(found.astype(np.min_scalar_type(len(vocabulary) - 1)))
            seen += len(words)
        return _joined(pieces)


LEVELS: dict[Level, Splitting] = {"char": Characters(), "word": Words()}


def _codes(path: Path) -> Iterator[NDArray[np.uint32]]:
    """The code points of a text, piece by piece."""
    for piece in decoded(path):
        yield np.frombuffer(piece.encode("utf-32-le"), "<u4")


def _words(path: Path) -> Iterator[list[str]]:
    """The words of a text, piece by piece; a word at the end of a piece waits for the next one."""
    left = ""
    for piece in decoded(path):
        text = left + piece
        left = "" if text[-1].isspace() else text.rsplit(None, 1)[-1]
        if len(left) > LONGEST:
            raise GradlabError(
                f"{path.name} has more than {LONGEST} characters without white space; "
                "use level: char"
            )
        yield _WORD.findall(text[: len(text) - len(left)])
    yield _WORD.findall(left)


def _joined(pieces: list[Numbers]) -> Numbers:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)


def _not_there(path: Path, symbol: str, place: int) -> GradlabError:
    return GradlabError(
        f"{path.name}: {symbol!r} (symbol {place + 1} of the text) is not in the vocabulary; "
        f"add it, or an entry {UNKNOWN}"
    )
