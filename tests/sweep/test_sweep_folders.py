"""Who may work in a sweep's folder, and on what.

- a second coordinator is refused with the first's host and pid; the lock is free when the first has
  ended, by SIGKILL too; readers are never kept out
- shards work at the same time in one folder, each alone on its share, and give the same table;
  they also begin the folder at the same time
- a shard that does not exist is refused
- a folder that holds another sweep, or anything else, is refused, with what differs; --force starts
  over
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from sweeping import (
    SOON,
    TINY,
    check_whole,
    cleaned,
    command,
    files,
    perform,
    planned,
    scales,
    start_wayward,
    table,
    temporary,
    until,
    wayward,
)

from gradlab.errors import GradlabError
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.store import SweepFolder, held

CONFIG = """
cell: rnn
hidden_size: 3
seq_len: 6
batch_size: 2
sweep: {weight_scale: {linear: [0.1, 1.2], num: 12}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A sweep of twelve points as a file."""
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Seven tasks of one point each."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    return planned(scales(7))


@pytest.mark.fault("sweep: two at once in one folder", "the second is refused, with who holds it")
def test_a_second_coordinator_is_refused_while_the_first_works(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["sweep", config, "--out", out, "-j", "1", "--no-figures"]
    with cleaned(start_wayward({"seconds": 60}, *arguments)) as first:
        assert until(lambda: (out / "tasks").is_dir())
        for more in ([], ["--shard", "1/2"], ["--force"]):
            second = wayward({}, *arguments, *more)
            assert second.returncode == 2
            (line,) = second.stderr.splitlines()
            assert line.startswith(f"gradlab: '{out}' is being worked on by ")
            assert f"{socket.gethostname()} pid {first.pid};" in line
        listed = command("ls", tmp_path)
        assert listed.returncode == 0, listed.stderr
        assert "out" in listed.stdout
        assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        first.wait()
        after = wayward({}, *arguments)
        assert after.returncode == 0, after.stderr


def test_the_lock_is_held_as_long_as_the_sweep(single: Planned, tmp_path: Path) -> None:
    path = SweepFolder(tmp_path)
    with held(path, None), pytest.raises(GradlabError, match=f"pid {os.getpid()}") as caught:
        perform(single, tmp_path)
    assert caught.value.exit_code == 2
    perform(single, tmp_path)  # the file of the lock is there, and nobody holds it


@pytest.mark.parametrize(
    ("holding", "wanted", "works"),
    [
        (None, None, False),
        (None, (1, 2), False),
        ((1, 2), None, False),
        ((1, 2), (1, 2), False),
        ((1, 2), (2, 2), True),
    ],
)
def test_who_may_work_beside_whom(
    holding: tuple[int, int] | None,
    wanted: tuple[int, int] | None,
    works: bool,
    single: Planned,
    tmp_path: Path,
) -> None:
    with held(SweepFolder(tmp_path), holding):
        if works:
            perform(single, tmp_path, shard=wanted)
        else:
            with pytest.raises(GradlabError, match="is being worked on by"):
                perform(single, tmp_path, shard=wanted)


@pytest.mark.fault("sweep: shards 1/3, 2/3, 3/3", "disjoint, and the whole")
def test_shards_are_disjoint_and_make_the_whole(single: Planned, tmp_path: Path) -> None:
    perform(single, tmp_path / "whole")
    out, seen = tmp_path / "out", set[str]()
    for index in (2, 3, 1):
        progress, _ = perform(single, out, shard=(index, 3))
        new = files(out).keys() - seen
        assert len(new) == progress.total == {1: 3, 2: 2, 3: 2}[index]
        seen |= new
    check_whole(single, out, table(tmp_path / "whole"))


def test_a_shard_that_has_nothing_to_do_is_no_error(single: Planned, tmp_path: Path) -> None:
    progress, _ = perform(single, tmp_path, shard=(8, 9))
    assert (progress.total, progress.done) == (0, 0)


@pytest.mark.fault("sweep: shards at the same time", "the same table")
def test_two_shards_at_the_same_time_give_the_same_table(config: Path, tmp_path: Path) -> None:
    whole = wayward({}, "sweep", config, "--out", tmp_path / "whole", "-j", "1", "--no-figures")
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "out"
    arguments = ["sweep", config, "--out", out, "-j", "1", "--no-figures"]
    options = {"seconds": 0.1, "watched": str(out / "tasks")}
    with (
        cleaned(start_wayward(options, *arguments, "--shard", "1/2")) as one,
        cleaned(start_wayward(options, *arguments, "--shard", "2/2")) as two,
    ):
        ends = [process.communicate(timeout=SOON) for process in (one, two)]
        assert (one.returncode, two.returncode) == (0, 0), ends
    assert table(out) == table(tmp_path / "whole")
    assert len(files(out)) == 12
    assert temporary(out) == []
    assert not list(tmp_path.rglob("TWICE-*"))


def test_shards_may_begin_a_folder_at_the_same_moment(single: Planned, tmp_path: Path) -> None:
    """Many times, four at once: none is refused, none removes what another has done."""
    perform(single, tmp_path / "whole")
    for attempt in range(15):
        out, errors = tmp_path / str(attempt), list[BaseException]()
        together = threading.Barrier(4)

        def work(shard: int, out: Path = out, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                perform(single, out, shard=(shard, 4))
            except BaseException as error:
                errors.append(error)  # noqa: B023

        threads = [threading.Thread(target=work, args=(k,)) for k in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        check_whole(single, out, table(tmp_path / "whole"))


@pytest.mark.fault("sweep: `--shard 0/3`, `4/3`", "exit 2")
@pytest.mark.parametrize(
    "shard", ["0/3", "4/3", "x", "1", "1/", "/2", "1/0", "-1/3", "1/3/5", "½/2"]
)
def test_a_shard_that_does_not_exist_is_refused(shard: str, config: Path, tmp_path: Path) -> None:
    refused = command("sweep", config, f"--shard={shard}", "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert refused.stderr.endswith("it is I/N with I from 1 to N, e.g. 2/8\n")
    assert repr(shard) in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("sweep: another sweep in the folder", "exit 2 with what differs")
def test_a_changed_sweep_is_refused_with_what_differs(tmp_path: Path) -> None:
    perform(planned(scales(3)), tmp_path)
    there = files(tmp_path)
    changes = {
        "seq_len was 6, is 7": scales(3, seq_len=7),
        "weight_scale was [[0.1], [0.2], [0.3]], is [[0.1], [0.2], [0.3], [0.4]]": scales(4),
        "seeds was [0], is [0, 1]": scales(3, seeds=2),
        'cell.type was "rnn", is "gru"': scales(3, cell="gru"),
        'init.recurrent was "normal", is "orthogonal"': scales(3, init="orthogonal"),
        "clip.threshold was absent, is 1.0": scales(3, clip={"threshold": 1.0}),
    }
    for difference, changed in changes.items():
        with pytest.raises(GradlabError) as caught:
            perform(planned(changed), tmp_path)
        assert caught.value.exit_code == 2
        assert difference in str(caught.value)
        assert "use --force to start over, or another --out or name=" in str(caught.value)
        assert files(tmp_path) == there
    other = {**TINY, "cell": "rnn", "sweep": {"seq_len": [5, 6]}}
    with pytest.raises(GradlabError, match="weight_scale was"):
        perform(planned(other), tmp_path)


def test_what_changes_no_number_is_the_same_sweep(single: Planned, tmp_path: Path) -> None:
    perform(single, tmp_path)
    there = files(tmp_path)
    same = scales(7, name="other", figures={"dpi": 90}, weight_scale=99, batch_size=2.0)
    progress, _ = perform(planned(same), tmp_path)
    assert (progress.before, files(tmp_path)) == (7, there)


def test_force_starts_over(tmp_path: Path) -> None:
    """Over another sweep, and over the same one."""
    out = tmp_path / "out"
    perform(planned(scales(3)), out)
    (out / "growth_rate.png").write_bytes(b"an old figure")
    plan = planned(scales(4))
    progress, _ = perform(plan, out, force=True)
    assert (progress.before, progress.done) == (0, 4)
    assert not (out / "growth_rate.png").exists()
    perform(plan, tmp_path / "expected")
    check_whole(plan, out, table(tmp_path / "expected"))
    there = files(out)
    progress, _ = perform(plan, out, force=True)
    assert progress.before == 0
    assert files(out).keys() == there.keys()
    assert all(files(out)[name] != there[name] for name in there)


def test_force_and_a_shard_do_not_go_together(config: Path, tmp_path: Path) -> None:
    """Each shard would remove what the others have done."""
    refused = command("sweep", config, "--out", tmp_path / "out", "--shard", "1/2", "--force")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert "shard" in refused.stderr


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "name",
    ["thesis.tex", "photo.png", "paper.pdf", "table.csv", "report.md", "sweep.yaml", "tasks/todo"],
)
def test_a_folder_with_files_of_no_sweep_is_never_touched(
    name: str, force: bool, tmp_path: Path
) -> None:
    """Also when they have names, or kinds, that a sweep uses."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("years of work")
    with pytest.raises(GradlabError, match="holds files of no sweep; give another --out or name="):
        perform(planned(scales(3)), tmp_path, force=force)
    left = [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith(".lock")]
    assert left == [tmp_path / name]
    assert left[0].read_text() == "years of work"


def test_the_folder_of_a_run_is_not_a_sweeps(tmp_path: Path) -> None:
    import gradlab

    gradlab.run({**TINY, "cell": "rnn"}, out=tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    with pytest.raises(GradlabError, match="holds files of no sweep"):
        perform(planned(scales(3)), tmp_path / "run", force=True)
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    assert {n: b for n, b in after.items() if not n.startswith(".lock")} == before


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", "null"])
def test_a_description_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    perform(planned(scales(3)), tmp_path)
    there = files(tmp_path)
    SweepFolder(tmp_path).description.write_text(text)
    with pytest.raises(GradlabError, match=re.escape(str(tmp_path))):
        perform(planned(scales(3)), tmp_path)
    with pytest.raises(GradlabError, match=re.escape(str(tmp_path))):
        SweepResult(tmp_path)
    assert files(tmp_path) == there


def test_a_pool_of_waiting_coordinators_leaves_one_table(single: Planned, tmp_path: Path) -> None:
    """Of several coordinators at once, one works; the others are refused and do no harm."""
    perform(single, tmp_path / "whole")
    out, refused = tmp_path / "out", list[str]()

    def work() -> None:
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            try:
                perform(single, out)
            except GradlabError as error:
                refused.append(str(error))
                time.sleep(0.002)
            else:
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("is being worked on by" in line for line in refused)
    check_whole(single, out, table(tmp_path / "whole"))
