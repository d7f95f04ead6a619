"""The temporal order problem (Hochreiter, Schmidhuber 1997, tasks 6a and 6b; Pascanu et al. 2013).

Six symbols, one-hot. All steps show one of the four distractors, but for two (or three) steps that
show A or B: one in each of the stretches [T/10, 2T/10), [4T/10, 5T/10) for two, and [T/10, 2T/10),
[3T/10, 4T/10), [6T/10, 7T/10) for three. After the last step the order is to be told: AA, AB, BA
or BB, 4 classes; with three 8. Chance: ln 4 = 1.3863 nats and 75 % errors, ln 8 and 87.5 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch, Independent, one_hot

TENTHS = {2: (1, 4), 3: (1, 3, 6)}  # where the stretches begin
DISTRACTORS = 4


@dataclass(frozen=True)
class TemporalOrder(Independent):
    """T: steps, 10 at least. order: how many symbols are to be remembered, 2 or 3."""

    T: int
    order: int = 2
    loss: str = "cross_entropy"
    inputs: int = 2 + DISTRACTORS

    def __post_init__(self) -> None:
        if self.T < 10:
            raise ValueError(f"a tenth of the sequence takes 10 steps; seq_len is {self.T}")

    @property
    def outputs(self) -> int:
        return int(2**self.order)

    @property
    def steps(self) -> tuple[int, ...]:
        return (self.T,)

    @property
    def baseline(self) -> float:
        return self.order * math.log(2)

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        random = streams.batch(update)
        shown = random.integers(2, 2 + DISTRACTORS, (self.T, B))
        told = random.integers(0, 2, (self.order, B))
        for tenth, symbol in zip(TENTHS[self.order], told, strict=True):
            low, high = tenth * self.T // 10, (tenth + 1) * self.T // 10
            shown[random.integers(low, high, B), np.arange(B)] = symbol
        y = 2 ** np.arange(self.order)[::-1] @ told
        return Batch(one_hot(shown, self.inputs), y[None, :])
