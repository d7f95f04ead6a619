"""Where the sequences of a member begin in a file that is longer than they are.

With `random` each sequence of each member begins at a place drawn from the member's own stream,
uniformly over all places where a piece of the wanted length fits. The draws do not know that
length: a place among all steps of the file is drawn CANDIDATES times, and the first that fits is
taken, so a longer piece begins where a shorter one did wherever it fits there. (Where none fits, a
place is drawn among those that do.) Nor do they know the batch: sequence b is the same in a larger
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradlab.draws import Random, Streams

Cut = Literal["random", "start"]
Indices = NDArray[np.int64]

CANDIDATES = 8


@dataclass(frozen=True)
class Pieces:
    """Pieces of `length` steps of a file with `sequences` sequences of `steps` steps."""

    sequences: int
    steps: int
    length: int

    @property
    def places(self) -> int:
        """Where a piece may begin in one sequence of the file."""
        return self.steps - self.length + 1

    @property
    def count(self) -> int:
        """How many different pieces there are."""
        return self.sequences * self.places

    def of(self, member: Streams, B: int) -> tuple[Indices, Indices]:
        """Which sequence of the file, and where it begins (from 0), for each of B pieces: (B,)."""
        u = _uniform(member.cuts(), (B, CANDIDATES + 2))
        which = _below(self.sequences, u[:, 0])
        candidates = _below(self.steps, u[:, 2:])
        fits = candidates < self.places
        first = candidates[np.arange(B), fits.argmax(axis=1)]
        return which, np.where(fits.any(axis=1), first, _below(self.places, u[:, 1]))


def _uniform(random: Random, shape: tuple[int, int]) -> NDArray[np.float64]:
    return random.random(shape)


def _below(n: int, u: NDArray[np.float64]) -> Indices:
    """Whole numbers from 0 to n - 1 from u in [0, 1)."""
    return (u * n).astype(np.int64)
