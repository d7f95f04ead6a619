"""A language model on a text: the next character or word, at every step (Mikolov et al. 2010).

The text is laid out in B pieces of equal length, read side by side: an update takes the next T
symbols of each, and begins with the state that the update before has ended with (`carry`). At the
end of the pieces it begins anew, with the initial state. Every seed begins at a place of its own in
the text, which goes around. Chance: ln V nats, a perplexity of V symbols.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.draws import Streams
from gradlab.tasks.interface import PROBE, Batch


@dataclass(frozen=True, eq=False)  # arrays have no truth of their being equal
class LanguageModel:
    """T: symbols of a piece that an update takes. numbers: of the text's symbols, (n,)."""

    T: int
    numbers: NDArray[np.integer]
    symbols: int  # V, different ones
    B: int
    carry: bool = True
    loss: str = "cross_entropy"
    inputs: None = None

    def __post_init__(self) -> None:
        if len(self.numbers) // self.B < self.T + 1:
            why = f"the text has {len(self.numbers)} symbols, in batch_size pieces"
            least = (self.T + 1) * self.B
            raise ValueError(f"{why} of seq_len + 1 there must be {least}; use smaller sizes")

    @property
    def outputs(self) -> int:
        return self.symbols

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(range(1, self.T + 1))

    @property
    def baseline(self) -> float:
        return math.log(self.symbols)

    @property
    def windows(self) -> int:
        """Updates until the pieces are at their ends."""
        return (len(self.numbers) // self.B - 1) // self.T

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        n = len(self.numbers)
        start = int(streams.batch(PROBE).integers(0, n))
        window = max(update - 1, 0) % self.windows
        step = np.arange(self.T + 1)[:, None] + window * self.T
        found = self.numbers[(start + np.arange(B) * (n // B) + step) % n].astype(np.int64)
        return Batch(found[:-1], found[1:])

    def carried(self, update: int) -> bool:
        return self.carry and (update - 1) % self.windows > 0
