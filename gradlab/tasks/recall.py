"""What the memory problems show: symbols, then blanks, then a mark, and room for the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.nonlinearity import Array
from gradlab.tasks.interface import Independent, one_hot


@dataclass(frozen=True)
class Recall(Independent):
    """T: all steps, more than twice the length. Raises ValueError where they are fewer."""

    T: int
    alphabet: int
    length: int
    loss: str = "cross_entropy"

    def __post_init__(self) -> None:
        if 2 * self.length >= self.T:
            why = f"{self.length} symbols, a mark and their copy take {2 * self.length + 1} steps"
            raise ValueError(f"{why}; seq_len is {self.T}")

    @property
    def inputs(self) -> int:
        return self.alphabet + 2  # blank, mark

    def shown(self, streams: Streams, update: int, B: int) -> tuple[Array, Array]:
        """The symbols (length, B) of an update, and the inputs that show them."""
        told = streams.batch(update).integers(0, self.alphabet, (self.length, B))
        shown = np.full((self.T, B), self.alphabet)
        shown[: self.length] = told
        shown[self.T - self.length - 1] = self.alphabet + 1
        return told, one_hot(shown, self.inputs)
