"""A text from a file, as the numbers of its symbols in a vocabulary."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gradlab.digest import sha256
from gradlab.errors import GradlabError
from gradlab.sequences.tokens import LEVELS, Level, Numbers
from gradlab.sequences.vocabulary import Vocabulary, of_counts

KEPT = 2  # texts that stay in memory, for the next experiment of a sweep


class Corpus(NamedTuple):
    """The symbols of a text (n,), which nobody may write to, and what their numbers mean."""

    numbers: Numbers
    vocabulary: Vocabulary


def read(path: Path, level: Level, known: Vocabulary | None, most: int | None) -> Corpus:
    """The text in a UTF-8 file. known: the vocabulary, or None for the text's own, of which `most`
    words are kept.

    Raises GradlabError for a file that is missing, empty or not UTF-8, and for a symbol that the
    vocabulary does not have.
    """
    return _corpus(str(path), sha256(path), level, known, most)


@lru_cache(maxsize=KEPT)
def _corpus(
    file: str, sha: str, level: Level, known: Vocabulary | None, most: int | None
) -> Corpus:
    path, split = Path(file), LEVELS[level]
    entries = of_counts(split.count(path), most) if known is None else known
    numbers = split.encode(path, entries)
    if len(numbers) == 0:
        raise GradlabError(f"{path.name} is empty: it has no {level}s")
    numbers.setflags(write=False)
    return Corpus(numbers, entries)
