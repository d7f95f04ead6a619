"""From a sweep to points, and from points to tasks: what is computed together, and under which
name.

A task is a group of points that share shapes, small enough for memory and for being lost when a
worker dies. Which points make a task depends on the sweep alone, neither on the machine nor on what
is done already, so a task's id names the same numbers on every machine and in every shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradlab.cells import find
from gradlab.errors import GradlabError
from gradlab.lessons.rows import COLUMNS
from gradlab.spec import Spec

if TYPE_CHECKING:
    from gradlab.config import Sweep

MOST_POINTS = 256  # of a task
WORK = 16e9  # operations of a task: a second or less on one core
MOST_NUMBERS = 8e6  # recorded by a task: 64 MB


@dataclass(frozen=True)
class Point:
    """One experiment of a sweep: place in the order, swept values, what is to be computed."""

    index: int
    values: dict[str, Any]
    spec: Spec

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the points of a task share."""
        return (*self.spec.shape, len(self.spec.seeds))


@dataclass(frozen=True)
class Task:
    """Points that are computed together; the id is made from their places and identities."""

    id: str
    points: tuple[Point, ...]


def points(sweep: Sweep, indices: Iterable[int] | None = None) -> Iterator[Point]:
    """The points (or some of them) in order, the last axis varying fastest.

    Raises GradlabError, naming the point, where one is invalid.
    """
    from gradlab.plan import settle  # a worker, which gets its tasks ready-made, needs no config

    for index in range(sweep.size) if indices is None else indices:
        config = sweep.config(index)
        try:
            _, spec = settle(config, alone=False)
        except GradlabError as error:
            raise sweep.about(index, error) from error
        yield Point(index, sweep.values(index), spec)


def tasks(every: Iterable[Point]) -> list[Task]:
    """Points grouped into tasks, in the order in which a task's first point comes."""
    groups: dict[tuple[Any, ...], list[list[Point]]] = {}
    order: list[list[Point]] = []
    for point in every:
        bunches = groups.setdefault(point.kind, [])
        if not bunches or len(bunches[-1]) >= _fitting(point.spec):
            bunches.append([])
            order.append(bunches[-1])
        bunches[-1].append(point)
    return [Task(_id(bunch), tuple(bunch)) for bunch in order]


def _fitting(spec: Spec) -> int:
    """How many points like this one make a task."""
    return max(1, int(min(MOST_POINTS, WORK / operations(spec), MOST_NUMBERS / numbers(spec))))


def operations(spec: Spec) -> float:
    """A rough count: three products a step and sequence, and the singular values of the recorded
    steps.
    """
    cell = find(spec.cell)
    D, G = len(cell.STATE) * spec.H, max(len(cell.GATES), 1) * spec.H
    products = 6.0 * G * (spec.H + spec.I) * spec.B * spec.T
    each = 20.0 * D**3 * spec.sequences
    spectra = each * (len(spec.rows) * ("step" in spec.spectra))
    spectra += 4 * each * spec.steps * (len(spec.spectra) - ("step" in spec.spectra))
    if spec.train is None:
        return len(spec.seeds) * (products + spectra)
    outputs = 6.0 * spec.outputs * spec.H * spec.B * len(spec.loss_steps)
    updates, snapshots = spec.train.updates, len(spec.train.snapshots)
    return len(spec.seeds) * (updates * (products + outputs) + snapshots * (products + spectra))


def numbers(spec: Spec) -> float:
    """How many numbers are recorded of a point."""
    columns = 16 + 3 * len(find(spec.cell).GATES) + spec.sequences * (spec.values + 1)
    recorded = float(len(spec.rows) * columns)
    if spec.train is not None:
        recorded = recorded * (1 + len(spec.train.snapshots)) + len(COLUMNS) * spec.train.updates
    return len(spec.seeds) * recorded


def _id(bunch: list[Point]) -> str:
    # with the index: one experiment may be written in two ways, and is then two rows
    text = " ".join(f"{point.index}:{point.spec.identity}" for point in bunch)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
