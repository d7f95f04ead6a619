"""`train(spec) -> Record`: a whole training, from the first weights to the record.

The record is that of a run with the last weights on the task's probe, and with it what was recorded
on the way: curves over the updates, and all snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gradlab.drawn import Member
from gradlab.ensemble import Names
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.runner import Progress, record_of
from gradlab.spec import Spec
from gradlab.training.snapshot import snapshot
from gradlab.training.state import State
from gradlab.training.update import Trainer

Arrays = dict[str, Array]


class Keeper(Protocol):
    """Where a training is kept while it goes on."""

    def found(self) -> State | None:
        """Where it was when it was interrupted; None where it has not begun."""

    def snapshot(self, update: int) -> tuple[Arrays, Names] | None:
        """One that was kept; None where there is none of this update."""

    def keep(self, state: State, arrays: Arrays, names: Names) -> None:
        """Keep the snapshot of this update, and after it the state to go on from."""


class InMemory:
    """Kept no longer than the process lives."""

    def __init__(self) -> None:
        self._snapshots: dict[int, tuple[Arrays, Names]] = {}

    def found(self) -> State | None:
        return None

    def snapshot(self, update: int) -> tuple[Arrays, Names] | None:
        return self._snapshots.get(update)

    def keep(self, state: State, arrays: Arrays, names: Names) -> None:
        self._snapshots[state.update] = arrays, names


@dataclass(frozen=True)
class Trained:
    """A finished training: the record, and what it would go on from."""

    record: Record
    state: State


def train(spec: Spec, keeper: Keeper, progress: Progress | None = None) -> Trained:
    """One experiment's training. progress is called with the share of the updates that are done."""
    trainer, state = _course([spec], keeper, progress)
    return Trained(_records([spec], trainer, state, keeper)[0], state)


def train_many(specs: Sequence[Spec], progress: Progress | None = None) -> list[Record]:
    """Experiments that share shapes (equal `Spec.shape`), side by side, kept in memory."""
    keeper = InMemory()
    trainer, state = _course(specs, keeper, progress)
    return _records(specs, trainer, state, keeper)


def _course(
    specs: Sequence[Spec], keeper: Keeper, progress: Progress | None
) -> tuple[Trainer, State]:
    """All updates; snapshots and states are kept on the way."""
    trainer = Trainer(
        [Member(i, spec, seed) for i, spec in enumerate(specs) for seed in spec.seeds]
    )
    state, wanted = keeper.found(), trainer.training.snapshots
    if state is None:
        state = trainer.begin()
        keeper.keep(state, *snapshot(trainer, state))
    while state.update < trainer.training.updates:
        if (state.stopped > 0).all():
            state.update = trainer.training.updates  # nothing changes any more
        else:
            trainer.update(state)
        if progress is not None:
            progress(state.update / trainer.training.updates)
        if state.update in wanted:
            keeper.keep(state, *snapshot(trainer, state))
    return trainer, state


def _records(specs: Sequence[Spec], trainer: Trainer, state: State, keeper: Keeper) -> list[Record]:
    """The record of each experiment."""
    wanted = trainer.training.snapshots
    last = keeper.snapshot(wanted[-1])
    assert last is not None
    arrays, names = last
    # once all seeds have stopped their weights are those of the last snapshot
    every = [keeper.snapshot(at) or last for at in wanted]
    whole = dict(arrays)
    whole |= {f"train_{name}": a for name, a in state.curves.items()}
    whole |= {"train_stopped": state.stopped, "train_steps": state.taken}
    whole |= {f"snapshot_{name}": np.stack([one[0][name] for one in every], 1) for name in arrays}
    records = []
    for index, spec in enumerate(specs):
        r = [k for k, member in enumerate(trainer.members) if member.index == index]
        own = {name: a[r[0] : r[-1] + 1] for name, a in whole.items()}
        own["snapshot_update"] = np.array(wanted, np.int64)
        records.append(record_of(spec, [own], names))
    return records
