"""A sweep on disk: one immutable file a finished task, so that a kill loses what was running, no
more.

    results/NAME/
      sweep.json        what is swept, and its identity
      sweep.yaml        the same to run again
      tasks/ID.npz      the points of one task; written aside, flushed, renamed
      tasks/ID.npz.bad  a torn or foreign file that was found there
      .lock, .lock-I-N  held while a coordinator (a shard) works; they hold its host and pid
      table.csv, summary.json, provenance.json, report.md, figures: made from the tasks at the end

What is done is what is there: nothing is counted, nothing has to be put right after a kill.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError
from gradlab.files import TEMPORARY, ResultFiles, reason, write_whole


@dataclass(frozen=True)
class SweepFolder(ResultFiles):
    """The files of one sweep."""

    @property
    def description(self) -> Path:
        """What is swept, and the identity."""
        return self.path / "sweep.json"

    @property
    def config(self) -> Path:
        """The resolved sweep: runs again as it is."""
        return self.path / "sweep.yaml"

    @property
    def tasks(self) -> Path:
        """Where finished tasks are."""
        return self.path / "tasks"

    @property
    def table(self) -> Path:
        """One row a point."""
        return self.path / "table.csv"

    def task(self, task: str) -> Path:
        """The file of one task."""
        return self.tasks / f"{task}.npz"

    def is_sweep(self) -> bool:
        """Whether a sweep was begun here."""
        return self.description.is_file()

    def read_description(self) -> dict[str, Any]:
        """What is swept. Raises GradlabError where the file is torn or foreign."""
        try:
            found = json.loads(self.description.read_text(encoding="utf-8"))
            str(found["identity"]), dict(found["axes"]), int(found["points"]), found["gradlab"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise GradlabError(
                f"{str(self.description)!r} does not describe a sweep; give another --out, "
                "or --force to start over"
            ) from error
        return dict(found)

    def done(self) -> set[str]:
        """Ids of the tasks that are there."""
        if not self.tasks.is_dir():
            return set()
        return {p.name.removesuffix(".npz") for p in self.tasks.glob("*.npz")}


def write_task(folder: SweepFolder, task: str, data: bytes) -> None:
    """Put a finished task in its place.

    Raises GradlabError when that fails (disk full): nothing is left under the final name.
    """
    write_whole(folder.task(task), data)


def set_aside(folder: SweepFolder, task: str) -> None:
    """Move a file that is no task's out of the way; it is kept under another name."""
    path = folder.task(task)
    path.replace(path.with_name(path.name + ".bad"))


def remove_leftovers(folder: SweepFolder) -> None:
    """Remove temporary files of killed coordinators. Only with the whole folder locked."""
    for parent in (folder.path, folder.tasks):
        for path in parent.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)


def begin(folder: SweepFolder, description: dict[str, Any], config: str, force: bool) -> None:
    """Make the folder a sweep's, or find the same sweep there. Call with the lock held.

    Raises GradlabError when another sweep, or anything else, is there.
    """
    descriptor = os.open(folder.path / ".lock-begin", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # shards begin one after the other
        _begin(folder, description, config, force)
    finally:
        os.close(descriptor)


def _begin(folder: SweepFolder, description: dict[str, Any], config: str, force: bool) -> None:
    if folder.is_sweep() and not force:
        there = folder.read_description()
        if there["identity"] != description["identity"]:
            raise GradlabError(
                f"{str(folder.path)!r} holds another sweep: {differences(there, description)}; "
                "use --force to start over, or another --out or name="
            )
    else:
        start_over(folder)
        # first of all: from here on the folder is this sweep's, whenever the program is killed
        write_whole(folder.description, json.dumps(description, indent=2) + "\n")
    folder.tasks.mkdir(exist_ok=True)
    if not folder.config.exists():
        write_whole(folder.config, config)


def start_over(folder: SweepFolder) -> None:
    """Remove everything but the locks, and the description, which is replaced.

    Raises GradlabError, before anything is removed, when no sweep was begun here and there are
    files.
    """
    found = [p for p in folder.path.iterdir() if not p.name.startswith((".lock", TEMPORARY))]
    if found and not folder.is_sweep():
        raise GradlabError(
            f"{str(folder.path)!r} holds files of no sweep; give another --out or name="
        )
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != folder.description:
            path.unlink()


def differences(there: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs between two descriptions, in words."""
    parts = []
    for section in ("base", "axes"):
        old, new = there.get(section, {}), now.get(section, {})
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                parts.append(f"{key} was {_short(old.get(key))}, is {_short(new.get(key))}")
    return "; ".join(parts) or "its description differs"


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


@contextmanager
def held(folder: SweepFolder, shard: tuple[int, int] | None) -> Iterator[None]:
    """Hold the folder: alone, or beside the other shards. The system frees the lock of a dead
    process.

    Raises GradlabError naming who holds it.
    """
    whole = folder.path / ".lock"
    with _lock(whole, shared=shard is not None):
        if shard is None:
            yield
        else:
            with _lock(folder.path / f".lock-{shard[0]}-{shard[1]}", shared=False):
                yield


@contextmanager
def _lock(path: Path, shared: bool) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise GradlabError(f"cannot write to {str(path.parent)!r}: {reason(error)}") from error
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 200).decode(errors="replace").strip() or "another gradlab"
            raise GradlabError(
                f"{str(path.parent)!r} is being worked on by {owner}; "
                "wait for it, or give another --out"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{socket.gethostname()} pid {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
