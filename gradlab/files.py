"""Files on disk: flushed, and whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gradlab.errors import GradlabError

TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class ResultFiles:
    """The files that a run's and a sweep's folder have under the same names."""

    path: Path

    @property
    def summary(self) -> Path:
        """The numbers that tell it all, as JSON; written last, so Make can depend on it."""
        return self.path / "summary.json"

    @property
    def provenance(self) -> Path:
        """Where and when it was computed: the only file that differs between equal runs."""
        return self.path / "provenance.json"

    @property
    def report(self) -> Path:
        """The report, readable on any forge."""
        return self.path / "report.md"


def put(path: Path, content: str | bytes) -> None:
    """Write a file and flush it to the disk. Raises OSError."""
    with flushed(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def flushed(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written piece by piece; flushed to the disk at the end. Raises OSError."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes | str) -> None:
    """A file that is there whole or not at all: aside under a name of its own, flushed, renamed.

    Raises GradlabError with exit code 1.
    """
    aside = path.with_name(TEMPORARY + os.urandom(8).hex())  # known before it is there
    try:
        put(aside, data)
        aside.chmod(0o644)
        aside.replace(path)
    except OSError as error:
        raise GradlabError(f"cannot write {str(path)!r}: {reason(error)}", exit_code=1) from error
    finally:
        with suppress(OSError):  # renamed already, unless it failed or was interrupted
            aside.unlink()


def reason(error: OSError) -> str:
    """Why the system refused, in its words."""
    return (error.strerror or str(error)).lower()
