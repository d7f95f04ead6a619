"""Figures drawn by two processes at once: half of them here, half in a child of this process.

A figure takes some 70 ms of one core, and a run has about eight. The child begins with all that is
loaded here; it writes its files, and nothing comes back but whether all went well. What did not go
well is done again here, where it is told as if there had been no child.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


def all_done(do: Callable[[str], None], names: Sequence[str]) -> None:
    """Call do with every name. do leaves files and nothing else. Raises what it raises."""
    here, there = (names[0::2], names[1::2]) if may_fork() else (names, ())
    child = os.fork() if there else None
    if child == 0:
        _work(do, there)
    try:
        for name in here:
            do(name)
        if child is not None:
            _, status = os.waitpid(child, 0)
            child = None
            for name in there if status else ():
                do(name)
    finally:
        if child is not None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def may_fork() -> bool:
    """Whether there is a second core, and no thread that a child would lack: also none below
    python's, in a library.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    return len(os.listdir("/proc/self/task")) == 1


def _work(do: Callable[[str], None], names: Sequence[str]) -> NoReturn:
    """The child's life: it ends here, whatever happens, and what its parent has begun is not
    ended twice.
    """
    code = 1
    try:
        for name in names:
            do(name)
        code = 0
    finally:
        os._exit(code)
