"""What a weights file may claim, held against what it is, before anything is allocated.

A file is a regular one of some size, and what it unpacks to is bounded by that size. Weights hardly
compress: a file that claims far more than it holds is damaged, or made to fill the memory.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from gradlab.errors import GradlabError

FACTOR = 16  # deflate takes a few per cent off trained weights, and all of a matrix of zeros
FLOOR = 2**26  # bytes: small files may be all zeros


def file_size(path: Path) -> int:
    """Bytes of a regular file that is not empty. Raises GradlabError for anything else."""
    try:
        exists, regular = path.exists(), path.is_file()
        size = path.stat().st_size if regular else 0
    except OSError as error:
        raise unreadable(path, error) from error
    if not exists:
        raise GradlabError(f"there is no file {str(path)!r}")
    if not regular:
        kind = "a directory" if path.is_dir() else "not a regular file"
        raise GradlabError(f"{str(path)!r} is {kind}; give a file with weights")
    if size == 0:
        raise GradlabError(f"{path.name} is empty; save the weights again")
    return size


def unreadable(path: Path, error: OSError) -> GradlabError:
    """The error for a file that the operating system does not give."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return GradlabError(f"cannot read {str(path)!r}: {reason}; check the path and its permissions")


def bounded(claimed: int, size: int, name: str) -> None:
    """Raises GradlabError where `claimed` bytes are out of proportion to a file of `size` bytes."""
    if claimed > max(FACTOR * size, FLOOR):
        raise GradlabError(
            f"{name} has {size} bytes and claims to hold {claimed}: at most {FACTOR} times its "
            "size is unpacked; if the file is sound, save it without compression"
        )


def members(archive: zipfile.ZipFile, size: int, name: str) -> list[zipfile.ZipInfo]:
    """The members of a zip file of `size` bytes. Raises GradlabError for too much, or twice the
    same name, of which readers take one or the other.
    """
    found = archive.infolist()
    bounded(sum(member.file_size for member in found), size, name)
    once(name, (member.filename for member in found))
    return found


def once(name: str, keys: Iterable[str]) -> None:
    """Raises GradlabError where a key comes twice, or could not be shown on a line."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise GradlabError(f"{name} holds {key!r} twice; save the weights again")
        if not key.isprintable():
            raise GradlabError(
                f"{name} has the name {key!r}, which cannot be printed; rename it in the file"
            )
        seen.add(key)
