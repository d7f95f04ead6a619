"""What a worker does: compute the points of a task and hand back the bytes of its file.

Nothing is written here, and nothing but text and bytes comes back, so a result can always be sent.
A point that fails is recorded with its reason; the others go on.
"""

from __future__ import annotations

import io
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab import __version__
from gradlab.archive import save
from gradlab.precision import run_many
from gradlab.record import SCHEMA, Record
from gradlab.spec import Spec
from gradlab.sweeps.points import Point, Task


@dataclass(frozen=True)
class Finished:
    """A task's file as bytes, and how many of its points failed."""

    task: str
    data: bytes
    points: int
    failed: int


@dataclass(frozen=True)
class Failure:
    """Why a point failed: in one line, and the traceback where there was one."""

    reason: str
    traceback: str | None = None


def work(task: Task) -> Finished:
    """Compute a task. Where the points cannot be computed together, each is tried alone."""
    specs = [point.spec for point in task.points]
    try:
        records: list[Record | Failure] = list(computed(specs))
    except Exception:
        records = [_alone(point) for point in task.points]
    return pack(task, records)


def computed(specs: Sequence[Spec]) -> list[Record]:
    """The records of experiments that share shapes: trained where they are trainings."""
    if specs[0].train is None:
        return run_many(specs)
    from gradlab.training.course import train_many  # loaded for one: a worker starts sooner

    return train_many(specs)


def failure(task: Task, reason: str) -> Finished:
    """The result of a task that could not be computed: every point failed for this reason."""
    return pack(task, [Failure(reason)] * len(task.points))


def _alone(point: Point) -> Record | Failure:
    try:
        return computed([point.spec])[0]
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return Failure(reason, "".join(traceback.format_exception(error)))


def pack(task: Task, records: Sequence[Record | Failure]) -> Finished:
    """The task's npz file: arrays with the finished points in front, metadata as JSON inside."""
    done = [record for record in records if isinstance(record, Record)]
    entries: list[dict[str, Any]] = []
    for point, record in zip(task.points, records, strict=True):
        entry: dict[str, Any] = {"index": point.index, "identity": point.spec.identity}
        if isinstance(record, Record):
            entry |= {"summary": record.summary, "config": record.config}
        else:
            entry |= {"failed": record.reason, "traceback": record.traceback}
        entries.append(entry)
    metadata = {
        "schema": SCHEMA,
        "version": __version__,
        "task": task.id,
        "names": done[0].names if done else {},
        "points": entries,
    }
    arrays: dict[str, Any] = {
        name: np.stack([record.arrays[name] for record in done])
        for name in (done[0].arrays if done else ())
    }
    buffer = io.BytesIO()
    save(buffer, metadata, arrays)
    return Finished(task.id, buffer.getvalue(), len(records), len(records) - len(done))
