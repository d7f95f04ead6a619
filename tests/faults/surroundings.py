"""What the tests of surroundings share: a command in a process, small disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = "cell: rnn\nhidden_size: 2\nseq_len: 4\nbatch_size: 1\nseeds: 2\nfigures: none\n"


def gradlab(*arguments: object, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    options: dict[str, Any] = {"env": {**os.environ, "PYTHONPATH": path}} | more
    return subprocess.run(
        [sys.executable, "-B", "-m", "gradlab", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """That exit code, lines of ours alone, and these words among them."""
    assert done.returncode == code, done.stderr
    assert all(line.startswith("gradlab: ") for line in done.stderr.splitlines()), done.stderr
    assert "internal error" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@contextmanager
def disk(size: str) -> Iterator[Path]:
    """A real file system of that size; the test is skipped where none can be mounted."""
    path = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
    if not mounted or mounted.returncode:
        path.rmdir()
        pytest.skip("a disk cannot be mounted here: that needs root")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)
        path.rmdir()


def remount(path: Path, options: str) -> None:
    """Change a mounted disk."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)
