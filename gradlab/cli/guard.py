"""The one place where a command can end other than well.

No traceback reaches a user for something the user did. Exit codes: 2 bad usage or config, 1 the
experiment failed, 130 interrupted, 143 terminated; a reader that closes the pipe early (`| head`)
is no failure. GRADLAB_DEBUG=1 shows tracebacks.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

from gradlab.errors import GradlabError

INTERRUPTED = 130
TERMINATED = 143
AGAIN = 0.01  # seconds after which an interrupt comes again that was lost
_raised: list[int] = []  # signals that were raised as exceptions


class Terminated(BaseException):
    """SIGTERM, raised where the program was, so that what is half-written is removed."""


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its errors turned into lines on stderr and exit codes."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        _listen()
        _open_streams()
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except typer.Exit:
            raise
        except GradlabError as error:
            _fail(str(error), error.exit_code)
        except KeyboardInterrupt:
            _fail("interrupted; nothing was written", INTERRUPTED)
        except Terminated:
            _fail("terminated; nothing was written", TERMINATED)
        except BrokenPipeError:
            _quiet_exit()
        except OSError as error:
            _fail(f"cannot write or read: {(error.strerror or str(error)).lower()}", 1)
        except MemoryError as error:
            _fail(
                f"not enough memory ({error}); use a smaller hidden_size or batch_size, "
                "checkpoint: auto or dtype: float32",
                1,
            )
        except Exception as error:
            if os.environ.get("GRADLAB_DEBUG"):
                raise
            kind = type(error).__name__
            _fail(
                f"internal error, please report it: {kind}: {error} (GRADLAB_DEBUG=1 tells where)",
                2,
            )

    return run


@contextmanager
def failing() -> Iterator[None]:
    """Errors of a user end the program as in a command; for what comes before the command."""
    try:
        yield
    except GradlabError as error:
        _fail(str(error), error.exit_code)


@contextmanager
def when_interrupted(message: Callable[[], str]) -> Iterator[None]:
    """What is said when the block is interrupted, where something was written by then."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise GradlabError(message(), exit_code=INTERRUPTED) from error
    except Terminated as error:
        raise GradlabError(message(), exit_code=TERMINATED) from error


def _open_streams() -> None:
    """A stream may be closed, and a C locale cannot print every character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _listen() -> None:
    """SIGTERM and the first Ctrl-C raise, so that what is half-written is removed; a second Ctrl-C
    ends the program at once. Nothing is changed where a parent has set Ctrl-C to be ignored."""
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """What is raised where Python cleans up is lost. An interrupt comes again, a moment later. What
    was half done when it came may complain of that: nobody needs to know.
    """
    if isinstance(lost.exc_value, KeyboardInterrupt | Terminated):
        import threading

        number = signal.SIGTERM if isinstance(lost.exc_value, Terminated) else signal.SIGINT
        if number is signal.SIGINT:  # it would be taken for the second one
            signal.signal(signal.SIGINT, _interrupt)
        again = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    elif not _raised or os.environ.get("GRADLAB_DEBUG"):
        sys.__unraisablehook__(lost)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    _raised.append(number)
    raise Terminated


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGINT, _leave)
    _raised.append(number)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines() or [""]:
        typer.echo(f"gradlab: {line}" if not line.startswith(" ") else line, err=True)
    raise typer.Exit(code)


def _quiet_exit() -> NoReturn:
    """Nobody reads stdout any more: point it elsewhere, so that the last flush is silent."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)
