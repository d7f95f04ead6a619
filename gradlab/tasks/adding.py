"""The adding problem (Hochreiter, Schmidhuber 1997), in the form of Le, Jaitly, Hinton 2015.

Two inputs: a number from U(0, 1), and a mark that is 1 at two steps, one in each half of the
sequence. The target, after the last step, is the sum of the two marked numbers. Whoever does not
look answers 1, with a squared error of 2 Var U(0, 1) = 1/6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.tasks.interface import Batch, Independent


@dataclass(frozen=True)
class Adding(Independent):
    """T: steps, 2 at least."""

    T: int
    loss: str = "mse"
    inputs: int = 2
    outputs: int = 1
    baseline: float = 1 / 6

    def __post_init__(self) -> None:
        if self.T < 2:
            raise ValueError(f"two numbers are marked, which takes 2 steps; seq_len is {self.T}")

    @property
    def steps(self) -> tuple[int, ...]:
        return (self.T,)

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        random, half = streams.batch(update), self.T // 2
        x = np.zeros((self.T, 2, B))
        x[:, 0] = random.uniform(size=(self.T, B))
        marked = np.stack([random.integers(0, half, B), random.integers(half, self.T, B)])
        x[marked, 1, np.arange(B)] = 1.0
        y = x[marked, 0, np.arange(B)].sum(axis=0)
        return Batch(x, y[None, None, :])
