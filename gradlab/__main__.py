"""The `gradlab` command, and `python -m gradlab`: what comes before the command line is loaded."""

from __future__ import annotations

import sys

from gradlab import threads


def main() -> None:
    """The entry point. Loading takes most of a second on a busy machine: Ctrl-C may come then."""
    threads.settle()
    try:
        from gradlab.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("gradlab: interrupted; nothing was written\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
