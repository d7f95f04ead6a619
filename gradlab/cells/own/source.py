"""A user's file as a module: read, run once, and kept by its path and content."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from gradlab.cells.interface import Cell
from gradlab.cells.own.adapter import OwnCell
from gradlab.cells.own.checks import check
from gradlab.cells.own.faults import OwnCellError, blamed

# what a file defines that brings its derivatives itself: it is used as the cells of gradlab are
WHOLE = (
    *("SOURCE", "EQUATIONS", "GATES", "PACKED", "STATE", "KEEPS", "BIASES", "Options", "Local"),
    *("shapes", "init", "max_slope", "drive", "step", "linearize", "vjp", "jacobian", "pull"),
    *("shares", "totals", "readings"),
)

_loaded: dict[tuple[str, str], Cell] = {}


def load(path: Path, sha256: str | None = None) -> Cell:
    """The cell in a file. Its code is run, once for each content.

    Raises GradlabError, one line with the line of the file, where it cannot be used, or where
    `sha256` is given and its content is another by now.
    """
    path = path.absolute()
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, digest):
        raise OwnCellError(f"{path} has changed since this was planned; start again")
    key = str(path), digest
    if key not in _loaded:
        _loaded[key] = _cell(_run(path, content, digest), path)
    return _loaded[key]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise OwnCellError(f"there is no file {str(path)!r}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise OwnCellError(f"{str(path)!r} cannot be read: {reason.lower()}") from None


def _run(path: Path, content: bytes, digest: str) -> ModuleType:
    """The file as a module; nothing is cached on disk, and gradlab's folder list stays as it is."""
    module = ModuleType(f"gradlab_own_{path.stem}_{digest[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        with blamed(path, "the file"):
            exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)
    except OwnCellError:
        del sys.modules[module.__name__]
        raise
    return module


def _cell(module: ModuleType, path: Path) -> Cell:
    there = [name for name in WHOLE if hasattr(module, name)]
    if "step" not in there or not callable(module.step):
        raise OwnCellError(f"{path.name} defines no function step(p, s, x)")
    if len(there) == len(WHOLE):
        return cast(Cell, module)
    if "linearize" in there:
        missing = ", ".join(name for name in WHOLE if name not in there)
        raise OwnCellError(f"{path.name} has linearize, as gradlab's own cells, but no {missing}")
    cell = OwnCell(module, path)
    check(cell)
    return cast(Cell, cell)
