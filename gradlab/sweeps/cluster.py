"""A Dask cluster as an executor: the optional extra `dask`.

What gradlab adds to Dask's own executor: identical tasks are not merged; a scheduler that is gone,
or one without workers for a while, is an error that says how to go on, where Dask would wait for
ever.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Executor
from typing import Any

import numpy as np

from gradlab import __version__
from gradlab.errors import GradlabError

CONNECT = 10.0  # seconds to find the scheduler
PATIENCE = 60.0  # seconds without any worker before the sweep gives up
WINDOW = 4  # tasks for each thread of the workers at a time


class Cluster:
    """Executors for `dask://HOST:PORT`. Raises GradlabError when there is no scheduler."""

    def __init__(self, address: str, patience: float = PATIENCE) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise GradlabError(
                "--executor dask:// needs the extra: pip install 'gradlab-rnn[dask]'"
            ) from error
        try:
            self.client: Any = Client(f"tcp://{address}", timeout=CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise GradlabError(f"there is no Dask scheduler at {address!r}: {error}") from error
        for handler in logging.getLogger("distributed").handlers:
            handler.setLevel(logging.CRITICAL)  # what matters is told by an error of ours
        self.address, self.patience = address, patience
        self._executor: Executor | None = None
        self._seen = time.monotonic()  # when there was a worker, last

    @property
    def window(self) -> int:
        """A few tasks for each thread that there is now."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return WINDOW * max(1, sum(worker["nthreads"] for worker in workers))

    def current(self) -> Executor:
        """Dask's executor; identical submissions are not merged."""
        if self._executor is None:
            self._same_versions()
            self._executor = self.client.get_executor(pure=False)
        return self._executor

    def _same_versions(self) -> None:
        """Raise GradlabError unless every worker computes with our gradlab and numpy."""
        here = versions()
        for worker, there in self.client.run(versions, on_error="return").items():
            if there != here:
                raise GradlabError(
                    f"the worker {worker} has {there}, this is {here}: "
                    "install the same versions of gradlab and numpy everywhere"
                )

    def stop(self) -> None:
        """Drop what is under way and leave the cluster to itself."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)  # cancels what is under way
        self.client.close(timeout=2)

    def check(self) -> None:
        """Raise GradlabError when there has been no worker for a while."""
        if self.client.scheduler_info(n_workers=-1)["workers"]:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self.patience:
            raise GradlabError(
                f"the Dask scheduler at {self.address!r} has no workers; start some and run the "
                "same command again: it goes on from what is done",
                exit_code=1,
            )

    def how_a_worker_ended(self) -> str:
        """Dask reruns the tasks of a dead worker by itself."""
        return "its Dask worker died"


def versions() -> str:
    """What decides the digits; asked of every worker."""
    return f"gradlab {__version__}, numpy {np.__version__}"
