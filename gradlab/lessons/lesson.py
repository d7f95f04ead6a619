"""The training of one experiment in plain numbers: what `gradlab.spec.Spec` holds of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from gradlab.lessons.optimizers import Optimizer
from gradlab.tasks.interface import Task


class Stop(NamedTuple):
    """What ends a seed's training: means over the last `over` updates."""

    loss: float | None
    accuracy: float | None
    over: int


@dataclass(frozen=True)
class Training:
    """What is learned, and how."""

    kind: str  # of the task, a key of TASKS
    task: Task
    updates: int
    optimizer: Optimizer
    learning_rate: float
    every: int  # updates between snapshots
    stop: Stop | None
    nonfinite: str  # skip, stop
    output_scale: float
    told: tuple[Any, ...]  # what tells tasks apart: the options as they are in the config

    @property
    def shape(self) -> tuple[Any, ...]:
        """What trainings must share to go on side by side."""
        return (self.kind, self.told, self.updates, self.optimizer, self.every)

    @property
    def snapshots(self) -> tuple[int, ...]:
        """The updates after which snapshots are taken; 0 is before the first."""
        return (*range(0, self.updates, self.every), self.updates)
