"""Where a result comes from: versions, BLAS, machine, time, command line, git revision."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gradlab import __version__


def provenance(
    command: Sequence[str], started: datetime, config: Path | None, results: Path
) -> dict[str, Any]:
    """What goes into provenance.json. config: its file, None where there is none; the git revision
    is that of its folder. results: the folder where the result will lie.
    """
    folder = Path.cwd() if config is None else config.parent
    # a clock may be set back meanwhile
    seconds = max((datetime.now(UTC) - started).total_seconds(), 0.0)
    return {
        "gradlab": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas(),
        "machine": {
            "system": platform.system(),
            "release": platform.release(),
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
        },
        "git": _git(folder),
        "command": list(command),
        "config": None if config is None else _origin(config, results),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(_peak_memory() / 2**20, 1),
    }


def _origin(config: Path, results: Path) -> dict[str, str]:
    """Where the config is, in two ways: one holds when a project moves, one when its results do."""
    path = os.path.realpath(config)
    return {"path": path, "relative": os.path.relpath(path, os.path.realpath(results))}


def same_minor(a: str, b: str) -> bool:
    """Whether two versions give the same digits: they differ in the last number at most."""
    return a.split(".")[:2] == b.split(".")[:2]


def _peak_memory() -> int:
    """Bytes; the system counts in kilobytes, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def blas() -> dict[str, str | None]:
    """Name and version that numpy was built with, and the kernel that is in use, where it tells."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "name": built.get("name"),
        "version": built.get("version"),
        "kernel": _openblas_kernel(),
    }


def _openblas_kernel() -> str | None:
    libraries = Path(np.__file__).parent.parent / "numpy.libs"
    for path in sorted(libraries.glob("*openblas*")):
        name = getattr(ctypes.CDLL(str(path)), "scipy_openblas_get_corename64_", None)
        if name is not None:
            name.restype = ctypes.c_char_p
            return str(name().decode())
    return None


def _git(folder: Path) -> str | None:
    """The commit of the folder's repository, -dirty where it was changed; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
