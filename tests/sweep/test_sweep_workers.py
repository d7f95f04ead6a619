"""Real worker processes that die, misbehave, or are killed from outside.

- a worker that is killed once costs nothing: its task is tried again and all points are there
- a task that always kills its worker is recorded as failed, with the signal or the exit code; the
  others complete, and the command ends with exit code 1
- what cannot be sent back is a failed task too
- no more workers than asked for; each has one BLAS thread; the caller's own environment and child
  processes are left alone
- no worker outlives the sweep
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sweepjobs
from sweeping import command, environment, perform, planned, scales, table, wayward

from gradlab import threads
from gradlab.sweeps import job as sweepjob
from gradlab.sweeps.coordinate import Coordinator
from gradlab.sweeps.execute import Processes, executors
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.result import SweepResult

Job = Callable[[Any], Any]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Eight tasks of one point each."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    return planned(scales(8))


@pytest.fixture
def undisturbed(plan: Planned, tmp_path: Path) -> list[str]:
    """The rows of the table when nothing goes wrong."""
    perform(plan, tmp_path / "undisturbed")
    return table(tmp_path / "undisturbed").decode().splitlines()


@pytest.fixture
def with_job(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], None]:
    """Makes sweeps use another job."""

    def use(job: Job) -> None:
        monkeypatch.setattr(sweepjob, "Coordinator", partial(Coordinator, job=job))

    return use


def rows(path: Path) -> list[str]:
    """The rows of a sweep's table."""
    return table(path).decode().splitlines()


@pytest.mark.fault(
    "sweep: kill -9 of a worker (out of memory)", "its task is tried again; the same table"
)
def test_a_worker_that_is_killed_once_costs_nothing(
    plan: Planned, undisturbed: list[str], with_job: Callable[[Job], None], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    marker.mkdir()
    guilty = plan.tasks[2].id, plan.tasks[5].id
    with_job(partial(sweepjobs.killed_once, marker, guilty))
    progress, said = perform(plan, tmp_path / "sweep", Processes(2))
    assert sorted(p.name for p in marker.iterdir()) == sorted(guilty)  # both have killed
    assert (progress.done, progress.failed) == (8, 0)
    assert rows(tmp_path / "sweep") == undisturbed
    assert said
    assert {line.partition(";")[2] for line in said} == {" its task is tried again"}
    assert multiprocessing.active_children() == []


@pytest.mark.fault(
    "sweep: a point that always kills its worker",
    "failed with signal or exit code; the others complete",
)
@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (
            partial(sweepjobs.killed_always, signal.SIGKILL),
            "its worker process died (signal 9, SIGKILL)",
        ),
        (
            partial(sweepjobs.killed_always, signal.SIGSEGV),
            "its worker process died (signal 11, SIGSEGV)",
        ),
        (partial(sweepjobs.exiting, 7), "its worker process died (exit code 7)"),
    ],
    ids=["SIGKILL", "SIGSEGV", "exit 7"],
)
def test_a_task_that_always_kills_is_failed_and_the_others_complete(
    job: Job,
    reason: str,
    plan: Planned,
    undisturbed: list[str],
    with_job: Callable[[Job], None],
    tmp_path: Path,
) -> None:
    with_job(partial(job, (0.3,)))
    progress, _ = perform(plan, tmp_path / "sweep", Processes(2))
    assert (progress.done, progress.failed) == (8, 1)
    found = rows(tmp_path / "sweep")
    assert [k for k in range(9) if found[k] != undisturbed[k]] == [3]
    assert found[3].startswith("0.29999999999999999,,")
    assert found[3].endswith(f'failed,,"{reason}"') or found[3].endswith(f"failed,,{reason}")
    assert SweepResult(tmp_path / "sweep").done == 8


@pytest.mark.fault(
    "sweep: an exception or result that cannot be pickled", "failed, as text; the others complete"
)
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("unpicklable exception", "cannot pickle"),
        ("unreadable exception", "its worker process died"),  # the library breaks the pool
        ("unpicklable result", "cannot pickle"),
    ],
)
def test_what_cannot_be_sent_back_is_a_failed_task(
    kind: str,
    said: str,
    plan: Planned,
    undisturbed: list[str],
    with_job: Callable[[Job], None],
    tmp_path: Path,
) -> None:
    with_job(partial(sweepjobs.raising, kind, (0.5,)))
    progress, _ = perform(plan, tmp_path / "sweep", Processes(2))
    assert (progress.done, progress.failed) == (8, 1)
    found = rows(tmp_path / "sweep")
    assert [k for k in range(9) if found[k] != undisturbed[k]] == [5]
    assert said in found[5]


def test_workers_killed_from_outside_cost_nothing(
    plan: Planned, undisturbed: list[str], with_job: Callable[[Job], None], tmp_path: Path
) -> None:
    """Four times a worker is killed, whatever it is doing; no task is failed for it."""
    with_job(partial(sweepjobs.slowly, 0.2))
    killed = []

    def kill() -> None:
        for _ in range(4):
            time.sleep(0.35)
            for worker in multiprocessing.active_children()[:1]:
                killed.append(worker.pid)
                worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    progress, _ = perform(plan, tmp_path / "sweep", Processes(2))
    killer.join()
    assert killed
    if progress.failed:  # the same task was hit twice while it was alone: as good as guilty
        assert "SIGKILL" in table(tmp_path / "sweep").decode()
    else:
        assert rows(tmp_path / "sweep") == undisturbed
    assert progress.done == 8
    assert multiprocessing.active_children() == []


def test_workers_are_as_many_as_asked_for_with_one_blas_thread_each(
    plan: Planned,
    with_job: Callable[[Job], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(threads.NAMES[0], "3")
    for name in threads.NAMES[1:]:
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    notes = tmp_path / "notes"
    notes.mkdir()
    with_job(partial(sweepjobs.noting, notes))
    perform(plan, tmp_path / "sweep", Processes(2))
    found = {p.name: p.read_text() for p in notes.iterdir()}
    assert len(found) == 2
    assert str(os.getpid()) not in found
    assert set(found.values()) == {" ".join("1" for _ in threads.NAMES)}
    assert dict(os.environ) == before


def test_one_job_needs_no_worker(
    plan: Planned, with_job: Callable[[Job], None], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    with_job(partial(sweepjobs.noting, notes))
    perform(plan, tmp_path / "sweep", executors("processes", 1))
    assert [p.name for p in notes.iterdir()] == [str(os.getpid())]


def test_children_of_the_caller_are_left_alone(plan: Planned, tmp_path: Path) -> None:
    """A program that calls gradlab.sweep may have processes of its own."""
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    try:
        perform(plan, tmp_path / "sweep", Processes(2))
        assert own.is_alive()
        assert multiprocessing.active_children() == [own]
    finally:
        own.kill()
        own.join()


@pytest.mark.fault("sweep: a failed point", "exit 1, also when asked again")
def test_a_failed_point_is_exit_code_1_and_stays_so(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "cell: rnn\nhidden_size: 3\nseq_len: 6\nsweep: {weight_scale: [0.1, 0.2, 0.3, 0.4]}\n"
    )
    arguments = ["sweep", config, "-o", tmp_path / "out", "-j", "2", "--no-figures"]
    first = wayward({"killed": [0.2]}, *arguments)
    assert first.returncode == 1, first.stderr
    assert "1 failed" in first.stderr
    assert "its worker process died (signal 9, SIGKILL); its task is tried again" in first.stderr
    assert "Traceback" not in first.stderr
    assert str(tmp_path / "out" / "table.csv") in first.stdout
    reasons = [row.rpartition(",failed,,")[2] for row in rows(tmp_path / "out")[1:]]
    assert ["SIGKILL" in reason for reason in reasons] == [False, True, False, False]
    again = wayward({}, *arguments)
    assert again.returncode == 1, "the point is still failed when the table is asked for again"
    assert "1 failed" in again.stderr


def test_a_worker_reports_nothing_of_its_own(tmp_path: Path) -> None:
    """No noise of a pool or a bookkeeper at the end of a good sweep."""
    config = tmp_path / "run.yaml"
    config.write_text("cell: rnn\nhidden_size: 3\nseq_len: 6\nsweep: {weight_scale: [0.1, 0.2]}\n")
    done = command(
        "sweep",
        config,
        "-o",
        tmp_path / "o",
        "-j",
        "2",
        "-q",
        env=environment(PYTHONWARNINGS="error"),
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{tmp_path / 'o'}\n")
