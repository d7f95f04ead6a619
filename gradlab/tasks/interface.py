"""What training asks of a task: its sizes, where its loss looks, its batches.

A batch is drawn from the seed and the number of the update alone, so that a training that was
killed goes on with the very batches that it would have had. Updates count from 1; number 0 is the
probe, the batch on which all snapshots are taken.

Letters as everywhere: T steps, B sequences, I inputs, O outputs, m steps at which the loss looks.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from gradlab.draws import Streams
from gradlab.nonlinearity import Array

PROBE = 0


class Batch(NamedTuple):
    """One batch of one member."""

    x: Array  # (T, I, B) inputs; of a task with an embedding (T, B), the numbers of the symbols
    y: Array  # (m, O, B) numbers for mse; (m, B) the numbers of the classes for cross_entropy


class Task(Protocol):
    """The interface of a class in gradlab.tasks; a frozen dataclass of plain data."""

    @property
    def loss(self) -> str:
        """mse or cross_entropy: a mean over the sequences and the steps of the loss."""

    @property
    def inputs(self) -> int | None:
        """I; None: symbols, whose vectors of any width are learned (an embedding)."""

    @property
    def outputs(self) -> int:
        """O: numbers, or classes."""

    @property
    def steps(self) -> tuple[int, ...]:
        """Where the loss looks: m steps of 1 .. T, ascending."""

    @property
    def symbols(self) -> int:
        """Rows of the embedding; 0 for a task without one."""

    @property
    def baseline(self) -> float:
        """The loss of the best answer that does not look at the inputs, in nats or squares."""

    def batch(self, streams: Streams, update: int, B: int) -> Batch:
        """The batch of an update."""

    def carried(self, update: int) -> bool:
        """Whether the update begins with the state that the one before has ended with."""


class Independent:
    """What most tasks share: no embedding, and sequences that are drawn anew for every update."""

    @property
    def symbols(self) -> int:
        return 0

    def carried(self, update: int) -> bool:
        return False


def one_hot(symbols: Array, width: int) -> Array:
    """(T, width, B) from the numbers (T, B) of symbols."""
    return (np.arange(width)[:, None] == symbols[:, None, :]).astype(float)
