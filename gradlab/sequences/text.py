"""Texts: sequences of symbols as inputs, in pieces that begin at random places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.draws import Streams
from gradlab.nonlinearity import Array
from gradlab.sequences.pieces import Pieces


@dataclass(frozen=True)
class Text:
    """Characters or words of a text, one-hot or as rows of an embedding.

    Each sequence of each member begins at a random place of the member's own, and T + 1 symbols are
    there from it on. Symbols are numbers of the vocabulary; vectors are made of them by segments.
    """

    numbers: NDArray[np.integer]  # (symbols of the text,)
    vocabulary: tuple[str, ...]
    B: int
    length: int  # T + 1
    rows: Array | None = None  # (vocabulary, I) of an embedding; None: one-hot

    @property
    def I(self) -> int:  # noqa: E743 - the number of inputs, as everywhere
        """Inputs of a step."""
        return self.classes if self.rows is None else self.rows.shape[1]

    @property
    def classes(self) -> int:
        """How many symbols there are to tell apart."""
        return len(self.vocabulary)

    @property
    def pieces(self) -> Pieces:
        """What may be cut from the text."""
        return Pieces(1, len(self.numbers), self.length)

    def segment(self, members: Sequence[Streams], t0: int, n: int, dtype: np.dtype) -> Array:
        """x_{t0+1} .. x_{t0+n}: (n, R, I, B)."""
        found = self.symbols(members, range(t0, t0 + n), dtype)
        if self.rows is not None:
            return np.ascontiguousarray(self.rows[found].swapaxes(-1, -2)).astype(dtype, copy=False)
        R, B = found.shape[1:]
        x = np.zeros((n, R, self.I, B), dtype)
        np.put_along_axis(x, found[:, :, None, :], 1, axis=2)
        return x

    def symbols(self, members: Sequence[Streams], steps: Sequence[int], dtype: np.dtype) -> Array:
        """The symbol after each of some steps, as its number: (m, R, B)."""
        after = np.asarray(steps, np.int64)[:, None]
        found = [self.numbers[self.pieces.of(m, self.B)[1] + after] for m in members]
        return np.stack(found, axis=1).astype(np.int64)
