"""The `gradlab` command, and `python -m gradlab`: what comes before the command line is loaded."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from gradlab import threads

# looking for plugins of pydantic reads the metadata of every package that is installed
NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
# objects made before the first search for garbage: about as many as loading makes, where there is
# none. At python's 700 loading means hundreds of searches
OBJECTS = 100_000


def main() -> None:
    """The entry point. Loading takes most of a second on a busy machine: Ctrl-C may come then."""
    threads.settle()
    os.environ.setdefault(*NO_PLUGINS)
    _unsearched()
    # at the end python searches all that was loaded for garbage, several times over: that takes a
    # quarter of a short run, and the system takes the memory back in any case
    atexit.register(gc.freeze)
    try:
        from gradlab.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("gradlab: interrupted; nothing was written\n")
        sys.exit(130)


def _unsearched() -> None:
    """No search for garbage while modules are loaded; from the first one on python's own pace, for
    figures are garbage when they are drawn, each as large as its picture.
    """
    usual = gc.get_threshold()

    def back(phase: str, info: dict[str, int]) -> None:
        gc.set_threshold(*usual)
        gc.callbacks.remove(back)

    gc.callbacks.append(back)
    gc.set_threshold(OBJECTS)


if __name__ == "__main__":
    main()
