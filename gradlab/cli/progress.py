"""On stderr while a command works: notes, and a bar on a terminal, or lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gradlab.sweeps.job import Progress as Done

PATIENCE = 0.5  # seconds before a bar is shown at all


def teller(quiet: bool) -> Callable[[str], None]:
    """What takes the lines that a user should know, and says them unless it is to be quiet."""

    def say(line: str) -> None:
        if not quiet:
            typer.echo(f"gradlab: {line}", err=True)

    return say


@contextmanager
def notes(shown: bool) -> Iterator[None]:
    """With -v, while the block runs: what is noted by the way and is no warning."""
    if not shown:
        yield
        return
    import logging

    logger, handler = logging.getLogger("gradlab"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("gradlab: %(message)s"))
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def bar(title: str, shown: bool) -> Iterator[Callable[[float], None]]:
    """Yields a function that takes the share of the work that is done, 0 to 1."""
    if not (shown and sys.stderr.isatty()):
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    began = time.monotonic()
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(title, total=1.0)

    def update(share: float) -> None:
        if time.monotonic() - began > PATIENCE:
            progress.start()
            progress.update(task, completed=share)

    try:
        yield update
    finally:
        progress.stop()


@contextmanager
def sweep_display(shown: bool) -> Iterator[Callable[[Done], None]]:
    """Yields a function that shows how far a sweep is: points done, rate, time left, failures."""
    if not shown:
        yield lambda done: None
    elif sys.stderr.isatty():
        with _sweep_bar() as update:
            yield update
    else:
        yield _Lines()


@contextmanager
def _sweep_bar() -> Iterator[Callable[[Done], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} {task.fields[failed]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, rate="", failed="")

        def update(done: Done) -> None:
            rate = (done.done - done.before) / max(time.monotonic() - began, 1e-9)
            failed = f"{done.failed} failed" if done.failed else ""
            shown = f"{rate:.1f} points/s" if done.done > done.before else ""
            progress.update(task, total=done.total, completed=done.done, rate=shown, failed=failed)

        yield update


class _Lines:
    """A line for every task: [ 12/200] 3 failed, 00:01:10 elapsed, 00:17:30 left."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, done: Done) -> None:
        elapsed = time.monotonic() - self.began
        worked = done.done - done.before
        left = elapsed / worked * (done.total - done.done) if worked else None
        width = len(str(done.total))
        parts = [f"[{done.done:{width}}/{done.total}]", f"{done.failed} failed,"]
        parts += [f"{_clock(elapsed)} elapsed"] + ([f", {_clock(left)} left"] if left else [])
        typer.echo("gradlab: " + " ".join(parts).replace(" ,", ","), err=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
