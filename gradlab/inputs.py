"""Inputs x_t: what each kind draws for a block of steps, and the segments that the engine asks for.

Sequences that are given (`gradlab.sequences`) are not drawn: their own steps are handed on.

A long run does not hold all its inputs: they are drawn by blocks of BLOCK steps, each block of each
member from its own stream, so that any segment can be had again. Within a block the steps are drawn
in order, so a shorter sequence sees the first steps of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.draws import Random, Streams
from gradlab.nonlinearity import Array
from gradlab.sequences.recording import Recording
from gradlab.sequences.text import Text

BLOCK = 256

Draw = Callable[[Random, tuple[int, int, int], float], Array]  # (random, (n, I, B), parameter)


def normal(random: Random, shape: tuple[int, int, int], std: float) -> Array:
    """Independent N(0, std^2)."""
    drawn = random.standard_normal(shape)
    drawn *= std
    return drawn


def zeros(random: Random, shape: tuple[int, int, int], parameter: float) -> Array:
    """No input at all."""
    return np.zeros(shape)


def constant(random: Random, shape: tuple[int, int, int], value: float) -> Array:
    """The same value everywhere, at every step."""
    return np.full(shape, value)


def onehot(random: Random, shape: tuple[int, int, int], parameter: float) -> Array:
    """One unit of I is 1, drawn anew for every step and sequence: random symbols."""
    n, I, B = shape
    draw = random.integers if isinstance(random, np.random.Generator) else random.randint
    symbols = draw(0, I, size=(n, B))
    return (np.arange(I)[:, None] == symbols[:, None, :]).astype(float)


DRAWN: dict[str, Draw] = {
    "normal": normal,
    "zeros": zeros,
    "constant": constant,
    "onehot": onehot,
}
GIVEN: dict[str, type[Recording | Text]] = {"file": Recording, "text": Text}
INPUTS: dict[str, Any] = {**DRAWN, **GIVEN}


@dataclass(frozen=True)
class Inputs:
    """The inputs of an ensemble.

    given: sequences from a file, for the kinds of GIVEN. parameter: std for normal, the value for
    constant.
    """

    kind: str
    I: int
    B: int
    T: int
    parameter: float = 1.0
    given: Recording | Text | None = None

    def segment(self, members: list[Streams], t0: int, n: int, dtype: np.dtype) -> Array:
        """x_{t0+1} .. x_{t0+n}: (n, R, I, B). t0 is a multiple of BLOCK or the segment lies
        within one.
        """
        if self.given is not None:
            return self.given.segment(members, t0, n, dtype)
        x = np.empty((n, len(members), self.I, self.B), dtype)
        for block in range(t0 // BLOCK, -(-(t0 + n) // BLOCK)):
            start = block * BLOCK
            low, high = max(t0, start), min(t0 + n, start + BLOCK)
            for r, streams in enumerate(members):
                shape = (high - start, self.I, self.B)
                # not by a name: one member's are gone before the next one's are drawn
                x[low - t0 : high - t0, r] = DRAWN[self.kind](
                    streams.inputs(block), shape, self.parameter
                )[low - start :]
        return x

    def symbols(self, members: list[Streams], steps: Sequence[int], dtype: np.dtype) -> Array:
        """The class of the input after each of some steps: (m, R, B). Of one-hot inputs it is the
        unit that is 1.
        """
        if self.given is not None:
            return self.given.symbols(members, steps, dtype)
        return np.concatenate(
            [self.segment(members, t, 1, dtype).argmax(axis=-2) for t in steps], axis=0
        )
