"""Whether a folder is gradlab's own, whole and nothing else: before anything in it is removed."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

from gradlab.config.sections import Format
from gradlab.errors import GradlabError
from gradlab.files import TEMPORARY
from gradlab.record import SCHEMA
from gradlab.report.figures import FIGURES
from gradlab.report.sweep_figures import SWEEP_FIGURES
from gradlab.store import load
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile

BOTH = {"summary.json", "provenance.json", "report.md", "report.html"}
RESULT = BOTH | {"config.yaml", "record.npz", "steps.csv", "updates.csv", "checkpoint.npz"}
RESULT |= {f"{name}.{form}" for name in FIGURES for form in get_args(Format)}
SWEEP = BOTH | {"sweep.json", "sweep.yaml", "table.csv", "export.csv", "export.parquet"}
SWEEP |= {"export.nc", *(f"{name}.{form}" for name in SWEEP_FIGURES for form in get_args(Format))}
TEMPORARY_NAME = re.compile(re.escape(TEMPORARY) + r"\w{8}")
LOCK = re.compile(r"\.lock(-begin|-[0-9]+-[0-9]+)?")
TASK = re.compile(r"[0-9a-f]+\.npz(\.bad)?")
TASKS = Path("tasks")


class KeptError(Exception):
    """Why something is not touched."""


def is_folder(path: Path) -> bool:
    """Whether it is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def is_file(path: Path) -> bool:
    """Whether it is a plain file itself: no link, no device, no pipe."""
    return stat.S_ISREG(path.lstat().st_mode)


def result_files(path: Path) -> tuple[Path, ...]:
    """The files of a run's folder, relative to it. Raises KeptError where there is another."""
    files = sorted(path.iterdir())
    _only(files, lambda name: name in RESULT)
    return tuple(file.relative_to(path) for file in files)


def sweep_files(path: Path) -> tuple[Path, ...]:
    """The files of a sweep's folder, relative to it. Raises KeptError where there is another."""
    tasks = path / TASKS
    inner = sorted(tasks.iterdir()) if is_folder(tasks) else []
    outer = sorted(file for file in path.iterdir() if file != tasks or not is_folder(tasks))
    _only(outer, lambda name: name in SWEEP or _passing(name) or bool(LOCK.fullmatch(name)))
    _only(inner, lambda name: bool(TASK.fullmatch(name)) or _passing(name))
    return tuple(file.relative_to(path) for file in (*outer, *inner))


def prove_result(path: Path) -> None:
    """Raise KeptError unless summary.json and record.npz are of one run of ours."""
    summary = read_json(path / "summary.json")
    _known_schema(summary)
    try:
        record = load(path)
    except GradlabError as error:
        raise KeptError(str(error)) from error
    if summary.get("identity") != record.identity:
        raise KeptError("its summary.json is not of its record.npz")


def prove_sweep(path: Path) -> None:
    """Raise KeptError unless sweep.json is a sweep's, and every task's file is a task's."""
    folder = SweepFolder(path)
    try:
        _known_schema(folder.read_description())
        for task in sorted(folder.done()):
            TaskFile(folder.task(task))
    except GradlabError as error:
        raise KeptError(str(error)) from error


def read_json(path: Path) -> dict[str, Any]:
    """A mapping from a plain file; {} where there is none, or something else."""
    if not os.path.lexists(path) or not is_file(path):
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _known_schema(found: dict[str, Any]) -> None:
    schema = found.get("schema")
    if type(schema) is not int:
        raise KeptError("nothing in it says that gradlab made it")
    if schema > SCHEMA:
        raise KeptError(f"a newer gradlab made it (schema {schema}, known up to {SCHEMA})")


def _passing(name: str) -> bool:
    return TEMPORARY_NAME.fullmatch(name) is not None


def _only(files: Iterable[Path], ours: Callable[[str], bool]) -> None:
    for file in files:
        if not ours(file.name) or not is_file(file):
            raise KeptError(f"it holds {file.name!r}, which gradlab did not write")
