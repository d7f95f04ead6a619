"""A coordinator that is killed, interrupted or terminated: a real one, by real signals.

- killed by SIGKILL at twenty random moments (planning, running, collecting) and run again after
  each: at the end every point is there once, every file loads, the table has an undisturbed run's
  bytes, and no temporary file is left; a file that was there is never computed again
- after a kill there are only whole files under final names, and the workers end by themselves
- a kill while a folder is begun leaves a folder that can be gone on with
- SIGINT and SIGTERM: running tasks are dropped, the message says how far it came and how to go on,
  exit code 130 or 143, no worker stays, and the same command goes on from there
- Ctrl-C reaches the workers too, and they say nothing; a second one ends at once

Moments are drawn with a seed; what they hit also depends on the machine, what must be true does
not.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sweeping import (
    SOON,
    check_whole,
    cleaned,
    files,
    in_session,
    perform,
    planned,
    scales,
    start,
    start_wayward,
    table,
    temporary,
    until,
    wayward,
    workers_in,
)

from gradlab import files as disk
from gradlab.config import load_sweep
from gradlab.errors import GradlabError
from gradlab.sweeps import store
from gradlab.sweeps.planned import Planned, plan
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile

POINTS = 60
CONFIG = f"""
cell: rnn
hidden_size: 3
seq_len: 6
batch_size: 2
seeds: 1
sweep: {{weight_scale: {{linear: [0.1, 6.0], num: {POINTS}}}}}
"""
# A stop is claimed to take less than 2 s. Tasks here take 60 s, so that an end within 10 s, on a
# machine that is busy with other tests, shows that they are dropped and not waited for.
LONG, STOP = 60.0, 10.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The sweep of these tests as a file."""
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def single(config: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Its plan, one point a task."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    return plan(load_sweep(config))


def moments(rng: random.Random) -> Iterator[tuple[str, float]]:
    """Twenty moments: a phase, and seconds after it has begun."""
    yield from (("planning", rng.uniform(0.0, 1.0)) for _ in range(6))
    yield from (("running", rng.uniform(0.0, 0.3)) for _ in range(10))
    yield from (("collecting", rng.uniform(0.0, 0.1)) for _ in range(4))


@pytest.mark.fault(
    "sweep: kill -9 of the coordinator at twenty moments",
    "same command again: every point once, nothing finished is computed again, the same table",
)
@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_with_the_same_table(
    config: Path, single: Planned, tmp_path: Path
) -> None:
    perform(single, tmp_path / "undisturbed")
    out = tmp_path / "out"
    arguments = ["sweep", config, "--out", out, "-j", "2", "--no-figures", "-q"]
    options = {"seconds": 0.08, "watched": str(out / "tasks")}
    hit = 0
    for phase, delay in moments(random.Random(20)):
        there = files(out)
        with cleaned(start_wayward(options, *arguments)) as process:
            if phase == "running":
                until(lambda: len(files(out)) > len(there) or process.poll() is not None)  # noqa: B023
            elif phase == "collecting":
                until(lambda: len(files(out)) == POINTS or process.poll() is not None)
            time.sleep(delay)
            process.kill()
            process.wait()
            hit += process.returncode == -signal.SIGKILL
            assert until(lambda: not workers_in(process.pid)), "workers outlive their coordinator"
        for name, stamp in there.items():
            assert files(out)[name] == stamp, "a finished task was written again"
        for name in files(out):
            TaskFile(out / "tasks" / name)
        assert not list(tmp_path.rglob("TWICE-*")), "a finished task was computed again"
    assert hit >= 10, "too few of the kills came before the sweep's own end"
    there = files(out)
    last = wayward(options, *arguments)
    assert (last.returncode, last.stderr) == (0, "")
    assert {name: files(out)[name] for name in there} == there
    check_whole(single, out, table(tmp_path / "undisturbed"))


@pytest.mark.fault("sweep: kill -9, and the workers", "no worker outlives it")
def test_workers_end_when_their_coordinator_is_killed(config: Path, tmp_path: Path) -> None:
    """Idle ones and busy ones: within a moment, though their tasks would take a minute."""
    arguments = ["sweep", config, "--out", tmp_path / "out", "-j", "2", "--no-figures"]
    with cleaned(start_wayward({"seconds": LONG}, *arguments)) as process:
        assert until(lambda: len(workers_in(process.pid)) == 2)
        time.sleep(0.5)  # the workers have begun, or are about to
        process.kill()
        process.wait()
        assert until(lambda: not in_session(process.pid), STOP)


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program handles it."""


@pytest.mark.parametrize("force", [False, True], ids=["new", "force"])
@pytest.mark.parametrize("step", range(12))
def test_killed_while_the_folder_is_begun(
    step: int, force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each of the steps that change the disk: the same command then goes on.

    Only where another sweep is being replaced may it ask for --force again.
    """
    expected, mine, other = tmp_path / "expected", planned(scales(3)), planned(scales(2))
    perform(mine, expected)
    out = tmp_path / "out"
    if force:
        perform(other, out)
    left = step
    with monkeypatch.context() as patch:

        def counted(function):  # type: ignore[no-untyped-def]
            def call(*args, **kwargs):  # type: ignore[no-untyped-def]
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return function(*args, **kwargs)

            return call

        for name in ("mkdir", "unlink", "replace", "chmod"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(disk, "put", counted(disk.put))
        patch.setattr(store.shutil, "rmtree", counted(store.shutil.rmtree))
        with suppress(Killed):
            perform(mine, out, force=force)
    if (
        force
        and SweepFolder(out).is_sweep()
        and SweepFolder(out).read_description() != mine.description
    ):
        with pytest.raises(GradlabError, match="use --force to start over"):
            perform(mine, out)
        perform(mine, out, force=True)
    else:
        perform(mine, out)
    check_whole(mine, out, table(expected))


def stop_signals() -> list[pytest.ParameterSet]:
    """Each signal with its exit code, sent to the coordinator, or as a terminal sends it."""
    return [
        pytest.param(signal.SIGINT, 130, False, id="SIGINT"),
        pytest.param(signal.SIGINT, 130, True, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, False, id="SIGTERM"),
    ]


@pytest.mark.fault(
    "sweep: Ctrl-C, SIGTERM", "exit 130, 143; what is done is kept; says how to go on"
)
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("number", "code", "everyone"), stop_signals())
def test_a_signal_drops_what_is_running_and_says_how_to_go_on(
    number: int, code: int, everyone: bool, jobs: int, config: Path, single: Planned, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["sweep", config, "--out", out, "-j", str(jobs), "--no-figures"]
    slow = {"seconds": LONG, "slow": [single.sweep.values(k)["weight_scale"] for k in (4, 5)]}
    with cleaned(start_wayward(slow, *arguments)) as process:
        assert until(lambda: len(files(out)) == 4)
        time.sleep(0.3)  # a file is there before it is counted
        began = time.monotonic()
        if everyone:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=SOON)
        took = time.monotonic() - began
        assert process.returncode == code, err
        assert took < STOP
        assert until(lambda: not in_session(process.pid), 2.0), "a worker has stayed"
    last = err.splitlines()[-1]
    assert last == "gradlab: interrupted: 4 of 60 points are done; " + last.partition("; ")[2]
    assert "same command" in last
    assert "Traceback" not in err
    assert "nothing was written" not in err
    assert temporary(out) == []
    there = files(out)
    done = wayward({}, *arguments)
    assert done.returncode == 0, done.stderr
    assert {name: files(out)[name] for name in there} == there
    perform(single, tmp_path / "undisturbed")
    check_whole(single, out, table(tmp_path / "undisturbed"))


@pytest.mark.fault("sweep: Ctrl-C twice", "ends at once")
def test_a_second_interrupt_ends_at_once(config: Path, tmp_path: Path) -> None:
    """At several distances from the first, also when it comes while the first is handled."""
    for distance in (0.0, 0.01, 0.05):
        out = tmp_path / str(distance)
        arguments = ["sweep", config, "--out", out, "-j", "2", "--no-figures"]
        with cleaned(start_wayward({"seconds": LONG}, *arguments)) as process:
            assert until(lambda: len(workers_in(process.pid)) == 2)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            time.sleep(distance)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=SOON)
            assert time.monotonic() - began < STOP
            assert process.returncode in (130, -signal.SIGINT), err
            assert until(lambda: not in_session(process.pid), STOP), "a worker has stayed"
        assert "Traceback" not in err, err


def test_ctrl_c_while_the_workers_start_is_quiet(config: Path, tmp_path: Path) -> None:
    """A worker that is still importing must not answer with a traceback."""
    for delay in (0.0, 0.03, 0.1):
        arguments = ["sweep", config, "--out", tmp_path / str(delay), "-j", "2", "--no-figures"]
        with cleaned(start_wayward({"seconds": LONG}, *arguments)) as process:
            assert until(lambda: len(workers_in(process.pid)) == 2)
            time.sleep(delay)
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=SOON)
        assert process.returncode == 130, err
        assert "Traceback" not in err


def test_an_interrupt_while_planning_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "cell: rnn\nhidden_size: 3\nsweep: {weight_scale: {linear: [0.1, 6.0], num: 200000}}\n"
    )
    with cleaned(start("sweep", "run.yaml", cwd=tmp_path)) as process:
        time.sleep(2.5)  # planning takes several times as long
        assert process.poll() is None
        assert not (tmp_path / "results").exists()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SOON)
    assert (process.returncode, err) == (130, "gradlab: interrupted; nothing was written\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.fault("sweep: lock files and temporary files of the dead", "no manual unlock; removed")
def test_what_a_kill_leaves_is_no_obstacle(single: Planned, tmp_path: Path) -> None:
    """A temporary file, in either folder, and a lock file are removed or ignored."""
    out = tmp_path / "out"
    perform(single, out)
    expected = table(out)
    for leftover in (out / ".tmp-abc", out / "tasks" / ".tmp-def"):
        leftover.write_bytes(b"half")
    SweepFolder(out).table.unlink()
    SweepFolder(out).task(single.tasks[7].id).unlink()
    progress, said = perform(single, out)
    assert (progress.before, progress.done, said) == (POINTS - 1, POINTS, [])
    check_whole(single, out, expected)
