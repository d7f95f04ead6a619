"""Random streams: every member draws from its own seed, every purpose from its own stream.

Member s is the same whatever the ensemble, the worker or the order, and adding an option changes no
earlier draw. With `pcg64` the stream for a purpose is SeedSequence(s, spawn_key=(purpose,)); the
inputs have one more key, the block of steps, and so has every further set of weights (a layer, a
direction, a step's own). With `mt19937` (numpy's legacy RandomState, so
that textbook numbers come out to the digit) everything but the inputs comes from one
RandomState(s), in the order in which it is asked for; the inputs of a block come from
RandomState([s, block + 1]), the places where given sequences are cut from RandomState([s, 0]). The
batches of a training are drawn update by update, with either generator from SeedSequence(s,
spawn_key=(purpose, update)): no textbook prints them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

GeneratorName = Literal["pcg64", "mt19937"]
Random = np.random.Generator | np.random.RandomState

# Each purpose's key for good: the seeds' results hang on them.
PURPOSES = {
    "recurrent": 0,
    "input": 1,
    "state": 2,
    "upstream": 3,
    "inputs": 4,
    "peephole": 5,
    "output": 6,
    "targets": 7,
    "cuts": 8,
    "batch": 9,
    "embedding": 10,
}


class Streams:
    """The random streams of one member. With mt19937 they are one: the order of asking counts."""

    def __init__(self, seed: int, generator: GeneratorName) -> None:
        self.seed = seed
        self.generator = generator
        self._legacy = np.random.RandomState(seed) if generator == "mt19937" else None

    def of(self, purpose: str, copy: int = 0) -> Random:
        """The stream for one of PURPOSES; copy counts the sets of weights."""
        if self._legacy is not None:
            return self._legacy
        key = (PURPOSES[purpose], copy) if copy else (PURPOSES[purpose],)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def inputs(self, block: int) -> Random:
        """The stream for the inputs of one block of steps; may be asked for again."""
        if self._legacy is not None:
            return np.random.RandomState([self.seed, block + 1])
        key = (PURPOSES["inputs"], block)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def cuts(self) -> Random:
        """The stream for the places where given sequences are cut; may be asked for again."""
        if self._legacy is not None:
            return np.random.RandomState([self.seed, 0])
        return self.of("cuts")

    def batch(self, update: int) -> np.random.Generator:
        """The stream for the batch of one update of a training; may be asked for again."""
        key = (PURPOSES["batch"], update)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
