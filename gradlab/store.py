"""Results on disk: one class names every path, a folder is there whole or not at all.

A result is written to a staging folder beside its place and renamed into it at the end, so whoever
looks sees the old result or the new one, never half of one, whenever the program is killed. The
staging folder is made before anything is computed: a place that cannot be written is told at once.
What is replaced is kept for one generation in `.previous/`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError
from gradlab.files import ResultFiles, flushed, put, reason
from gradlab.lessons.rows import course_rows
from gradlab.record import SCHEMA, Record
from gradlab.rename import exchange

STAGING = ".gradlab-staging-"
PREVIOUS = ".previous"
UNFINISHED = ".training"  # trainings that go on, or were interrupted


@dataclass(frozen=True)
class Folder(ResultFiles):
    """The files of one result."""

    @property
    def config(self) -> Path:
        """The resolved config: runs again as it is."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """All arrays and the metadata."""
        return self.path / "record.npz"

    @property
    def steps(self) -> Path:
        """One row for each seed and recorded step."""
        return self.path / "steps.csv"

    @property
    def updates(self) -> Path:
        """Of a training: one row for each seed and update."""
        return self.path / "updates.csv"

    @property
    def checkpoint(self) -> Path:
        """Of a training: the last weights, and what the optimiser keeps."""
        return self.path / "checkpoint.npz"

    @property
    def previous(self) -> Path:
        """Where the result that this one replaces is kept."""
        return self.path.parent / PREVIOUS / self.path.name

    def is_sweep(self) -> bool:
        """Whether it is a sweep's folder."""
        return (self.path / "sweep.json").is_file()

    def is_result(self) -> bool:
        """Whether a run of gradlab wrote this folder."""
        return not self.is_sweep() and (self.summary.is_file() or self.record.is_file())


def load(path: Path) -> Record:
    """The record in a results folder. Raises GradlabError where there is none, or a torn one."""
    folder = Folder(path)
    if not path.is_dir():
        if (path.parent / UNFINISHED / path.name).is_dir():
            raise GradlabError(
                f"{str(path)!r} is a training that is unfinished; `gradlab train` goes on with it"
            )
        raise GradlabError(
            f"there is no results folder {str(path)!r}; `gradlab ls` lists those that there are"
        )
    if not folder.record.is_file():
        raise GradlabError(f"{str(path)!r} holds no record.npz: it is not the folder of a run")
    return Record.from_bytes(folder.record.read_bytes(), str(folder.record))


def write(folder: Folder, record: Record, config_text: str, provenance: dict[str, Any]) -> None:
    """All files of a result but the report and the figures."""
    put(folder.config, config_text)
    with flushed(folder.record) as file:
        record.save(file)
    with flushed(folder.steps) as file:
        file.writelines(piece.encode() for piece in _csv(record))
    if "train_loss" in record.arrays:
        header, rows = course_rows(record)
        put(folder.updates, _lines([header]) + _lines(rows, _field))
    put(folder.provenance, _json(provenance))
    head = {"schema": SCHEMA, "gradlab": record.version, "identity": record.identity}
    put(folder.summary, _json(head | record.summary))


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _csv(record: Record) -> Iterator[str]:
    """steps.csv in pieces: 17 significant digits; an empty field where there is no value."""
    yield _lines([record.header()])
    for rows in record.blocks():
        yield _lines(rows, _field)


def _lines(rows: Iterable[Iterable[Any]], field: Callable[[Any], str] = str) -> str:
    """Rows of a CSV file."""
    return "".join(",".join(map(field, row)) + "\n" for row in rows)


def _field(value: Any) -> str:
    """What does not exist is an empty field; 17 digits bring a float back to the bit."""
    if value is None or isinstance(value, str):
        return value or ""
    return format(value, ".17g")


@contextmanager
def staged(target: Folder) -> Iterator[Folder]:
    """A folder to write in; renamed to `target` when the block ends well, removed when it does not.

    Raises GradlabError before anything is computed when the target cannot be written, or is a
    folder that gradlab did not make; and when the disk is full.
    """
    try:
        target = Folder(Path(os.path.realpath(target.path)))  # a link is the folder it points to
        _check(target)
        target.path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target.path.parent)
        with _staging(target.path.parent) as staging:
            yield Folder(staging)
            _move(staging, target)
    except UnicodeEncodeError as error:
        raise GradlabError(
            f"this system's locale cannot name the folder {str(target.path)!a}; use name="
        ) from error
    except OSError as error:
        raise GradlabError(
            f"cannot write results to {str(target.path)!r}: {reason(error)}"
        ) from error


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """A new folder to write in, locked; removed at the end if it is still there."""
    # named before it is made: a signal in between leaves nothing behind
    staging, descriptor = parent / f"{STAGING}{os.urandom(8).hex()}", None
    try:
        descriptor = _made(staging)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _made(staging: Path) -> int:
    """Make a staging folder and lock it; another run may take it for stale before it is locked."""
    while True:
        staging.mkdir(0o755, exist_ok=True)
        with suppress(FileNotFoundError, BlockingIOError):
            descriptor = _lock(staging)
            if staging.is_dir():
                return descriptor
            os.close(descriptor)


def _lock(staging: Path) -> int:
    """Hold a staging folder: the lock goes with the process, whatever ends it. Raises OSError."""
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(target: Folder) -> None:
    if target.path.exists() and not target.path.is_dir():
        raise GradlabError(
            f"{str(target.path)!r} is a file; results need a folder: give another --out"
        )
    if target.path in (Path.cwd(), *Path.cwd().parents):
        raise GradlabError(
            f"{str(target.path)!r} is the working folder, which cannot be replaced: "
            "give another --out"
        )
    if target.is_sweep():
        raise GradlabError(f"{str(target.path)!r} holds a sweep; give another --out or name=")
    if target.path.is_dir() and any(target.path.iterdir()) and not target.is_result():
        raise GradlabError(
            f"{str(target.path)!r} holds files that gradlab did not write; "
            "give another --out or name="
        )


def _remove_stale(parent: Path) -> None:
    """Remove the staging folders of processes that were killed."""
    for staging in parent.glob(f"{STAGING}*"):
        try:
            descriptor = _lock(staging)
        except OSError:
            continue  # held by a running process, or already gone
        shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)


def _move(staging: Path, target: Folder) -> None:
    """The new result into its place; staging is then gone, or holds the old one to be removed."""
    if target.path.is_dir() and any(target.path.iterdir()):
        _keep(target)  # first: after the exchange the old result lies where it is removed
        exchange(staging, target.path)
    else:
        staging.rename(target.path)
    _sync(target.path.parent)


def _keep(target: Folder) -> None:
    """The result in `.previous/` too, instead of what is there: the same files by a second name."""
    target.previous.parent.mkdir(exist_ok=True)
    shutil.rmtree(target.previous, ignore_errors=True)
    try:
        shutil.copytree(target.path, target.previous, symlinks=True, copy_function=_link)
    except shutil.Error as error:  # a list of them
        raise OSError(error.args[0][0][-1]) from error


def _link(source: str, copy: str) -> None:
    """A second name for a file; a copy of it where the system has no links. Raises OSError."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
