"""Inputs x_t: what each kind draws for a block of steps, and the segments that the engine asks for.

A long run does not hold all its inputs: they are drawn by blocks of BLOCK steps, each block of each
member from its own stream, so that any segment can be had again. Within a block the steps are drawn
in order, so a shorter sequence sees the first steps of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Random, Streams
from gradlab.nonlinearity import Array

BLOCK = 256

Draw = Callable[[Random, tuple[int, int, int], float], Array]  # (random, (n, I, B), parameter)


def normal(random: Random, shape: tuple[int, int, int], std: float) -> Array:
    """Independent N(0, std^2)."""
    return random.standard_normal(shape) * std


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


def file(random: Random, shape: tuple[int, int, int], parameter: float) -> Array:
    """Sequences read from a file; they are in Inputs.given, nothing is drawn."""
    raise AssertionError("given sequences are not drawn")


INPUTS: dict[str, Draw] = {
    "normal": normal,
    "zeros": zeros,
    "constant": constant,
    "onehot": onehot,
    "file": file,
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of an ensemble.

    given: (T, I, B) sequences from a file, the same for every member, or None.
    parameter: std for normal, the value for constant.
    """

    kind: str
    I: int
    B: int
    T: int
    parameter: float = 1.0
    given: Array | None = None

    def segment(self, members: list[Streams], t0: int, n: int, dtype: np.dtype) -> Array:
        """x_{t0+1} .. x_{t0+n}: (n, R, I, B). t0 is a multiple of BLOCK or the segment lies
        within one.
        """
        R = len(members)
        if self.given is not None:
            steps = self.given[t0 : t0 + n].astype(dtype, copy=False)
            return np.broadcast_to(steps[:, None], (n, R, self.I, self.B))
        x = np.empty((n, R, self.I, self.B), dtype)
        for block in range(t0 // BLOCK, -(-(t0 + n) // BLOCK)):
            start = block * BLOCK
            low, high = max(t0, start), min(t0 + n, start + BLOCK)
            for r, streams in enumerate(members):
                shape = (high - start, self.I, self.B)
                drawn = INPUTS[self.kind](streams.inputs(block), shape, self.parameter)
                x[low - t0 : high - t0, r] = drawn[low - start :]
        return x
