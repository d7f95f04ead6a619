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
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, Protocol, TypeVar

from gradlab.errors import GradlabError

T = TypeVar("T")

BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


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


class _Pool(ProcessPoolExecutor):
    """A pool whose workers start with one BLAS thread, and deaf to Ctrl-C from their first moment.

    Environment and signal mask are inherited, so both are set around the start of a worker alone.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As always; workers are started here."""
        before = {name: os.environ.get(name) for name in BLAS_THREADS}
        os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


class Processes:
    """Local worker processes, started afresh so that each reads its number of BLAS threads."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.window = jobs, 2 * jobs
        self._pool: _Pool | None = None
        self._strangers: set[Any] = set()  # child processes that are not our workers
        self._workers: set[Any] = set()

    def current(self) -> Executor:
        """The pool."""
        if self._pool is None:
            self._strangers = set(multiprocessing.active_children())
            context = multiprocessing.get_context("spawn")
            self._pool = _Pool(self.jobs, context, _end_with_the_coordinator)
        self._look()
        return self._pool

    def stop(self) -> None:
        """Kill the workers."""
        if self._pool is None:
            return
        self._look()
        for worker in self._workers:
            worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.join()
        self._pool = None
        self._workers.clear()

    def check(self) -> None:
        """A dead worker breaks the pool, which the futures tell."""

    def how_a_worker_ended(self) -> str:
        """Exit code or signal of the worker that broke the pool (it ends the others by SIGTERM)."""
        self._look()
        for worker in self._workers:
            worker.join(timeout=1)
        codes = [worker.exitcode for worker in self._workers if worker.exitcode]
        code = next((code for code in codes if code != -signal.SIGTERM), None)
        if code is None:
            return "its worker process died"
        if code < 0:
            return f"its worker process died (signal {-code}, {signal.Signals(-code).name})"
        return f"its worker process died (exit code {code})"

    def _look(self) -> None:
        """Remember the workers: how one ended is asked when it is gone."""
        self._workers.update(set(multiprocessing.active_children()) - self._strangers)


def _end_with_the_coordinator() -> None:
    """A worker whose coordinator was killed would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def executors(kind: str, jobs: int) -> Executors:
    """What `--executor` names: serial, processes, or dask://HOST:PORT. Raises GradlabError."""
    if kind == "serial" or (kind == "processes" and jobs == 1):
        return Serial()
    if kind == "processes":
        return Processes(jobs)
    if kind.startswith("dask://"):
        from gradlab.cluster import Cluster

        return Cluster(kind.removeprefix("dask://"))
    raise GradlabError(f"unknown executor {kind!r}; known: serial, processes, dask://HOST:PORT")
