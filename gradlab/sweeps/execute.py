"""Executors: where tasks run. All have the interface of concurrent.futures.Executor.

`serial` runs a task when it is submitted. `processes` has one BLAS thread in each worker, since
workers and BLAS threads together are slower than either. `dask://HOST:PORT` is a cluster (optional
extra).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, Protocol, TypeVar

from gradlab import threads
from gradlab.errors import GradlabError

T = TypeVar("T")


class Executors(Protocol):
    """An executor that can be replaced by a new one when it breaks."""

    @property
    def window(self) -> int:
        """How many tasks it should have at a time."""

    def current(self) -> Executor:
        """The executor, made when there is none."""

    def stop(self) -> None:
        """End the workers now, whatever they are doing: nothing that they hold is needed."""

    def check(self) -> None:
        """Raise GradlabError when nothing will come back any more."""

    def how_a_worker_ended(self) -> str:
        """Why the executor broke, in words."""


class Serial(Executor):
    """Runs a task in this process, when it is submitted."""

    window = 1

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """A finished future. KeyboardInterrupt and the like pass through."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def current(self) -> Executor:
        """Itself."""
        return self

    def stop(self) -> None:
        """There is nothing to stop."""

    def check(self) -> None:
        """It never keeps anyone waiting."""

    def how_a_worker_ended(self) -> str:
        """It cannot break."""
        return ""


class Processes:
    """Local worker processes, started afresh so that each reads its number of BLAS threads."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.window = jobs, 2 * jobs
        self._pool: ProcessPoolExecutor | None = None
        self._workers: list[_Worker] = []  # all that this pool has started

    def current(self) -> Executor:
        """The pool."""
        if self._pool is None:
            context = _Context()
            self._workers = context.workers
            self._pool = ProcessPoolExecutor(self.jobs, context, _end_with_the_coordinator)
        return self._pool

    def stop(self) -> None:
        """Kill the workers."""
        if self._pool is None:
            return
        for worker in self._workers:
            if worker.pid is not None:
                worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def check(self) -> None:
        """A dead worker breaks the pool, which the futures tell."""

    def how_a_worker_ended(self) -> str:
        """Exit code or signal of the worker that broke the pool (it ends the others by SIGTERM)."""
        end = time.monotonic() + 1
        while any(w.exitcode is None for w in self._workers) and time.monotonic() < end:
            time.sleep(0.01)  # the pool waits for them too: exit codes come, joins may be too late
        codes = [worker.exitcode for worker in self._workers if worker.exitcode]
        code = next((code for code in codes if code != -signal.SIGTERM), None)
        if code is None:
            return "its worker process died"
        if code < 0:
            return f"its worker process died (signal {-code}, {signal.Signals(-code).name})"
        return f"its worker process died (exit code {code})"


class _Worker(SpawnProcess):
    """A process that starts with one BLAS thread, and deaf to Ctrl-C from its first moment.

    Environment and signal mask are inherited, so both are set around the start alone.
    """

    def start(self) -> None:
        before = {name: os.environ.get(name) for name in threads.NAMES}
        with _undisturbed():
            os.environ.update(threads.ONE)
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                with _without_the_script():
                    super().start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value


class _Context(SpawnContext):
    """Makes such processes, and remembers them: how one ended is asked when it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[_Worker] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Worker:  # type: ignore[override]
        """A worker that is not started yet."""
        self.workers.append(_Worker(*args, **kwargs))
        return self.workers[-1]


@contextmanager
def _without_the_script() -> Iterator[None]:
    """A process that is started afresh runs the caller's script again, as a task might use its
    names. None does; it would load what only the script needs, and go round in circles where that
    calls `gradlab.sweep` outside of `if __name__ == "__main__"`.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that come meanwhile raise at the end: a worker that is half started would complain.

    A mask alone does not do it: another thread may take the signal, and Python raises here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for one in came:
            signal.raise_signal(one)


def _end_with_the_coordinator() -> None:
    """A worker whose coordinator was killed would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def processes(executors: Executors) -> int:
    """How many processes compute on this machine at a time; 0: they are elsewhere."""
    if isinstance(executors, Processes):
        return executors.jobs
    return 1 if isinstance(executors, Serial) else 0


def executors(kind: str, jobs: int, killable: bool = False) -> Executors:
    """What `--executor` names: serial, processes, or dask://HOST:PORT. Raises GradlabError.

    killable: a task may be ended while it runs, so even a single job is a process of its own.
    """
    if killable:
        if kind != "processes":
            raise GradlabError(f"--timeout ends worker processes; it is not for --executor {kind}")
        return Processes(jobs)
    if kind == "serial" or (kind == "processes" and jobs == 1):
        return Serial()
    if kind == "processes":
        return Processes(jobs)
    if kind.startswith("dask://"):
        from gradlab.sweeps.cluster import Cluster

        return Cluster(kind.removeprefix("dask://"))
    raise GradlabError(f"unknown executor {kind!r}; known: serial, processes, dask://HOST:PORT")
