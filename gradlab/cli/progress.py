"""A progress bar on stderr, on a terminal only, and only for what takes a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 0.5  # seconds before a bar is shown at all


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
