"""Noiseless memorisation (Martens, Sutskever 2011; Pascanu et al. 2013).

A pattern of `length` symbols out of `alphabet` (5 bits: 2 symbols), then the same blank at every
step, a mark, and at the last `length` steps the pattern is to be repeated. Unlike the copy problem
the loss looks at these last steps alone. Chance: ln(alphabet) nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch, Independent, one_hot


@dataclass(frozen=True)
class NoiselessMemorization(Independent):
    """T: all steps, more than twice the length."""

    T: int
    alphabet: int = 2
    length: int = 5
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
        return self.alphabet

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(range(self.T - self.length + 1, self.T + 1))

    @property
    def baseline(self) -> float:
        return math.log(self.alphabet)

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        told = streams.batch(update).integers(0, self.alphabet, (self.length, B))
        shown = np.full((self.T, B), self.alphabet)
        shown[: self.length] = told
        shown[self.T - self.length - 1] = self.alphabet + 1
        return Batch(one_hot(shown, self.inputs), told)
