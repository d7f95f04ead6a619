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
from gradlab.tasks.interface import Batch
from gradlab.tasks.recall import Recall


@dataclass(frozen=True)
class Copy(Recall):
    """T: all steps, more than twice the length."""

    alphabet: int = 8
    length: int = 10

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
        told, x = self.shown(streams, update, B)
        y = np.full((self.T, B), self.alphabet)
        y[self.T - self.length :] = told
        return Batch(x, y)
