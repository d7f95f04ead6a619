"""Sweeps of thousands of points, and the promise of a million.

- planning settles every point once and validates each at most twice: work and memory grow with the
  number of points, no faster
- ten thousand points run in bounded memory and give a table
- a dry run of a million points does not plan them all

Bounds on memory are about three times what was measured: they catch what grows with the sweep, not
what a version of numpy takes. Bounds on time only tell a hang from work.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sweeping import TINY, environment, perform, planned, start_python

from gradlab import plan
from gradlab.config import sweep
from gradlab.config.models import Config
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.points import Task

CONFIG = """
cell: rnn
hidden_size: 4
seq_len: 5
batch_size: 1
seeds: 1
spectrum: none
sweep:
  weight_scale: {{linear: [0.1, 3.0], num: {0}}}
  init.bias: {{linear: [0, 1], num: {0}}}
"""


def grid(n: int) -> dict[str, Any]:
    """A sweep of n × n points."""
    axis = {"linear": [0.1, 3.0], "num": n}
    return {**TINY, "cell": "rnn", "sweep": {"weight_scale": axis, "init.bias": axis}}


# a small process in between: a child begins with the peak memory of the one that started it
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def run_measured(*arguments: str | Path, cwd: Path) -> tuple[int, str, int]:
    """gradlab in a process: exit code, what it printed, and its peak memory in MiB."""
    (cwd / "home").mkdir(exist_ok=True)
    command = ["-c", MEASURE, sys.executable, "-m", "gradlab", *arguments]
    process = start_python(*command, cwd=cwd, env=environment(MPLCONFIGDIR=str(cwd / "home")))
    out, err = process.communicate()
    return process.returncode, out, int(err.splitlines()[-1]) // 1024


@pytest.mark.parametrize("n", [10, 30])
def test_planning_settles_every_point_once(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"settled": 0, "validated": 0}

    def counting(name: str, function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(plan, "settle", counting("settled", plan.settle))
    monkeypatch.setattr(sweep, "validated", counting("validated", sweep.validated))
    assert planned(grid(n)).size == n * n
    assert counts["settled"] == n * n
    assert n * n <= counts["validated"] <= 2 * n * n + 10


def test_planning_holds_a_few_kilobytes_a_point() -> None:
    planned(grid(3))  # what is loaded and cached once
    tracemalloc.start()
    plan = planned(grid(40))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plan.size == 1600
    assert held / plan.size < 15_000
    assert peak / plan.size < 20_000


def test_a_long_sequence_costs_a_point_no_more_than_its_recorded_steps() -> None:
    """Recorded steps are numbers of 8 bytes: a point may hold them once, not as objects."""
    planned(grid(3))
    tracemalloc.start()
    plan = planned({**grid(20), "seq_len": 3000})
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / plan.size < 15_000 + 8 * 3001 * 1.5


def test_tasks_are_small_enough_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 256 points, about a second of work, 64 MB of numbers; never less than a point."""

    def sizes(**changes: Any) -> list[int]:
        plan: Planned = planned({**grid(20), **changes})
        return [len(task.points) for task in plan.tasks]

    assert sizes() == [256, 144]
    assert sizes(hidden_size=1000, seq_len=2000) == [1] * 400
    assert max(sizes(seq_len=2000, seeds=20)) * 20 * 2001 * 16 <= 8e6
    assert sum(sizes(seq_len=2000, seeds=20)) == 400
    tasks: tuple[Task, ...] = planned(grid(20)).tasks
    assert [p.index for task in tasks for p in task.points] == list(range(400))


@pytest.mark.slow
def test_ten_thousand_points_run_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG.format(100))
    arguments = ["sweep", "run.yaml", "--out", "out", "-j", "1", "--no-figures", "--json"]
    code, out, peak = run_measured(*arguments, cwd=tmp_path)
    assert code == 0
    assert json.loads(out)["done"] == json.loads(out)["points"] == 10_000
    assert peak < 450
    assert len((tmp_path / "out" / "table.csv").read_text().splitlines()) == 10_001
    assert len(list((tmp_path / "out" / "tasks").iterdir())) == 40


def test_a_dry_run_of_a_million_points(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG.format(1000))
    arguments = ["sweep", "run.yaml", "--out", "out", "--dry-run", "--json"]
    code, out, peak = run_measured(*arguments, cwd=tmp_path)
    assert code == 0
    assert json.loads(out)["points"] == 1_000_000
    assert peak < 300
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_read_without_reading_it_all(tmp_path: Path) -> None:
    """A resumed sweep checks one file at a time."""
    mapping = {**grid(40), "seq_len": 60}
    perform(planned(mapping), tmp_path)
    stored = sum(p.stat().st_size for p in (tmp_path / "tasks").iterdir())
    largest = max(p.stat().st_size for p in (tmp_path / "tasks").iterdir())
    plan = planned(mapping)
    tracemalloc.start()
    perform(plan, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * largest + 20 * plan.size * 1000
    assert largest < stored / 5


def test_the_config_of_a_point_is_made_when_it_is_asked_for() -> None:
    found = planned(grid(3)).sweep
    assert isinstance(found.config(8), Config)
    assert found.config(8).weight_scale == 3.0
