"""The coordinator of a sweep: hands out tasks, keeps what comes back, survives dying workers.

A window of tasks is with the executor at a time, and a finished one is kept (on disk) before the
next is handed out. A dead worker breaks every future of a local pool; the pool is made anew, and
the tasks that were under way are tried again one at a time: the one to blame is then alone when it
kills again. It is recorded as failed, with how its worker ended, and the rest goes on. So is a task
that takes longer than it may: its worker is killed, and what others were doing is done again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass

from gradlab.errors import GradlabError
from gradlab.sweeps.execute import Executors, processes
from gradlab.sweeps.points import Task
from gradlab.sweeps.work import Finished, failure, work

LOOK = 5.0  # seconds between looks at an executor that returns nothing
DEATHS = 2  # workers that a task may kill, alone, before it is blamed


@dataclass(frozen=True)
class Event:
    """A task that is done, with how many of its points failed; or one that will be tried again."""

    task: Task
    failed: int = 0
    retry: str = ""  # why


class Coordinator:
    """Runs tasks on executors; `keep` stores what comes back before more is handed out."""

    def __init__(
        self,
        executors: Executors,
        keep: Callable[[Finished], None],
        job: Callable[[Task], Finished] = work,
        timeout: float | None = None,
    ) -> None:
        self.executors, self.keep, self.job, self.timeout = executors, keep, job, timeout
        self.waiting: deque[Task] = deque()
        self.suspects: deque[Task] = deque()
        self.running: dict[Future[Finished], Task] = {}
        self.begun: dict[str, float] = {}  # by task, with a timeout: none waits for a worker then
        self.deaths: dict[str, int] = {}

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Do the tasks, about in order; yields what happens. Closing it ends the workers."""
        self.waiting.extend(tasks)
        try:
            while self.waiting or self.suspects or self.running:
                intact = self._hand_out()
                done = self._wait() if intact else set()
                died: list[Task] = []
                for future in done:
                    task = self.running.pop(future)
                    finished = self._result(future, task)
                    if finished is None:
                        died.append(task)
                    else:
                        self.keep(finished)
                        yield Event(task, finished.failed)
                if died or not intact:
                    yield from self._recover([*died, *self.running.values()])
                elif late := self._late():
                    yield from self._end(late)
        finally:
            self.executors.stop()

    def _hand_out(self) -> bool:
        """Fill the window; suspects go alone. False when the pool turns out to be broken."""
        alone = bool(self.suspects)
        queue = self.suspects if alone else self.waiting
        window = (
            self.executors.window if self.timeout is None else max(processes(self.executors), 1)
        )
        while queue and len(self.running) < (1 if alone else window):
            task = queue.popleft()
            self.begun[task.id] = time.monotonic()
            try:
                self.running[self.executors.current().submit(self.job, task)] = task
            except BrokenExecutor:
                queue.appendleft(task)
                return False
        return True

    def _wait(self) -> set[Future[Finished]]:
        """The futures that are finished, at least one unless a task is late; looks now and then
        whether any can come.
        """
        while True:
            look = LOOK
            if self.timeout is not None:
                first = min(self.begun[task.id] for task in self.running.values())
                look = min(max(first + self.timeout - time.monotonic(), 0.0) + 0.01, LOOK)
            done = wait(self.running, timeout=look, return_when=FIRST_COMPLETED).done
            if done or self._late():
                return done
            self.executors.check()

    def _late(self) -> list[Task]:
        """The tasks under way that have taken longer than they may."""
        if self.timeout is None:
            return []
        latest = time.monotonic() - self.timeout
        under_way = [task for future, task in self.running.items() if not future.done()]
        return [task for task in under_way if self.begun[task.id] < latest]

    def _end(self, late: list[Task]) -> Iterator[Event]:
        """Kill the workers; the late tasks are failed, the others begin again."""
        self.executors.stop()
        others = [task for task in self.running.values() if task not in late]
        self.running.clear()
        self.waiting.extendleft(reversed(others))
        for task in late:
            finished = failure(task, f"timeout: its task took more than {self.timeout:g} s")
            self.keep(finished)
            yield Event(task, finished.failed)

    def _result(self, future: Future[Finished], task: Task) -> Finished | None:
        """What came back; None when the worker died; an error of the transport is a failed task."""
        try:
            return future.result()
        except BrokenExecutor:
            return None
        except CancelledError as error:
            raise GradlabError(
                "the executor has dropped its tasks: is the scheduler gone? What is done is kept; "
                "the same command again goes on from there",
                exit_code=1,
            ) from error
        except Exception as error:
            return failure(task, f"{type(error).__name__}: {error}")

    def _recover(self, died: list[Task]) -> Iterator[Event]:
        """Make a new pool; try what was under way again, or blame it."""
        how = self.executors.how_a_worker_ended()
        self.executors.stop()
        self.running.clear()
        for task in died:
            if len(died) == 1:
                self.deaths[task.id] = self.deaths.get(task.id, 0) + 1
            if self.deaths.get(task.id, 0) < DEATHS:
                self.suspects.append(task)
                yield Event(task, retry=how)
            else:
                finished = failure(task, how)
                self.keep(finished)
                yield Event(task, finished.failed)
