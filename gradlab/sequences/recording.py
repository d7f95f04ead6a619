"""Recordings: sequences of numbers as inputs, whole or in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.nonlinearity import Array
from gradlab.sequences.arrays import Held
from gradlab.sequences.pieces import Cut, Pieces


@dataclass(frozen=True)
class Recording:
    """Sequences from a file of numbers (npy, npz, csv).

    `start`: the first steps of the file's first B sequences, the same for every member. `random`:
    pieces that begin at places of each member's own (`pieces`).
    """

    held: Held  # (sequences, steps, inputs)
    B: int
    length: int  # steps that are used: T, and one more where the next input is the target
    cut: Cut

    @property
    def I(self) -> int:  # noqa: E743 - the number of inputs, as everywhere
        """Inputs of a step."""
        return int(self.held.array.shape[2])

    @property
    def classes(self) -> int:
        """How many classes the next step may be of, where its largest input tells its class."""
        return self.I

    @property
    def pieces(self) -> Pieces:
        """What may be cut from the file."""
        sequences, steps, _ = self.held.array.shape
        return Pieces(sequences, steps, self.length)

    def segment(self, members: Sequence[Streams], t0: int, n: int, dtype: np.dtype) -> Array:
        """x_{t0+1} .. x_{t0+n}: (n, R, I, B)."""
        array, R = self.held.array, len(members)
        if self.cut == "start":
            steps = array[: self.B, t0 : t0 + n].transpose(1, 2, 0).astype(dtype, order="C")
            return np.broadcast_to(steps[:, None], (n, R, self.I, self.B))
        x = np.empty((n, R, self.I, self.B), dtype)
        for r, member in enumerate(members):
            which, first = self.pieces.of(member, self.B)
            for b in range(self.B):  # one after the other: slices of a mapped file are not copied
                start = first[b] + t0
                x[:, r, :, b] = array[which[b], start : start + n]
        return x

    def symbols(self, members: Sequence[Streams], steps: Sequence[int], dtype: np.dtype) -> Array:
        """The number of the largest input after each of some steps: (m, R, B)."""
        return np.concatenate(
            [self.segment(members, t, 1, dtype).argmax(axis=-2) for t in steps], axis=0
        )
