"""What the tests of the command line share: commands in this process, or in one of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gradlab.cli import app

ROOT = Path(__file__).resolve().parents[2]
TINY = "cell: rnn\nhidden_size: 2\nseq_len: 4\nbatch_size: 1\nseeds: 2\n"
QUIET = "figures: none\n"


def command(*arguments: object, input: str | None = None) -> Any:
    """One command in this process: exit_code, stdout, stderr."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)


def environment(**more: str) -> dict[str, str]:
    """The checkout in front, whether gradlab is installed or not."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def process(*arguments: object, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own; a warning is an error there."""
    options = {
        "env": environment(),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gradlab", *map(str, arguments)],
        cwd=cwd,
        timeout=120,
        check=False,
        **(options | more),
    )


def refused(done: Any, *words: str) -> None:
    """Exit 2, every line on stderr is ours and has one of the words, nothing on stdout."""
    code = done.returncode if hasattr(done, "returncode") else done.exit_code
    assert code == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    assert all(line.startswith("gradlab: ") for line in done.stderr.splitlines()), done.stderr
    assert all(word in done.stderr for word in words), done.stderr
