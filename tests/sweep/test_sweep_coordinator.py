"""The coordinator, with an executor that does what the test says and nothing by chance.

- tasks are handed out in order, at most a window of them at a time
- what comes back is kept before anything more is handed out, and only then reported
- an error in a task, whatever its kind, is a failed task with its reason; the others go on
- when a worker dies, everything under way is tried again, one at a time; who kills alone twice is
  recorded as failed with how the worker ended; the innocent are done, and kept once each
- a pool that is found broken when a task is handed out loses no task
- an executor that cancels, or says that nothing will come any more, ends the sweep with exit code 1
- however a run ends, the executor is stopped, and nothing is handed out after that
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

import numpy as np
import pytest
from sweeping import planned, scales

from gradlab.errors import GradlabError
from gradlab.sweeps.coordinate import DEATHS, Coordinator, Event
from gradlab.sweeps.execute import Serial
from gradlab.sweeps.points import Task
from gradlab.sweeps.work import Finished, work

HOW = "its worker process died (signal 9, SIGKILL)"


class Hold(Exception):  # noqa: N818
    """A task that is under way until its pool breaks."""


class Kill(Exception):  # noqa: N818
    """A task that kills its worker, and with it the pool."""


class Pool(Executor):
    """Answers a submission at once, as `script(task)` says; a kill breaks all that is held."""

    def __init__(self, script: Callable[[Task], Finished], log: list[tuple[str, str]]) -> None:
        self.script, self.log = script, log
        self.held: list[Future[Any]] = []
        self.broken = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of a task. BrokenExecutor once the pool is broken, as the library does."""
        (task,) = args
        if self.broken:
            raise BrokenExecutor("broken")
        self.log.append(("submit", task.id))
        future: Future[Any] = Future()
        try:
            future.set_result(self.script(task))
        except Hold:
            self.held.append(future)
        except Kill:
            self.broken = True
            for each in (*self.held, future):
                each.set_exception(BrokenExecutor("a worker died"))
        except BaseException as error:
            future.set_exception(error)
        return future


class Fake:
    """Executors made of such pools; counts how often it is stopped."""

    def __init__(self, script: Callable[[Task], Finished], window: int = 1) -> None:
        self.script, self.window = script, window
        self.log: list[tuple[str, str]] = []
        self.pool: Pool | None = None
        self.pools = self.stopped = 0
        self.trouble: GradlabError | None = None

    def current(self) -> Executor:
        """The pool, a new one after a stop."""
        if self.pool is None:
            self.pool = Pool(self.script, self.log)
            self.pools += 1
        return self.pool

    def stop(self) -> None:
        """Forget the pool."""
        self.pool = None
        self.stopped += 1
        self.log.append(("stop", ""))

    def check(self) -> None:
        """Raise the trouble that the test has set."""
        if self.trouble is not None:
            raise self.trouble

    def how_a_worker_ended(self) -> str:
        """Always by a kill."""
        return HOW


class Run:
    """A coordinator with its executors, what it kept and the events."""

    def __init__(self, executors: Any, tasks: tuple[Task, ...]) -> None:
        self.executors, self.kept = executors, []
        self.events: list[Event] = []
        self.coordinator = Coordinator(executors, self._keep)
        self.running = self.coordinator.run(tasks)

    def _keep(self, finished: Finished) -> None:
        self.kept.append(finished)
        if isinstance(self.executors, Fake):
            self.executors.log.append(("keep", finished.task))

    def to_the_end(self) -> Run:
        """Take all events; each that is about an end must come after its task was kept."""
        for event in self.running:
            if not event.retry:
                assert self.kept[-1].task == event.task.id
            self.events.append(event)
        return self


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.sweeps.coordinate.LOOK", 0.01)


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Task, ...]]:
    """Eight tasks of one point each."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    return planned(scales(8)).tasks


def done(task: Task) -> Finished:
    """The result of a task that went well."""
    return Finished(task.id, b"", len(task.points), 0)


def reasons(finished: Finished) -> list[str | None]:
    """Why each point of a finished task failed."""
    with np.load(io.BytesIO(finished.data), allow_pickle=False) as file:
        points = json.loads(str(file["metadata"]))["points"]
    return [point.get("failed") for point in points]


def test_tasks_go_in_order_one_at_a_time(single: tuple[Task, ...]) -> None:
    run = Run(Fake(done), single).to_the_end()
    expected = [(what, task.id) for task in single for what in ("submit", "keep")]
    assert run.executors.log == [*expected, ("stop", "")]
    assert run.events == [Event(task) for task in single]


@pytest.mark.parametrize("window", [2, 3, 8, 20])
def test_no_more_than_a_window_is_under_way_and_it_is_filled_in_order(
    window: int, single: tuple[Task, ...]
) -> None:
    run = Run(Fake(done, window), single).to_the_end()
    log = run.executors.log
    assert [task for what, task in log if what == "submit"] == [task.id for task in single]
    under_way, most = 0, 0
    for what, _ in log:
        under_way += {"submit": 1, "keep": -1, "stop": 0}[what]
        most = max(most, under_way)
    assert (under_way, most) == (0, min(window, len(single)))
    assert sorted(f.task for f in run.kept) == sorted(task.id for task in single)


def test_nothing_is_handed_out_before_what_came_back_is_kept(single: tuple[Task, ...]) -> None:
    """Of a window of three, all come back at once: three keeps follow before the next submit."""
    log = Run(Fake(done, 3), single).to_the_end().executors.log
    kinds = [what for what, _ in log]
    three = ["submit"] * 3 + ["keep"] * 3
    assert kinds == [*three, *three, "submit", "submit", "keep", "keep", "stop"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such thing"), "ValueError: no such thing"),
        (TypeError("cannot pickle '_thread.lock' object"), "TypeError: cannot pickle '_thread"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("line one\nline two"), "RuntimeError: line one"),
    ],
)
def test_an_error_is_a_failed_task_and_the_others_go_on(
    error: Exception, reason: str, single: tuple[Task, ...]
) -> None:
    def script(task: Task) -> Finished:
        if task == single[3]:
            raise error
        return done(task)

    run = Run(Fake(script, 2), single).to_the_end()
    assert [event.failed for event in run.events] == [int(e.task == single[3]) for e in run.events]
    (failed,) = [f for f in run.kept if f.failed]
    assert (failed.task, failed.points) == (single[3].id, 1)
    assert reasons(failed)[0].startswith(reason)
    assert len(run.kept) == len(single)


def test_every_point_of_a_task_that_cannot_be_computed_gets_the_reason() -> None:
    (task,) = planned(scales(5)).tasks

    def script(task: Task) -> Finished:
        raise OSError("the pipe is gone")

    run = Run(Fake(script), (task,)).to_the_end()
    assert run.events == [Event(task, failed=5)]
    assert reasons(run.kept[0]) == ["OSError: the pipe is gone"] * 5


@pytest.mark.parametrize("poison", range(8))
@pytest.mark.parametrize("window", [1, 2, 4, 8])
def test_the_task_that_kills_is_found_among_those_under_way(
    window: int, poison: int, single: tuple[Task, ...]
) -> None:
    """Tasks before the poison in its window are held and die with it, so all are suspects."""
    guilty = single[poison]
    suspected: set[str] = set()

    def script(task: Task) -> Finished:
        if task == guilty:
            suspected.update(t.id for t in single)
            raise Kill
        if task.id not in suspected and poison - poison % window <= single.index(task) < poison:
            raise Hold
        return done(task)

    run = Run(Fake(script, window), single).to_the_end()
    ended = [event for event in run.events if not event.retry]
    assert sorted(f.task for f in run.kept) == sorted(task.id for task in single)
    assert [event.task for event in ended if event.failed] == [guilty]
    (failed,) = [f for f in run.kept if f.failed]
    assert reasons(failed) == [HOW]
    assert {event.retry for event in run.events} == {"", HOW}
    tries = [task for what, task in run.executors.log if what == "submit"].count(guilty.id)
    in_company = poison % window > 0
    assert tries == DEATHS + in_company
    for task in single:
        if task != guilty:  # once more for those that died with it
            again = [event for event in run.events if event.retry and event.task == task]
            assert len(again) <= 1


def test_suspects_are_alone_until_the_last_of_them_is_cleared(single: tuple[Task, ...]) -> None:
    """Three die together, once; each is then tried while nothing else is under way."""
    first = True

    def script(task: Task) -> Finished:
        nonlocal first
        if first and task in single[:2]:
            raise Hold
        if first and task == single[2]:
            first = False
            raise Kill
        return done(task)

    run = Run(Fake(script, 3), single).to_the_end()
    log = run.executors.log
    after = log[log.index(("stop", "")) + 1 :]
    assert [what for what, _ in after[:6]] == ["submit", "keep"] * 3
    assert {task for _, task in after[:6]} == {task.id for task in single[:3]}
    assert [what for what, _ in after[6:9]] == ["submit"] * 3  # the window is used again
    assert not any(finished.failed for finished in run.kept)
    assert [event.retry for event in run.events if event.task in single[:3]].count(HOW) == 3


def test_one_death_does_not_condemn(single: tuple[Task, ...]) -> None:
    deaths = {single[1].id: DEATHS - 1, single[5].id: DEATHS - 1}

    def script(task: Task) -> Finished:
        if deaths.get(task.id, 0):
            deaths[task.id] -= 1
            raise Kill
        return done(task)

    run = Run(Fake(script), single).to_the_end()
    assert sorted(f.task for f in run.kept) == sorted(task.id for task in single)
    assert not any(f.failed for f in run.kept)
    assert [e.task for e in run.events if e.retry] == [single[1], single[5]]


def test_two_poisons_in_one_window_are_both_found(single: tuple[Task, ...]) -> None:
    def script(task: Task) -> Finished:
        if task in (single[2], single[3]):
            raise Kill
        return done(task)

    run = Run(Fake(script, 4), single).to_the_end()
    assert sorted(f.task for f in run.kept) == sorted(task.id for task in single)
    assert {f.task for f in run.kept if f.failed} == {single[2].id, single[3].id}


def test_a_pool_found_broken_with_nothing_under_way_loses_nothing(
    single: tuple[Task, ...],
) -> None:
    """An idle worker was killed: the next task cannot be handed out, and nobody is to blame."""
    executors = Fake(done)
    run = Run(executors, single)
    assert next(run.running).task == single[0]
    assert executors.pool is not None
    executors.pool.broken = True
    run.to_the_end()
    assert [f.task for f in run.kept] == [task.id for task in single]
    assert not any(f.failed for f in run.kept)
    assert not any(event.retry for event in run.events)
    assert executors.pools == 2


def test_a_cancelled_task_ends_the_sweep(single: tuple[Task, ...]) -> None:
    def script(task: Task) -> Finished:
        if task == single[2]:
            raise CancelledError
        return done(task)

    run = Run(Fake(script), single)
    with pytest.raises(GradlabError, match="the same command again goes on from there") as caught:
        run.to_the_end()
    assert caught.value.exit_code == 1
    assert [f.task for f in run.kept] == [task.id for task in single[:2]]
    assert run.executors.stopped == 1


def test_an_executor_that_gives_up_ends_the_sweep(single: tuple[Task, ...]) -> None:
    def script(task: Task) -> Finished:
        if task == single[1]:
            raise Hold
        return done(task)

    executors = Fake(script)
    run = Run(executors, single)
    next(run.running)
    executors.trouble = GradlabError("no workers", exit_code=1)
    with pytest.raises(GradlabError, match="no workers"):
        run.to_the_end()
    assert executors.stopped == 1
    assert len(run.kept) == 1


def test_closing_the_run_stops_the_executor_and_nothing_is_handed_out_after(
    single: tuple[Task, ...],
) -> None:
    run = Run(Fake(done), single)
    next(run.running)
    run.running.close()
    assert run.executors.log == [("submit", single[0].id), ("keep", single[0].id), ("stop", "")]


@pytest.mark.parametrize("error", [GradlabError("disk full", exit_code=1), KeyboardInterrupt()])
def test_when_keeping_fails_the_executor_is_stopped(
    error: BaseException, single: tuple[Task, ...]
) -> None:
    executors = Fake(done, 2)

    def keep(finished: Finished) -> None:
        raise error

    with pytest.raises(type(error)):
        list(Coordinator(executors, keep).run(single))
    assert [what for what, _ in executors.log] == ["submit", "submit", "stop"]


def test_no_tasks_are_no_events(single: tuple[Task, ...]) -> None:
    run = Run(Fake(done), ()).to_the_end()
    assert (run.events, run.kept, run.executors.stopped) == ([], [], 1)


def test_serial_is_such_an_executor(single: tuple[Task, ...]) -> None:
    run = Run(Serial(), single).to_the_end()
    assert [f.task for f in run.kept] == [task.id for task in single]
    assert run.kept[0].data == work(single[0]).data
    assert run.kept[0].failed == 0


def test_serial_lets_an_interrupt_through(single: tuple[Task, ...]) -> None:
    def interrupted(task: Task) -> Finished:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Coordinator(Serial(), lambda finished: None, interrupted).run(single))
