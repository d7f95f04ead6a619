"""A Ctrl-C at a place that is chosen: at the n-th call of a Python function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import FrameType


class At:
    """Does `work` with a KeyboardInterrupt at its call number `calls`, from 0.

    reached: whether there was such a call. raised: what came out. lost: whether Python ignored the
    interrupt, as it does in a finalizer; the command line has it come again.
    """

    def __init__(self, work: Callable[[], object], calls: int) -> None:
        self.left, self.reached, self.lost = calls, False, False
        self.raised: BaseException | None = None
        hook = sys.unraisablehook
        sys.unraisablehook = self._ignored
        sys.setprofile(self._called)
        try:
            work()
        except BaseException as error:
            # without the frames, whose files would be closed later
            self.raised = error.with_traceback(None)
        finally:
            sys.setprofile(None)
            sys.unraisablehook = hook

    @property
    def heard(self) -> bool:
        """Whether it came out as what it was."""
        return self.lost or type(self.raised) is KeyboardInterrupt

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        self.left -= event == "call"
        if self.left < 0 and not self.reached:
            self.reached = True
            raise KeyboardInterrupt

    def _ignored(self, what: sys.UnraisableHookArgs) -> None:
        self.lost |= isinstance(what.exc_value, KeyboardInterrupt)


def every(work: Callable[[], object], step: int = 1) -> Iterator[At]:
    """An interrupt at every call of `work`, or every so many, one after the other."""
    for calls in count(0, step):
        at = At(work, calls)
        if not at.reached:
            return
        yield at


def calls_of(work: Callable[[], object]) -> int:
    """How many calls `work` makes."""
    most = 10**9
    return most - At(work, most).left
