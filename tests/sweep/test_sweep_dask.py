"""A sweep on a Dask cluster: a real scheduler and real worker processes on this machine.

- all points arrive and the table has the bytes of a serial run, also when one of two workers is
  killed in the middle
- a task that kills every worker it meets is recorded as failed; the others complete
- no workers for a while, a scheduler that dies, or none at all: said, with how to go on
- an error in a task is a failed point

Everything listens on the loopback address, at ports that the system chooses. Skipped where Dask is
not installed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sweepjobs
from sweeping import (
    SOON,
    check_whole,
    cleaned,
    environment,
    files,
    in_session,
    perform,
    planned,
    scales,
    start,
    start_python,
    start_wayward,
    table,
    until,
    wayward,
)

pytest.importorskip("distributed")

from gradlab.errors import GradlabError
from gradlab.sweeps import job as sweepjob
from gradlab.sweeps.cluster import Cluster
from gradlab.sweeps.coordinate import Coordinator
from gradlab.sweeps.execute import executors
from gradlab.sweeps.planned import Planned

CONFIG = """
cell: rnn
hidden_size: 3
seq_len: 6
batch_size: 2
sweep: {weight_scale: {linear: [0.1, 4.0], num: 40}}
"""
# Deaths of workers that Dask forgives a task: fewer than its default 3, to save time.
QUICK = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


class LocalCluster:
    """A scheduler, and workers when they are asked for, each a process of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        file = folder / "scheduler.json"
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--scheduler-file", file)
        assert until(file.exists), "the scheduler does not start"
        assert until(lambda: self._address(file))
        self.tcp = self._address(file)
        self.address = self.tcp.removeprefix("tcp://")
        self.workers: list[subprocess.Popen[str]] = []

    @staticmethod
    def _address(file: Path) -> str:
        try:
            return str(json.loads(file.read_text())["address"])
        except ValueError:  # half-written
            return ""

    def _start(self, program: str, *arguments: str | Path) -> subprocess.Popen[str]:
        common = ("--host", "127.0.0.1", "--no-dashboard")
        line = ["-m", f"distributed.cli.{program}", *arguments, *common]
        env = environment(**QUICK, DASK_TEMPORARY_DIRECTORY=str(self.folder))
        return self.stack.enter_context(cleaned(start_python(*line, cwd=self.folder, env=env)))

    def add_worker(self, nanny: bool = False) -> None:
        """Start one more worker of one thread; a nanny starts it again when it dies."""
        own = ["--nanny" if nanny else "--no-nanny", "--nthreads", "1"]
        self.workers.append(self._start("dask_worker", self.tcp, *own))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """A scheduler without workers."""
    with ExitStack() as stack:
        yield LocalCluster(tmp_path, stack)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Forty points as a file."""
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Eight tasks of one point each."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    monkeypatch.setattr("gradlab.sweeps.coordinate.LOOK", 0.1)
    return planned(scales(8))


@pytest.fixture
def with_job(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Makes sweeps use another job."""

    def use(job: Any) -> None:
        monkeypatch.setattr(sweepjob, "Coordinator", partial(Coordinator, job=job))

    return use


@pytest.mark.fault("dask: a worker is killed", "all points arrive")
def test_all_points_arrive_though_a_worker_is_killed(
    cluster: LocalCluster, config: Path, tmp_path: Path
) -> None:
    serial = wayward({}, "sweep", config, "-o", tmp_path / "serial", "-j", "1", "--no-figures")
    assert serial.returncode == 0, serial.stderr
    cluster.add_worker()
    cluster.add_worker()
    out = tmp_path / "out"
    arguments = ["sweep", config, "-o", out, "--no-figures"]
    arguments += ["--executor", f"dask://{cluster.address}"]
    options = {"seconds": 0.1, "watched": str(out / "tasks")}
    with cleaned(start_wayward(options, *arguments)) as process:
        assert until(lambda: len(files(out)) >= 8)
        cluster.workers[0].kill()
        there = files(out)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(there) < 40, "the worker was killed too late"
    assert len(files(out)) == 40
    assert {name: files(out)[name] for name in there} == there
    assert table(out) == table(tmp_path / "serial")
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("TWICE-*"))
    assert in_session(cluster.workers[1].pid), "the cluster is not ours to end"


def test_the_plain_command_and_python_calls_work(
    cluster: LocalCluster, config: Path, tmp_path: Path, single: Planned
) -> None:
    cluster.add_worker()
    name = f"dask://{cluster.address}"
    out = tmp_path / "command"
    with cleaned(
        start("sweep", config, "-o", out, "--executor", name, "--no-figures", "-q")
    ) as run:
        printed, err = run.communicate(timeout=60)
    assert (run.returncode, printed, err) == (0, f"{out}\n", "")
    perform(single, tmp_path / "serial")
    perform(single, tmp_path / "dask", executors(name, 0))
    check_whole(single, tmp_path / "dask", table(tmp_path / "serial"))


def test_an_error_is_a_failed_point(
    cluster: LocalCluster, single: Planned, with_job: Callable[[Any], None], tmp_path: Path
) -> None:
    cluster.add_worker()
    with_job(partial(sweepjobs.raising, "plain", (0.4,)))
    progress, _ = perform(single, tmp_path / "out", Cluster(cluster.address))
    assert (progress.done, progress.failed) == (8, 1)
    assert "failed,,ValueError: no such thing" in table(tmp_path / "out").decode().splitlines()[4]


@pytest.mark.fault("dask: a task that kills every worker", "failed; the others complete")
def test_a_task_that_kills_every_worker_is_failed_and_the_others_complete(
    cluster: LocalCluster, single: Planned, with_job: Callable[[Any], None], tmp_path: Path
) -> None:
    cluster.add_worker(nanny=True)
    with_job(partial(sweepjobs.killed_always, signal.SIGKILL, (0.8,)))  # the last one
    progress, _ = perform(single, tmp_path / "out", Cluster(cluster.address))
    assert (progress.done, progress.failed) == (8, 1)
    rows = table(tmp_path / "out").decode().splitlines()
    assert "KilledWorker" in rows[8]
    assert [("failed" in row) for row in rows[1:8]] == [False] * 7


@pytest.mark.fault("dask: no workers", "said after a while; exit 1")
def test_no_workers_is_said_after_a_while(
    cluster: LocalCluster, single: Planned, tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(GradlabError, match="has no workers; start some and run the same") as caught:
        perform(single, tmp_path / "out", Cluster(cluster.address, patience=1.0))
    assert caught.value.exit_code == 1
    assert 1.0 < time.monotonic() - began < SOON
    cluster.add_worker()
    perform(single, tmp_path / "out", Cluster(cluster.address, patience=SOON))
    perform(single, tmp_path / "serial")
    check_whole(single, tmp_path / "out", table(tmp_path / "serial"))


def test_workers_may_come_late(cluster: LocalCluster, single: Planned, tmp_path: Path) -> None:
    chosen = Cluster(cluster.address, patience=60.0)
    cluster.add_worker()
    progress, _ = perform(single, tmp_path / "out", chosen)
    assert (progress.done, progress.failed) == (8, 0)


@pytest.mark.fault("dask: the scheduler dies", "said at once; exit 1")
def test_a_scheduler_that_dies_is_said(cluster: LocalCluster, config: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    arguments = ["sweep", config, "-o", out, "--no-figures"]
    arguments += ["--executor", f"dask://{cluster.address}"]
    with cleaned(start_wayward({"seconds": 0.2}, *arguments)) as process:
        assert until(lambda: len(files(out)) >= 3)
        cluster.scheduler.kill()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert "scheduler" in err.splitlines()[-1]
    assert "the same command again goes on from there" in err.splitlines()[-1]
    kept = files(out)
    local = wayward({}, "sweep", config, "-o", out, "-j", "1", "--no-figures")
    assert local.returncode == 0, local.stderr
    assert {name: files(out)[name] for name in kept} == kept


@pytest.mark.fault("dask: Ctrl-C", "the cluster is left alone")
def test_an_interrupt_leaves_the_cluster_alone(
    cluster: LocalCluster, config: Path, tmp_path: Path
) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    arguments = ["sweep", config, "-o", out, "--no-figures"]
    arguments += ["--executor", f"dask://{cluster.address}"]
    with cleaned(start_wayward({"seconds": 0.3}, *arguments)) as process:
        assert until(lambda: len(files(out)) >= 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SOON)
    assert process.returncode == 130, err
    assert "same command" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert in_session(cluster.workers[0].pid)
    with cleaned(start_wayward({}, *arguments)) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.fault("dask: no scheduler", "exit 2")
def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.sweeps.cluster.CONNECT", 1.0)
    with pytest.raises(
        GradlabError, match=r"there is no Dask scheduler at '127.0.0.1:9'"
    ) as caught:
        executors("dask://127.0.0.1:9", 0)
    assert caught.value.exit_code == 2
    for address in ("", "nowhere", "host:port", "127.0.0.1:99999999"):
        with pytest.raises(GradlabError, match="there is no Dask scheduler at"):
            executors(f"dask://{address}", 0)
    assert sys.modules["distributed"]


def test_a_refused_folder_ends_the_connection(
    cluster: LocalCluster, config: Path, tmp_path: Path
) -> None:
    """The command ends; it does not wait for a connection that nobody closes."""
    (tmp_path / "file").write_text("mine")
    with cleaned(
        start("sweep", config, "-o", tmp_path / "file", "--executor", f"dask://{cluster.address}")
    ) as process:
        process.communicate(timeout=SOON)
    assert process.returncode == 2
