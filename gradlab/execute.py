"""Executors: where tasks run. All have the interface of concurrent.futures.Executor.

`serial` runs a task when it is submitted. `processes` has one BLAS thread in each worker, since
workers and BLAS threads together are slower than either. `dask://HOST:PORT` is a cluster (optional
extra).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
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


class Processes:
    """Local worker processes, started afresh so that each reads its number of BLAS threads."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.window = jobs, 2 * jobs
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[Any] = set()

    def current(self) -> Executor:
        """The pool."""
        if self._pool is None:
            for name in BLAS_THREADS:
                os.environ[name] = "1"
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.jobs, context, _leave_signals_to_the_coordinator)
        self._workers.update(multiprocessing.active_children())
        return self._pool

    def stop(self) -> None:
        """Kill the workers."""
        if self._pool is None:
            return
        for worker in multiprocessing.active_children():
            worker.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
        self._workers.clear()

    def check(self) -> None:
        """A dead worker breaks the pool, which the futures tell."""

    def how_a_worker_ended(self) -> str:
        """Exit code or signal of the worker that broke the pool (it ends the others by SIGTERM)."""
        self._workers.update(multiprocessing.active_children())
        for worker in self._workers:
            worker.join(timeout=1)
        codes = [worker.exitcode for worker in self._workers if worker.exitcode]
        code = next((code for code in codes if code != -signal.SIGTERM), None)
        if code is None:
            return "its worker process died"
        if code < 0:
            return f"its worker process died (signal {-code}, {signal.Signals(-code).name})"
        return f"its worker process died (exit code {code})"


def _leave_signals_to_the_coordinator() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
