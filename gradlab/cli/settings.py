"""Options of running that a project or a user sets once, in a TOML file; never the experiment.

    results = "out"      # where results go; relative to the project file
    jobs = 4             # at a time; 0: one per core
    figures = false      # draw none
    max_points = 10000   # of a sweep

What is given nearer to the command wins: command line, environment (GRADLAB_RESULTS, ...), project
file, user file, default. The project file is the nearest gradlab.toml, or pyproject.toml with a
table [tool.gradlab], in the working folder or above it, up to the root of the repository; the
user's is $XDG_CONFIG_HOME/gradlab/gradlab.toml, else ~/.config/gradlab/gradlab.toml. Where there is
none, no TOML is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError, Problem

FILE = "gradlab.toml"
PYPROJECT = "pyproject.toml"
MAX_BYTES = 2**20
NOT_OPENED = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@dataclass(frozen=True)
class Setting:
    """One key: what it must be, whether a value is that, and which parameters it sets."""

    wanted: str
    fits: Callable[[Any], bool]
    sets: Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """A file with settings: what it says, and on which line each key stands."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def place(self, key: str) -> str:
        """gradlab.toml:3"""
        return f"{_shown(self.path)}:{self.lines.get(key, 1)}"


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value < 2**31


def _path(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


SETTINGS: dict[str, Setting] = {
    "results": Setting(
        "the path of a folder, in quotes", _path, lambda v: {"results": v, "root": v}
    ),
    "jobs": Setting("a whole number of at least 0", _whole(0), lambda v: {"jobs": v}),
    "figures": Setting(
        "true or false", lambda v: isinstance(v, bool), lambda v: {"no_figures": not v}
    ),
    "max_points": Setting("a whole number of at least 1", _whole(1), lambda v: {"max_points": v}),
}


def settings() -> tuple[dict[str, Any], dict[str, str]]:
    """Parameter -> its value, and -> where that was written, from the user's and the project's
    file.

    Raises GradlabError with all that is wrong in them.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for found in filter(None, (_of_user(), _of_project())):  # the nearer one replaces the other's
        for key, value in found.values.items():
            sets = SETTINGS[key].sets(value)
            values |= sets
            places |= dict.fromkeys(sets, found.place(key))
    return values, places


def _of_user() -> Found | None:
    base = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))
    if not base.is_absolute():  # the XDG rules: a relative one is none; or there is no home
        return None
    found = _read(base / "gradlab" / FILE)
    if found is not None and "results" in found.values:
        path = os.path.expanduser(found.values["results"])
        return Found(found.path, {**found.values, "results": path}, found.lines)
    return found


def _of_project() -> Found | None:
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the working folder was removed: whatever needs it will say so
        return None
    for folder in (here, *here.parents):
        found = _read(folder / FILE) or _read(folder / PYPROJECT)
        if found is not None:
            return _from_its_folder(found, here)
        if (folder / ".git").exists():
            return None
    return None


def _from_its_folder(found: Found, here: Path) -> Found:
    """Results lie beside the project file, wherever in the project the command is given."""
    if "results" not in found.values:
        return found
    path = found.path.parent / os.path.expanduser(found.values["results"])
    return Found(found.path, {**found.values, "results": os.path.relpath(path, here)}, found.lines)


def _read(path: Path) -> Found | None:
    """The settings in a file; None where there is none, or a pyproject.toml without ours."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except NOT_OPENED:
        return None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise GradlabError(f"{_shown(path)}: cannot be read: {why}") from error
    if path.name == PYPROJECT and b"gradlab" not in raw:
        return None
    if len(raw) > MAX_BYTES:
        raise GradlabError(f"{_shown(path)}: larger than 1 MiB; it has a few lines")
    return _checked(path, raw)


def _checked(path: Path, raw: bytes) -> Found | None:
    """The settings in a text. Raises GradlabError with all that is wrong."""
    import tomllib

    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise GradlabError(f"{_shown(path)}:{line}: not UTF-8; save it as UTF-8") from error
    try:
        table: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; a number of 5000 digits
        raise GradlabError(_unread(path, text, str(error))) from error
    head = ("tool", "gradlab") if path.name == PYPROJECT else ()
    for name in head:
        table = table.get(name) if isinstance(table, dict) else None
    if table is None:
        return None
    found = Found(path, table if isinstance(table, dict) else {}, _lines(text, ".".join(head)))
    if not isinstance(table, dict):
        raise GradlabError(f"{_shown(path)}: [tool.gradlab] must be a table")
    wrong = [problem for key, value in table.items() if (problem := _wrong(found, key, value))]
    if wrong:
        raise GradlabError(*sorted(wrong, key=lambda problem: problem.order))
    return found


def _wrong(found: Found, key: str, value: Any) -> Problem | None:
    """What is wrong with one setting, None where it is right."""
    from gradlab.config.problems import guess

    place, order = found.place(key), (found.lines.get(key, 1), 0)
    setting = SETTINGS.get(key)
    if setting is not None:
        if setting.fits(value):
            return None
        given = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:36]} ..."
        return Problem(f"{key} must be {setting.wanted}, not {given}", (), place, order)
    hint = guess(key, SETTINGS) or f" (known: {', '.join(SETTINGS)})"
    what = f"unknown setting {key!r}{hint}; what an experiment is stands in its config"
    return Problem(what, (), place, order)


def _unread(path: Path, text: str, why: str) -> str:
    """A syntax error with its place in front, as compilers write it."""
    at = re.search(r" \(at line (\d+), column (\d+)\)$", why)
    if at:
        return f"{_shown(path)}:{at[1]}:{at[2]}: {why[: at.start()].lower()}"
    why = why.removesuffix(" (at end of document)").splitlines()[0].lower()
    return f"{_shown(path)}:{text.count(chr(10)) + 1}: {why}"


def _lines(text: str, table: str) -> dict[str, int]:
    """The lines of the keys in a table; "" is the top of the file."""
    lines: dict[str, int] = {}
    current = ""
    for number, line in enumerate(text.split("\n"), 1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", line):
            current = re.sub(r"[\s\"']", "", head[1])
        elif (key := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]", line)) and current == table:
            lines.setdefault(key[1], number)
    return lines


def _shown(path: Path) -> str:
    """As seen from the working folder, where it lies in it or above."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return str(path)
    near = path.parent == here or path.parent in here.parents
    return os.path.relpath(path, here) if near else str(path)
