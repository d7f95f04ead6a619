"""`gradlab sweep --timeout`: a task that hangs is ended, and nothing else suffers.

Claims:
- the task is failed with its reason, soon after its time; the others are all there, with the same
  rows as when nothing hangs, also those that were under way in the pool that was killed;
- the worker is gone; with one job it is a process too;
- what is no time, or an executor whose tasks cannot be ended, is refused.
"""

from __future__ import annotations

import multiprocessing
import time
from functools import partial
from pathlib import Path

import pytest
import sweepjobs
from sweeping import perform, planned, scales, table, wayward

from gradlab.errors import GradlabError
from gradlab.sweeps import job as sweepjob
from gradlab.sweeps.coordinate import Coordinator
from gradlab.sweeps.execute import Processes, executors

LIMIT = 6.0  # seconds: a worker takes one or two to start, and more on a busy machine


@pytest.mark.fault("sweep: a point hangs (`--timeout`)", "failed: timeout; the others complete")
def test_a_task_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    plan = planned(scales(5))
    perform(plan, tmp_path / "undisturbed")
    hanging = partial(sweepjobs.wayward, {"slow": [0.2], "seconds": 600})
    monkeypatch.setattr(
        sweepjob,
        "Coordinator",
        lambda pool, keep, timeout: Coordinator(pool, keep, hanging, timeout=LIMIT),
    )
    begun = time.monotonic()
    progress, _ = perform(plan, tmp_path / "sweep", Processes(2))
    assert time.monotonic() - begun < 10 * LIMIT  # it does not wait for 600 s
    assert (progress.done, progress.failed) == (5, 1)
    found, expected = (table(tmp_path / n).decode().splitlines() for n in ("sweep", "undisturbed"))
    assert [k for k in range(6) if found[k] != expected[k]] == [2]
    assert found[2].endswith(",failed,,timeout: its task took more than 6 s")
    assert multiprocessing.active_children() == []


def test_on_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "cell: rnn\nhidden_size: 3\nseq_len: 6\nsweep: {weight_scale: [0.1, 0.2]}\n", "utf-8"
    )
    arguments = ["sweep", config, "-o", tmp_path / "out", "--no-figures", "--timeout"]
    done = wayward({}, *arguments, "0")
    assert done.returncode == 2 and "--timeout is 0; it is a number of seconds" in done.stderr
    assert not (tmp_path / "out").exists()
    done = wayward({}, *arguments, "60", "-j", "1", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_executor_that_cannot_end_a_task_is_refused() -> None:
    with pytest.raises(GradlabError, match="not for --executor dask"):
        executors("dask://nowhere:1", 2, killable=True)
    with pytest.raises(GradlabError, match="not for --executor serial"):
        executors("serial", 1, killable=True)
    assert isinstance(executors("processes", 1, killable=True), Processes)
