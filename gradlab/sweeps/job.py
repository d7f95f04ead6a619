"""One sweep from its axes to a table: plan, run what is missing, collect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np

from gradlab import __version__
from gradlab.config import Sweep, dump_sweep
from gradlab.errors import GradlabError
from gradlab.files import reason, write_whole
from gradlab.footprint import check_room
from gradlab.nonlinearity import Array
from gradlab.provenance import provenance, same_minor
from gradlab.record import SCHEMA
from gradlab.report import sweep_page
from gradlab.report.sweep_table import Row, counts, table_text
from gradlab.sweeps.coordinate import Coordinator
from gradlab.sweeps.execute import Executors, processes
from gradlab.sweeps.points import Task, points, tasks
from gradlab.sweeps.store import (
    SweepFolder,
    begin,
    held,
    remove_leftovers,
    set_aside,
    write_task,
)
from gradlab.sweeps.taskfile import TaskFile

Say = Callable[[str], None]
Shard = tuple[int, int]  # I of N, from 1


@dataclass(frozen=True)
class Planned:
    """A sweep's tasks, and what identifies it."""

    sweep: Sweep
    tasks: tuple[Task, ...]
    description: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of points."""
        return sum(len(task.points) for task in self.tasks)


@dataclass(frozen=True)
class Order:
    """What the user asked for beside the sweep itself."""

    folder: SweepFolder
    executors: Executors
    shard: Shard | None = None
    force: bool = False
    draw: bool = True
    timeout: float | None = None  # seconds of a task
    command: Sequence[str] = ()


@dataclass
class Progress:
    """How far a sweep is. Counted in points; `before` were there when it was started."""

    total: int
    before: int = 0
    done: int = 0
    failed: int = 0


def plan(sweep: Sweep) -> Planned:
    """Settle every point. Raises GradlabError with all points that are invalid."""
    wrong = sweep.check()
    if wrong is not None:
        raise wrong
    every = tuple(tasks(points(sweep)))
    identity = hashlib.sha256(" ".join(task.id for task in every).encode()).hexdigest()
    base = _flat(every[0].points[0].spec.config)
    axes = {", ".join(axis.keys): [list(v) for v in axis.values] for axis in sweep.axes}
    description = {
        "schema": SCHEMA,
        "gradlab": __version__,
        "identity": identity,
        "points": sweep.size,
        "axes": axes,
        "base": {
            key: value
            for key, value in base.items()
            if not any(f"{key}.".startswith(f"{swept}.") for swept in sweep.keys)
        },
    }
    return Planned(sweep, every, description)


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted keys."""
    out: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


def perform(planned: Planned, order: Order, say: Say) -> Generator[Progress, None, None]:
    """Run what is missing; yields the progress after every task. The table is made when all is
    there.

    Raises GradlabError when the folder is in use, holds something else, or cannot be written, and
    when a task would not fit in memory.
    """
    folder, started = order.folder, datetime.now(UTC)
    _check_memory(planned, processes(order.executors))
    _make(folder)
    with held(folder, order.shard):
        begin(folder, planned.description, dump_sweep(planned.sweep, folder.path), order.force)
        _tell_version(folder, say)
        if order.shard is None:
            remove_leftovers(folder)
        mine = [t for k, t in enumerate(planned.tasks) if _in(order.shard, k)]
        there = _sound(folder, mine, say)
        progress = Progress(sum(len(t.points) for t in mine))
        progress.before = progress.done = sum(len(t.points) for t in mine if t.id in there)
        progress.failed = sum(there.values())
        yield progress
        coordinator = Coordinator(
            order.executors,
            lambda finished: write_task(folder, finished.task, finished.data),
            timeout=order.timeout,
        )
        for event in coordinator.run(t for t in mine if t.id not in there):
            if event.retry:
                say(f"{event.retry}; its task is tried again")
                continue
            progress.done += len(event.task.points)
            progress.failed += event.failed
            yield progress
        if {t.id for t in planned.tasks} <= folder.done():
            collect(planned, order, started)


def _check_memory(planned: Planned, at_a_time: int) -> None:
    """Raises GradlabError, naming a point, where its task would not fit in memory."""
    for task in planned.tasks if at_a_time else ():
        together = min(at_a_time, len(planned.tasks))
        try:
            check_room([point.spec for point in task.points], together)
        except GradlabError as error:
            raise planned.sweep.about(task.points[0].index, error) from error


def _tell_version(folder: SweepFolder, say: Say) -> None:
    """Points that another minor version computed are kept, and it is said."""
    there = str(folder.read_description()["gradlab"])
    if not same_minor(there, __version__):
        say(
            f"begun with gradlab {there}, this is {__version__}: "
            "what is there is kept; --force starts over"
        )


def _make(folder: SweepFolder) -> None:
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradlabError(f"cannot write to {str(folder.path)!r}: {reason(error)}") from error


def _in(shard: Shard | None, index: int) -> bool:
    return shard is None or index % shard[1] == shard[0] - 1


def _sound(folder: SweepFolder, mine: Sequence[Task], say: Say) -> dict[str, int]:
    """The tasks whose files are there and whole, with how many of their points failed.

    What is torn or foreign is set aside.
    """
    done, sound = folder.done(), {}
    for task in mine:
        if task.id not in done:
            continue
        try:
            file = TaskFile(folder.task(task.id))
            file.expect([point.spec.identity for point in task.points])
        except GradlabError as error:
            say(f"{error}; it is set aside and computed again")
            set_aside(folder, task.id)
        else:
            sound[task.id] = sum(point.failed is not None for point in file.points)
    return sound


def collect(planned: Planned, order: Order, started: datetime) -> None:
    """Make table.csv, summary.json, figures and the report from the tasks' files."""
    rows: list[Row] = []
    values = {p.index: p.values for task in planned.tasks for p in task.points}
    for task in planned.tasks:
        file = TaskFile(order.folder.task(task.id))
        rows += [Row(p.index, values[p.index], p.summary, p.failed) for p in file.points]
    rows.sort(key=lambda row: row.index)
    folder = order.folder
    write_whole(folder.table, table_text(planned.sweep.keys, rows))
    origin = provenance(order.command, started, planned.sweep.source.path, folder.path)
    write_whole(folder.provenance, json.dumps(origin, indent=2) + "\n")
    figures = planned.sweep.config(0).figures
    formats = figures.formats if order.draw else ()
    axes = [(axis.keys, axis.values) for axis in planned.sweep.axes]
    page = sweep_page.write(folder.path, axes, rows, Curves(folder, planned), formats, figures.dpi)
    write_whole(folder.report, page)
    head = {"schema": SCHEMA, "gradlab": __version__, "identity": planned.description["identity"]}
    lines = {"headline": sweep_page.headline(axes, rows)}
    write_whole(folder.summary, json.dumps(head | counts(rows) | lines, indent=2) + "\n")


class Curves:
    """The per-step curves of a sweep's points, read when a figure asks for one.

    The last file is kept: a figure asks for the points of a task one after the other.
    """

    def __init__(self, folder: SweepFolder, planned: Planned) -> None:
        self.file_of = {
            p.index: folder.task(task.id) for task in planned.tasks for p in task.points
        }
        self.read = lru_cache(maxsize=1)(TaskFile)

    def __call__(self, index: int) -> tuple[Array, Array]:
        """t (N,) and the median over seeds of log10 ||dL/dh_t|| (N,) of one point."""
        record = self.read(self.file_of[index]).record(index)
        return record["t"], np.median(record["log10_grad_norm_h"], axis=0)
