"""What lies under a results root and is of no more use: found, told, and removed when asked.

- staging folders of runs that were killed; temporary files of sweeps that were killed;
- `.NAME.swap-PID`, left by a kill between two renames of `gradlab.rename`, if NAME is there;
- results, sweeps and what `.previous/` keeps of them, whose config file is gone.

Trainings that were interrupted are told, and left: the same command goes on with them.

A folder goes only if gradlab made it and nothing else is in it (`gradlab.owned`), and if no process
holds it; file by file, so that what appears in it meanwhile stays. No link is followed.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradlab.errors import GradlabError
from gradlab.files import reason
from gradlab.owned import (
    TASKS,
    TEMPORARY_NAME,
    KeptError,
    is_file,
    is_folder,
    prove_result,
    prove_sweep,
    read_json,
    result_files,
    sweep_files,
)
from gradlab.store import PREVIOUS, STAGING, UNFINISHED, Folder
from gradlab.sweeps.store import SweepFolder
from gradlab.training.kept import unfinished

STAGED = re.compile(re.escape(STAGING) + r"[0-9a-f]{16}")
ASIDE = re.compile(r"\.(?P<name>.+)\.swap-(?P<pid>[0-9]+)")
MARKS = {"sweep.json", "summary.json", "record.npz"}  # what tells that a folder is gradlab's


@dataclass(frozen=True)
class Stale:
    """Something to remove: a file, or a folder with these files in it."""

    path: Path
    reason: str
    files: tuple[Path, ...] | None  # relative to the folder; None: it is a file itself
    size: int  # bytes


@dataclass(frozen=True)
class Left:
    """Something that looks stale and is not touched, and why."""

    path: Path
    reason: str


def survey(root: Path) -> tuple[list[Stale], list[Left]]:
    """What is stale under a results root, and what is left although it looks so.

    Raises GradlabError where the root is no folder, or a link.
    """
    if root.is_symlink():
        raise GradlabError(f"{str(root)!r} is a link, and none is followed: name the folder itself")
    if not root.is_dir():
        raise GradlabError(f"there is no folder {str(root)!r}; `gradlab run` makes it")
    stale: list[Stale] = []
    left: list[Left] = []
    for path in _candidates(root):
        try:
            stale += _judged(path)
        except KeptError as why:
            left.append(Left(path, str(why)))
        except OSError as error:
            left.append(Left(path, f"cannot be read: {reason(error)}"))
    return stale, left + [_unfinished(root, *begun) for begun in unfinished(root).items()]


def _unfinished(root: Path, name: str, update: int | None) -> Left:
    where = "before its first snapshot" if update is None else f"after update {update}"
    why = f"a training that is unfinished, {where}; `gradlab train` goes on with it"
    return Left(root / UNFINISHED / name, f"{why}, remove the folder if nobody will")


def remove(found: Stale) -> None:
    """Remove it, if it is still as it was found and nobody holds it.

    Raises GradlabError with exit code 1 where it is left, or only a part of it could be removed.
    """
    try:
        folder = found.path if found.files is not None else _sweep_of(found.path)
        number = folder.lstat().st_ino
        again = [one for one in _judged(folder) if one.path == found.path]
        if again and again[0].files is None:
            found.path.unlink(missing_ok=True)
        elif again:
            _take(again[0], number)
    except KeptError as why:
        raise GradlabError(f"{found.path} is left: {why}", exit_code=1) from why
    except OSError as error:
        message = f"cannot remove {str(found.path)!r}: {reason(error)}"
        raise GradlabError(message, exit_code=1) from error


def _candidates(root: Path) -> list[Path]:
    folders = [root, root / PREVIOUS] if is_folder(root / PREVIOUS) else [root]
    every = (path for folder in folders for path in sorted(folder.iterdir()))
    return [path for path in every if is_folder(path) and path.name not in (PREVIOUS, UNFINISHED)]


def _judged(path: Path) -> list[Stale]:
    """What is stale of one folder. Raises KeptError and OSError."""
    if STAGED.fullmatch(path.name):
        _refuse_held(path)
        return [_whole(path, "staging folder of a run that was killed", result_files(path))]
    aside = ASIDE.fullmatch(path.name)
    if aside:
        return [_left_between_renames(path, aside["name"], int(aside["pid"]))]
    if SweepFolder(path).is_sweep():
        return _of_sweep(path)
    return _of_result(path) if Folder(path).is_result() else []


def _left_between_renames(path: Path, name: str, pid: int) -> Stale:
    current = path.with_name(name)
    if not is_folder(current):
        raise KeptError(f"it is the earlier result of {name}, which is not there: rename it back")
    if _runs(pid):
        raise KeptError(f"process {pid} may be at work on it")
    _refuse_held(path)
    _refuse_held(current)
    files = result_files(path)
    prove_result(path)
    return _whole(path, f"left of replacing {name}", files)


def _of_result(path: Path) -> list[Stale]:
    gone = _config_gone(path)
    if gone is None:
        return []
    _refuse_held(path)
    files = result_files(path)
    prove_result(path)
    return [_whole(path, gone, files)]


def _of_sweep(path: Path) -> list[Stale]:
    gone, temporary = _config_gone(path), list(_temporary_files(path))
    if gone is None and not temporary:
        return []
    _refuse_held(path)
    if gone is None:
        why = "temporary file of a sweep that was killed"
        return [Stale(file, why, None, file.lstat().st_size) for file in temporary]
    files = sweep_files(path)
    prove_sweep(path)
    return [_whole(path, gone, files)]


def _temporary_files(sweep: Path) -> Iterator[Path]:
    for folder in (sweep, sweep / TASKS):
        for file in sorted(folder.iterdir()) if is_folder(folder) else ():
            if TEMPORARY_NAME.fullmatch(file.name) and is_file(file):
                yield file


def _sweep_of(temporary: Path) -> Path:
    parent = temporary.parent
    return parent if SweepFolder(parent).is_sweep() else parent.parent


def _config_gone(path: Path) -> str | None:
    """That the config of a result is gone, in words; None where it is there, or none is known.

    Raises KeptError where its folder is not there either, as when a disk is not mounted.
    """
    origin = read_json(path / "provenance.json").get("config")
    if not isinstance(origin, dict):
        return None
    absolute, relative = origin.get("path"), origin.get("relative")
    if (
        not isinstance(absolute, str)
        or not isinstance(relative, str)
        or "\0" in absolute + relative
    ):
        return None
    final = path.parent.parent / path.name if path.parent.name == PREVIOUS else path
    places = [Path(absolute), Path(os.path.abspath(os.path.realpath(final) + "/" + relative))]
    if any(os.path.lexists(place) for place in places):
        return None
    if not any(place.parent.is_dir() for place in places):
        raise KeptError(f"its config {absolute} is gone, and so is the folder: is a disk missing?")
    return f"its config {absolute} is gone"


def _whole(path: Path, why: str, files: tuple[Path, ...]) -> Stale:
    return Stale(path, why, files, sum((path / file).lstat().st_size for file in files))


def _take(found: Stale, number: int) -> None:
    """File by file, the marks of gradlab last, in the very folder that was judged, by its inode: a
    run may put a new result into its place at any moment.
    """
    assert found.files is not None
    names = sorted(found.files, key=lambda file: (file.name in MARKS, file))
    with _held(found.path) as folder:
        if os.fstat(folder).st_ino != number:
            raise KeptError("a run has just replaced it")
        if (found.path / TASKS).is_dir():
            tasks = os.open(TASKS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                for file in (file for file in names if file.parent == TASKS):
                    os.unlink(file.name, dir_fd=tasks)
            finally:
                os.close(tasks)
            os.rmdir(TASKS, dir_fd=folder)
        for file in (file for file in names if file.parent != TASKS):
            os.unlink(file.name, dir_fd=folder)
        os.rmdir(found.path)


def _refuse_held(path: Path) -> None:
    with _held(path):
        pass


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """Hold a folder against runs and sweeps; its descriptor. Raises KeptError where one has it."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    descriptors = [folder]
    try:
        if SweepFolder(path).is_sweep() and (path / ".lock").exists():
            descriptors.append(os.open(".lock", os.O_RDWR | os.O_NOFOLLOW, dir_fd=folder))
        for descriptor in descriptors:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except BlockingIOError as error:
        raise KeptError("a gradlab is at work in it") from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _runs(pid: int) -> bool:
    """Whether there is such a process; where that cannot be known, there is."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0
