"""What the tests of sweeps share: small sweeps, ways to run them, and looking at what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gradlab
from gradlab.config import sweep_from_mapping
from gradlab.sweeps import job
from gradlab.sweeps.execute import Executors, Serial
from gradlab.sweeps.job import Order, Progress
from gradlab.sweeps.planned import Planned, plan
from gradlab.sweeps.points import Task
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile

ROOT = Path(gradlab.__file__).resolve().parents[1]
TESTS = Path(__file__).resolve().parent
SOON = 20.0  # seconds that something near-instant may take on a busy machine

TINY = {"hidden_size": 3, "seq_len": 6, "batch_size": 2, "seeds": 1, "spectrum": "none"}
TINY |= {"gate_histogram": False}  # auto would be another in a run alone


def planned(mapping: Mapping[str, Any]) -> Planned:
    """The plan of a sweep given as a mapping."""
    return plan(sweep_from_mapping(mapping))


def scales(n: int, **more: Any) -> dict[str, Any]:
    """A sweep of n tiny networks that differ in their weight scale."""
    axes = {"weight_scale": [round(0.1 * (k + 1), 1) for k in range(n)]}
    return {"cell": "rnn", **TINY, "sweep": axes, **more}


def perform(
    plan: Planned,
    path: Path,
    executors: Executors | None = None,
    shard: tuple[int, int] | None = None,
    force: bool = False,
) -> tuple[Progress, list[str]]:
    """Run a sweep in this process; how far it came, and what it said."""
    said: list[str] = []
    order = Order(SweepFolder(path), executors or Serial(), shard, force, draw=False)
    steps = [*job.perform(plan, order, said.append)]
    return steps[-1], said


def table(path: Path) -> bytes:
    """The bytes of a sweep's table."""
    return SweepFolder(path).table.read_bytes()


def files(path: Path) -> dict[str, tuple[int, int]]:
    """Finished tasks: inode and time of change. Both are new when a file is written again."""
    tasks = SweepFolder(path).tasks
    if not tasks.is_dir():
        return {}
    found = [(p.name, p.stat()) for p in tasks.glob("*.npz")]
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found}


def temporary(path: Path) -> list[str]:
    """Files of half-done writes anywhere in a sweep's folder."""
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.name.startswith(".tmp"))


def check_whole(plan: Planned, path: Path, expected_table: bytes) -> None:
    """Every point is there once, every file loads, the table is the expected one, and no half file
    is left.
    """
    folder = SweepFolder(path)
    indices: list[int] = []
    for task in plan.tasks:
        file = TaskFile(folder.task(task.id))
        indices += [point.index for point in file.points]
    assert sorted(indices) == list(range(plan.size))
    assert folder.done() == {task.id for task in plan.tasks}
    assert table(path) == expected_table
    assert temporary(path) == []


def environment(**more: str) -> dict[str, str]:
    """The environment of a subprocess that finds this gradlab and these tests."""
    paths = [str(ROOT), str(TESTS), os.environ.get("PYTHONPATH", "")]
    own = {k: v for k, v in os.environ.items() if not k.startswith("GRADLAB_")}
    return own | {"PYTHONPATH": os.pathsep.join(p for p in paths if p)} | more


def start(*arguments: str | Path, cwd: Path | None = None, **options: Any) -> subprocess.Popen[str]:
    """`python -m gradlab ...` in a session of its own, its output captured."""
    command = [sys.executable, "-m", "gradlab", *map(str, arguments)]
    return start_python(*command[1:], cwd=cwd, **options)


def start_python(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """`python ...` in a session of its own, its output captured."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=env or environment(),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def start_wayward(options: Mapping[str, Any], *arguments: str | Path) -> subprocess.Popen[str]:
    """gradlab with a job that is slow or deadly: see sweepjobs.wayward."""
    return start_python(TESTS / "sweepjobs.py", json.dumps(options), *arguments)


def wayward(options: Mapping[str, Any], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same to its end."""
    with cleaned(start_wayward(options, *arguments)) as process:
        out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def command(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m gradlab ...` to its end."""
    process = start(*arguments, cwd=cwd, env=env)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def until(condition: Callable[[], Any], seconds: float = SOON) -> bool:
    """Wait for a condition; whether it came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


def in_session(session: int) -> list[int]:
    """Processes of a session that are alive: a coordinator's workers stay in its session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def workers_in(session: int) -> list[int]:
    """The worker processes of a session, without multiprocessing's bookkeeper."""
    found = []
    for pid in in_session(session):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in line:
            found.append(pid)
    return found


@contextmanager
def cleaned(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Whatever happens, nothing of this process's session stays behind."""
    try:
        yield process
    finally:
        for pid in in_session(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def ids(tasks: Sequence[Task]) -> list[str]:
    """The ids of tasks."""
    return [task.id for task in tasks]
