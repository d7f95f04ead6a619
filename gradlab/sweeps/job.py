"""One sweep from its plan to its table: run what is missing, collect."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gradlab import __version__
from gradlab.config import dump_sweep
from gradlab.errors import GradlabError
from gradlab.files import reason
from gradlab.footprint import check_room
from gradlab.provenance import same_minor
from gradlab.sweeps.collect import collect
from gradlab.sweeps.coordinate import Coordinator
from gradlab.sweeps.execute import Executors, processes
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.points import Task
from gradlab.sweeps.store import (
    SweepFolder,
    begin,
    held,
    remove_leftovers,
    set_aside,
    write_task,
)
from gradlab.sweeps.taskfile import TaskFile, TaskPoints

Say = Callable[[str], None]
Shard = tuple[int, int]  # I of N, from 1


@dataclass(frozen=True)
class Order:
    """What the user asked for beside the sweep itself."""

    folder: SweepFolder
    executors: Executors
    shard: Shard | None = None
    force: bool = False
    draw: bool = True
    timeout: float | None = None  # seconds of a task
    fail_fast: bool = False  # the first point that fails ends the sweep
    command: Sequence[str] = ()


@dataclass
class Progress:
    """How far a sweep is. Counted in points; `before` were there when it was started."""

    total: int
    before: int = 0
    done: int = 0
    failed: int = 0


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
            if event.failed and order.fail_fast:
                raise GradlabError(_first_failure(folder, event.task), exit_code=1)
        if {t.id for t in planned.tasks} <= folder.done():
            collect(planned, folder, started, order.draw, order.command)


def _first_failure(folder: SweepFolder, task: Task) -> str:
    """What ended a sweep that the first failure is to end."""
    reasons = [point.failed for point in TaskPoints(folder.task(task.id)).points if point.failed]
    return (
        f"a point failed, and --fail-fast ends the sweep: {reasons[0]}; what is done is kept: "
        "the same command without it goes on"
    )


def _check_memory(planned: Planned, at_a_time: int) -> None:
    """Raises GradlabError, naming a point, where its task would not fit in memory."""
    each: dict[tuple[Any, ...], Task] = {}  # one of those that take the same
    for task in planned.tasks:
        each.setdefault((task.points[0].kind, len(task.points)), task)
    for task in each.values() if at_a_time else ():
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
