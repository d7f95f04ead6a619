"""Disks, clocks, folders and names that are not as they should be.

Claims:
- a real full disk and a read-only working folder are told in one line; nothing is left, the earlier
  result stays, and with room or another place the same command works;
- nothing depends on the clock: set back between runs, or during one, the bytes are the same;
- folders that vanish while they are worked in are told, and nothing is made in their place;
- a name is a name: none leads out of the results root, and whatever is taken can be listed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from disks import disk, remount
from surroundings import ROOT, TINY, gradlab, told

import gradlab as package
from gradlab import job, provenance
from gradlab.errors import GradlabError
from gradlab.sweeps import job as sweepjob

RUN: dict[str, Any] = {"cell": "rnn", "hidden_size": 2, "seq_len": 4, "batch_size": 1, "seeds": 2}
RUN |= {"figures": "none"}
SWEEP = {**RUN, "spectrum": "none", "sweep": {"weight_scale": [0.5, 1.0]}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files but provenance.json, which tells the time."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "provenance.json" and not p.name.startswith(".lock")
    }


# ---------------------------------------------------------------- disks


@pytest.mark.fault(
    "run: a full disk (tmpfs of 64 kB)", "one line; nothing is left; works with more room"
)
def test_a_real_full_disk(config: Path) -> None:
    """The record alone does not fit; then it is the report that does not."""
    with disk("64k") as small:
        wide = ("seq_len=2000", "spectrum=none")
        full = gradlab("run", config, *wide, "--results", small / "r", cwd=config.parent)
        told(full, 2, "cannot write results to ", "no space left on device")
        assert full.stdout == "" and list((small / "r").iterdir()) == []
        remount(small, "size=16m")
        done = gradlab("run", config, *wide, "--results", small / "r", "-q", cwd=config.parent)
        told(done, 0)
        elsewhere = gradlab("run", config, *wide, "-o", "x", "-q", cwd=config.parent)
        assert elsewhere.returncode == 0
        assert (
            contents(small / "r" / "c-seq_len=2000-spectrum=none").keys()
            == contents(config.parent / "x").keys()
        )


@pytest.mark.fault("run: a full disk, over an earlier result", "the earlier result stays, whole")
def test_a_full_disk_keeps_the_earlier_result(config: Path) -> None:
    with disk("128k") as small:
        arguments = ("run", config, "--results", small / "r", "name=c")
        assert gradlab(*arguments, cwd=config.parent).returncode == 0
        before = contents(small / "r" / "c")
        full = gradlab(*arguments, "seq_len=3000", "spectrum=none", cwd=config.parent)
        told(full, 2, "no space left on device")
        assert contents(small / "r" / "c") == before
        assert [p.name for p in (small / "r").iterdir()] == ["c"]


@pytest.mark.fault(
    "surroundings: a read-only working folder", "exit 2 before computing; `--out` elsewhere works"
)
def test_a_read_only_working_folder(tmp_path: Path) -> None:
    with disk("64k") as small:
        (small / "c.yaml").write_text(TINY, encoding="utf-8")
        remount(small, "ro")
        told(gradlab("run", "c.yaml", cwd=small), 2, "results/c", "read-only file system")
        told(gradlab("sweep", "c.yaml", "seq_len=2,3", cwd=small), 2, "read-only file system")
        told(gradlab("run", "c.yaml", "--out", tmp_path / "x", "-q", cwd=small), 0)
        told(gradlab("ls", tmp_path, cwd=small), 0)
        told(gradlab("schema", cwd=small), 0)


@pytest.mark.fault("surroundings: the working folder is gone", "told in one line")
def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for arguments in ("run c.yaml", "ls"):
        line = f'rmdir "$PWD" && exec "$0" -B -m gradlab {arguments} </dev/null'
        done = subprocess.run(
            ["sh", "-c", line, sys.executable],
            cwd=gone,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in (1, 2)
        told(done, done.returncode)
        assert len(done.stderr.splitlines()) == 1
        gone.mkdir()


@pytest.mark.fault(
    "surroundings: no HOME, and none in the password file", "a run works; no cache is needed"
)
def test_no_home_at_all(config: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/dev/null/home"}
    done = gradlab("run", config, "-q", cwd=config.parent, env=bare)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("gradlab: ") for line in done.stderr.splitlines()), done.stderr


# ---------------------------------------------------------------- clocks


class Backwards(datetime):
    """A clock that is set back an hour whenever it is looked at."""

    calls = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        cls.calls += 1
        return datetime(2020, 1, 1, tzinfo=tz or UTC) - timedelta(hours=cls.calls)


@pytest.mark.fault(
    "surroundings: the clock goes backwards, files date from the future",
    "the same bytes; nothing is computed again",
)
def test_nothing_depends_on_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.run({**RUN, "name": "x"}, out=tmp_path / "a")
    package.sweep({**SWEEP, "name": "y"}, out=tmp_path / "b")
    for module in (job, provenance, sweepjob):
        monkeypatch.setattr(module, "datetime", Backwards)
    package.run({**RUN, "name": "x"}, out=tmp_path / "back" / "a")
    package.sweep({**SWEEP, "name": "y"}, out=tmp_path / "back" / "b")
    assert Backwards.calls > 2
    for name in ("a", "b"):
        assert contents(tmp_path / name) == contents(tmp_path / "back" / name)
        text = (tmp_path / "back" / name / "provenance.json").read_text("utf-8")
        assert json.loads(text)["seconds"] >= 0
    for path in tmp_path.rglob("*"):
        os.utime(path, (4e9, 4e9))  # the year 2096
    before = {p: p.stat().st_ino for p in (tmp_path / "a").iterdir()}
    package.run({**RUN, "name": "x"}, out=tmp_path / "a")
    assert {p: p.stat().st_ino for p in (tmp_path / "a").iterdir()} == before


# ---------------------------------------------------------------- folders that vanish


@pytest.mark.fault(
    "run: the results folder is deleted while running", "exit 2 in one line; nothing half-written"
)
@pytest.mark.parametrize("what", ["the staging folder", "the root"])
def test_a_folder_that_is_deleted_while_running(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, compute = tmp_path / "r", job.run

    def deleting(*arguments: Any) -> Any:
        gone = [root] if what == "the root" else list(root.iterdir())
        for path in gone:
            shutil.rmtree(path)
        return compute(*arguments)

    monkeypatch.setattr(job, "run", deleting)
    with pytest.raises(GradlabError, match=r"cannot write results to .*no such file") as refused:
        package.run(RUN, out=root / "x")
    assert refused.value.exit_code == 2
    assert not root.exists() or list(root.iterdir()) == []
    monkeypatch.setattr(job, "run", compute)
    package.run(RUN, out=root / "x")


@pytest.mark.fault(
    "sweep: the results folder is deleted while running", "exit 1 in one line; works again after"
)
@pytest.mark.parametrize("what", ["tasks", ""])
def test_a_sweep_whose_folder_is_deleted(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "s", sweepjob.write_task

    def deleting(*arguments: Any) -> None:
        shutil.rmtree(out / what)
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sweepjob, "write_task", deleting)
        with pytest.raises(GradlabError, match=r"cannot write .*no such file") as refused:
            package.sweep(SWEEP, out=out)
    assert refused.value.exit_code == 1
    assert package.sweep(SWEEP, out=out).done == 2


# ---------------------------------------------------------------- names

TAKEN = ["🧪", "grün", "a b", "x" * 100, "a;b", "$HOME", "%20", "~", "'", '"', "#1", "NULL", "é"]
REFUSED = ["../../x", "a/b", "/etc", "..", ".", ".hidden", "-x", "x" * 300, "🧪" * 51, "CON"]
REFUSED += ["nul.txt", "a\\b", "a\0b", "a\nb", " a", "a ", "a.", "", "\ud800", "a\x1b[31m"]


@pytest.mark.fault(
    "run: names with emoji, spaces, quotes, `$`, `~`, 100 characters", "a folder of that name"
)
def test_names_that_are_taken(tmp_path: Path) -> None:
    root = tmp_path / "r"
    for name in TAKEN:
        package.run({**RUN, "name": name}, out=root / name)
    assert {p.name for p in root.iterdir()} == set(TAKEN)
    listed = gradlab("ls", root, "--json", cwd=tmp_path)
    told(listed, 0)
    assert {row["name"] for row in json.loads(listed.stdout)} == set(TAKEN)


@pytest.mark.fault(
    "run: names that lead out, are hidden, reserved, too long, or cannot be printed",
    "exit 2 before anything is made",
)
@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_names_that_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match=r"^name must be .*, not ") as refused:
        package.run({**RUN, "name": name}, out=tmp_path / "x")
    assert str(refused.value).isprintable()
    assert not (tmp_path / "x").exists()


def test_a_name_on_the_command_line_is_held_to_the_same(config: Path) -> None:
    done = gradlab("run", config, "name=../../x", cwd=config.parent)
    told(done, 2, "command line, name=../../x", "a name and not a path")
    assert [p.name for p in config.parent.iterdir()] == ["c.yaml"]
