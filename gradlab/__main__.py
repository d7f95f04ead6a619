"""The `gradlab` command, and `python -m gradlab`: what comes before the command line is loaded."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from gradlab import alone, threads

# looking for plugins of pydantic reads the metadata of every package that is installed
NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")


def main() -> None:
    """The entry point. Loading takes most of a second on a busy machine: Ctrl-C may come then."""
    threads.settle()
    os.environ.setdefault(*NO_PLUGINS)
    alone.begin()
    # at the end python searches all that was loaded for garbage, several times over: that takes a
    # quarter of a short run, and the system takes the memory back in any case
    atexit.register(gc.freeze)
    try:
        from gradlab.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("gradlab: interrupted; nothing was written\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
