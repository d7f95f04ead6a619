"""Number agreement over a distance: "the cat near the dogs behind the girl ..." was, or were?

(Elman 1991; Linzen, Dupoux, Goldberg 2016.) The subject is the second word; between it and the
verb come phrases of three words, each with a noun of a number of its own, which misleads, and
commas where the length leaves room. After the last word the verb is to be told: singular or
plural. Chance: ln 2 nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch, Independent, one_hot

NOUNS = ("cat", "dog", "girl", "boy", "bird", "key")
BETWEEN = ("near", "behind", "beside", "above")
# singular nouns, their plurals, and the words between
WORDS = (*NOUNS, *(f"{noun}s" for noun in NOUNS), *BETWEEN, "the", ",")
FIRST = 2 * len(NOUNS)
THE, COMMA = len(WORDS) - 2, len(WORDS) - 1


@dataclass(frozen=True)
class Agreement(Independent):
    """T: words before the verb, 2 at least."""

    T: int
    loss: str = "cross_entropy"
    inputs: int = len(WORDS)
    outputs: int = 2
    baseline: float = math.log(2)

    def __post_init__(self) -> None:
        if self.T < 2:
            raise ValueError(f"the subject is the second word; seq_len is {self.T}")

    @property
    def steps(self) -> tuple[int, ...]:
        return (self.T,)

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        random = streams.batch(update)
        phrases = (self.T - 2) // 3
        words = np.full((self.T, B), COMMA)
        words[0] = THE
        number = random.integers(0, 2, B)
        words[1] = number * len(NOUNS) + random.integers(0, len(NOUNS), B)
        start = self.T - 3 * phrases  # the commas come right after the subject
        words[start::3] = random.integers(FIRST, FIRST + len(BETWEEN), (phrases, B))
        words[start + 1 :: 3] = THE
        words[start + 2 :: 3] = random.integers(0, FIRST, (phrases, B))
        return Batch(one_hot(words, self.inputs), number[None, :])
