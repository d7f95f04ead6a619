"""The `gradlab` command, and `python -m gradlab`: what comes before the command line is loaded, and
what comes after it has ended.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from gradlab import threads

# looking for plugins of pydantic reads the metadata of every package that is installed
NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
# objects made between two searches for garbage; python's 700 means hundreds of searches while
# modules are loaded, where there is none
OBJECTS = 500_000


def main() -> None:
    """The entry point. Loading takes most of a second on a busy machine: Ctrl-C may come then."""
    ended: list[int] = []
    atexit.register(_leave, ended)  # the first to be registered is the last to be called
    threads.settle()
    os.environ.setdefault(*NO_PLUGINS)
    gc.set_threshold(OBJECTS)
    try:
        from gradlab.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("gradlab: interrupted; nothing was written\n")
        sys.exit(130)
    except SystemExit as end:
        if isinstance(end.code, int):
            ended.append(end.code)
        raise


def _leave(ended: list[int]) -> None:
    """End the process without taking apart what was loaded, which takes a quarter of a short run.

    Called when threads have ended and what modules have to do at the end is done. ended: the exit
    code; empty where the program was not left by one.
    """
    if not ended:
        return
    atexit.unregister(_leave)
    atexit._run_exitfuncs()  # those that were there before the command began
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            return  # python tells it, and ends with its own exit code
    os._exit(ended[0])


if __name__ == "__main__":
    main()
