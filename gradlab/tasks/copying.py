"""The copy memory problem (Hochreiter, Schmidhuber 1997; in the form of Arjovsky et al. 2016).

`length` symbols of an alphabet of `symbols`, then blanks, then a mark, and at the last `length`
steps the symbols are to be repeated. Before that the answer is a blank. The loss looks at every
step; who remembers nothing has length ln(symbols) / T nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch, Independent, one_hot


@dataclass(frozen=True)
class Copy(Independent):
    """T: all steps, more than twice the length."""

    T: int
    alphabet: int = 8
    length: int = 10
    loss: str = "cross_entropy"

    def __post_init__(self) -> None:
        if 2 * self.length >= self.T:
            why = f"{self.length} symbols, a mark and their copy take {2 * self.length + 1} steps"
            raise ValueError(f"{why}; seq_len is {self.T}")

    @property
    def inputs(self) -> int:
        return self.alphabet + 2  # blank, mark

    @property
    def outputs(self) -> int:
        return self.alphabet + 1  # blank

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(range(1, self.T + 1))

    @property
    def baseline(self) -> float:
        return self.length * math.log(self.alphabet) / self.T

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        told = streams.batch(update).integers(0, self.alphabet, (self.length, B))
        shown, y = np.full((2, self.T, B), self.alphabet)
        shown[: self.length] = told
        shown[self.T - self.length - 1] = self.alphabet + 1
        y[self.T - self.length :] = told
        return Batch(one_hot(shown, self.inputs), y)
