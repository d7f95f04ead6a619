"""Jobs that misbehave, for worker processes: importable there, and picklable."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from gradlab.sweeps.points import Task
from gradlab.sweeps.work import Finished, work


def slowly(seconds: float, task: Task) -> Finished:
    """The real work, after a while."""
    time.sleep(seconds)
    return work(task)


def wayward(options: dict[str, Any], task: Task) -> Finished:
    """The real work, but slower, or deadly, for some weight scales.

    seconds: how much slower; slow: for which scales (all, when absent); killed: which scales kill
    their worker; watched: a folder of finished tasks: it is an error to compute one of them again.
    """
    scales = {point.spec.weight_scale for point in task.points}
    watched = options.get("watched")
    if watched and (Path(watched) / f"{task.id}.npz").exists():
        (Path(watched).parent / f"TWICE-{task.id}").touch()
    if scales & {*options.get("killed", [])}:
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" not in options or scales & {*options["slow"]}:
        time.sleep(options.get("seconds", 0.0))
    return work(task)


def noting(folder: Path, task: Task) -> Finished:
    """The real work; leaves the worker's process id and numbers of BLAS threads in the folder."""
    from gradlab.threads import NAMES

    note = folder / str(os.getpid())
    note.write_text(" ".join(os.environ.get(name, "unset") for name in NAMES))
    time.sleep(0.1)
    return work(task)


def killed_once(marker: Path, guilty: tuple[str, ...], task: Task) -> Finished:
    """The real work, but guilty tasks kill their worker when they are tried for the first time."""
    if task.id in guilty and not (marker / task.id).exists():
        (marker / task.id).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(task)


def killed_always(number: int, guilty: tuple[float, ...], task: Task) -> Finished:
    """The real work, but tasks with a guilty weight scale kill their worker, by a signal."""
    if any(point.spec.weight_scale in guilty for point in task.points):
        os.kill(os.getpid(), number)
    return work(task)


def exiting(code: int, guilty: tuple[float, ...], task: Task) -> Finished:
    """The real work, but tasks with a guilty weight scale end their worker without a word."""
    if any(point.spec.weight_scale in guilty for point in task.points):
        os._exit(code)
    return work(task)


class NeedsTwoError(Exception):
    """Can be pickled, but not read again: its constructor needs more than it passes on."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


class HoldsLockError(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


def raising(kind: str, guilty: tuple[float, ...], task: Task) -> Any:
    """The real work, but tasks with a guilty weight scale raise, or return, what cannot be sent."""
    if any(point.spec.weight_scale in guilty for point in task.points):
        if kind == "plain":
            raise ValueError("no such thing")
        if kind == "unpicklable exception":
            raise HoldsLockError
        if kind == "unreadable exception":
            raise NeedsTwoError("one", "two")
        return threading.Lock()
    return work(task)


def main() -> NoReturn:
    """`python sweepjobs.py OPTIONS gradlab-arguments`: gradlab with a wayward job.

    OPTIONS is JSON: those of `wayward`, and `most`, the most points of a task.
    """
    from functools import partial

    from gradlab import cli
    from gradlab.sweeps import job as sweepjob
    from gradlab.sweeps import points
    from gradlab.sweeps.coordinate import Coordinator

    options, *arguments = sys.argv[1:]
    wanted = json.loads(options)
    points.MOST_POINTS = wanted.pop("most", 1)
    job = partial(sys.modules["sweepjobs"].wayward, wanted)
    sweepjob.Coordinator = partial(Coordinator, job=job)  # type: ignore[assignment, misc]
    sys.argv = ["gradlab", *arguments]
    cli.main()
    raise SystemExit


if __name__ == "__main__":
    import sweepjobs  # the workers know the jobs by this name

    sweepjobs.main()


def loaded(module: str, names: tuple[str, ...]) -> list[str]:
    """Which modules are there once one of them is."""
    importlib.import_module(module)
    return [name for name in names if name in sys.modules]
