"""Noiseless memorisation (Martens, Sutskever 2011; Pascanu et al. 2013).

A pattern of `length` symbols out of `alphabet` (5 bits: 2 symbols), then the same blank at every
step, a mark, and at the last `length` steps the pattern is to be repeated. Unlike the copy problem
the loss looks at these last steps alone. Chance: ln(alphabet) nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch
from gradlab.tasks.recall import Recall


@dataclass(frozen=True)
class NoiselessMemorization(Recall):
    """T: all steps, more than twice the length."""

    alphabet: int = 2
    length: int = 5

    @property
    def outputs(self) -> int:
        return self.alphabet

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(range(self.T - self.length + 1, self.T + 1))

    @property
    def baseline(self) -> float:
        return math.log(self.alphabet)

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        told, x = self.shown(streams, update, B)
        return Batch(x, told)
