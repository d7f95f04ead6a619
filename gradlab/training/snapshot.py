"""A snapshot: a run of the engine with the weights of one update, on the same batch every time.

All that a run records is there: the curve over the steps, singular values, the split by lag,
saturation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gradlab.drawn import Drawing, Tensors
from gradlab.engine.loss import Read
from gradlab.ensemble import Names, compute
from gradlab.nonlinearity import Array
from gradlab.tasks.interface import PROBE
from gradlab.training.gradient import EMBEDDING, OUTPUT, answers, looked_up
from gradlab.training.state import State
from gradlab.training.update import Trainer

SHARED = ("lag_split_lag",)  # arrays of a run that have no members


class Probe(Drawing):
    """Members whose weights are those of a training, and whose batch is the task's probe."""

    def __init__(self, trainer: Trainer, state: State, r: range) -> None:
        super().__init__(trainer.members[r.start : r.stop])
        self.tensors = {name: a[r.start : r.stop] for name, a in state.tensors.items()}
        x, self.y = trainer.batch(PROBE, r)
        self.x = looked_up(x, self.tensors)
        self.first = trainer.start[r.start : r.stop]

    def weights(self, direction: int) -> Tensors:
        return {n: a[None] for n, a in self.tensors.items() if n not in (*OUTPUT, EMBEDDING)}

    def start(self, direction: int) -> Array:
        return self.first

    def read(self, h: Array) -> Read:
        found = answers(self.spec, h, self.tensors, self.y)
        return Read(found.value, found.dh, found.gradients)

    def inputs(self, direction: int, tick: Callable[[], None]) -> Callable[[int, int], Array]:
        return lambda t0, n: self.x[t0 : t0 + n]


def snapshot(trainer: Trainer, state: State) -> tuple[dict[str, Array], Names]:
    """The arrays of a run with the weights as they are now, (R, ...), and their names."""
    pieces: list[Mapping[str, Array]] = []
    names: Names = {}
    for start in range(0, len(trainer.members), trainer.chunk):
        r = range(start, min(start + trainer.chunk, len(trainer.members)))
        probe = Probe(trainer, state, r)
        found, names = compute(probe.members, trainer.every, lambda: None, probe)
        pieces.append(found)
    return {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}, names
