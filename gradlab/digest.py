"""Files that are there, and what identifies their contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from gradlab.errors import GradlabError


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A file for reading bytes.

    Raises GradlabError where there is none, where it is a folder or a device, which may have no
    end, and where it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise GradlabError(f"{str(path)!r} is a folder or a device; name a file")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise GradlabError(f"there is no file {str(path)!r}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise GradlabError(f"{str(path)!r} cannot be read: {why}") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, read piece by piece. Raises GradlabError as `opened`."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
