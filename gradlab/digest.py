"""What identifies the contents of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gradlab.errors import GradlabError


def sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, read piece by piece. Raises GradlabError where it cannot
    be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise GradlabError(f"there is no file {str(path)!r}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise GradlabError(f"{str(path)!r} cannot be read: {why}") from error
