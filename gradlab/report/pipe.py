"""rich where nobody may read any more."""

from __future__ import annotations

from rich.console import Console


class OpenPipe(Console):
    """rich ends the program with exit code 1 when nobody reads any more; that is no failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
