"""What the tests of surroundings share: a command in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
