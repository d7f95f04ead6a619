"""gradlab clean: what is of no more use goes, when asked; all else stays, to the byte.

Claims:
- nothing is removed without --yes; what is listed is what --yes removes;
- staging folders, temporary files and folders left between renames go where their process is dead,
  and stay while it lives; a result that lies in one alone is never removed;
- a result goes whose config is gone, also one moved with its project, of a sweep and in .previous;
  it stays where the config is there by either path, was never a file, or its disk may be missing;
- a folder with anything in it that gradlab did not write stays whole and is told: a file, a folder,
  a link, a pipe; a torn or foreign record; a newer schema; a name of ours with no record of ours;
- links are never followed, the root included; results without any trouble are not touched;
- what fails is told, exit 1; --json is one document.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import command, environment, refused

from gradlab import stale
from gradlab.errors import GradlabError

STAGED = ".gradlab-staging-0123456789abcdef"


def snapshot(root: Path) -> dict[str, Any]:
    """Every path below root, links not followed, with bytes where it is a file."""
    found: dict[str, Any] = {}
    for base, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(base) / name
            plain = path.is_file() and not path.is_symlink() and not name.startswith(".lock")
            found[str(path.relative_to(root))] = path.read_bytes() if plain else None
    return found


def listed(*arguments: str) -> dict[str, str]:
    """Name -> reason of what is stale."""
    done = command("clean", "--json", *arguments)
    assert done.exit_code == 0, done.stderr
    return {Path(one["path"]).name: one["reason"] for one in json.loads(done.stdout)["stale"]}


def left() -> dict[str, str]:
    done = command("clean", "--json")
    return {Path(one["path"]).name: one["reason"] for one in json.loads(done.stdout)["left"]}


@pytest.fixture
def orphan(folder: Path) -> Path:
    """A result whose config is gone."""
    assert command("run", "c.yaml", "-q").exit_code == 0
    (folder / "c.yaml").unlink()
    return folder / "results" / "c"


# ---------------------------------------------------------------- what goes


def test_nothing_is_removed_without_yes(orphan: Path) -> None:
    (orphan.parent / STAGED).mkdir()
    before = snapshot(orphan.parent)
    done = command("clean")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"results/{STAGED}: staging folder of a run that was killed",
        f"results/c: its config {orphan.parents[1] / 'c.yaml'} is gone",
    ]
    assert "2 found" in done.stderr and "--yes removes" in done.stderr
    assert snapshot(orphan.parent) == before
    assert command("clean", "-q").stdout.split() == [f"results/{STAGED}", "results/c"]
    removed = command("clean", "--yes")
    assert removed.stdout == done.stdout
    assert snapshot(orphan.parent) == {}
    assert "nothing to remove" in command("clean").stderr


def test_sound_results_are_not_touched(folder: Path) -> None:
    command("run", "c.yaml", "-q")
    command("run", "c.yaml", "seq_len=3", "-q", "name=c")  # c is kept in .previous
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1")
    before = snapshot(folder)
    assert listed("--yes") == {}
    assert left() == {}
    assert snapshot(folder) == before


def test_a_sweep_whose_config_is_gone(folder: Path) -> None:
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1", "--out", "results/s")
    command("export", "results/s")
    (folder / "results/s/tasks/.tmp-abc12345").write_bytes(b"half")
    (folder / "results/s/tasks/0a.npz.bad").write_bytes(b"torn")
    (folder / "c.yaml").unlink()
    assert set(listed("--yes")) == {"s"}
    assert not (folder / "results" / "s").exists()


def test_what_previous_keeps_goes_with_its_config(folder: Path) -> None:
    shutil.copy(folder / "c.yaml", folder / "d.yaml")
    command("run", "d.yaml", "-q")
    command("run", "c.yaml", "seq_len=3", "name=d", "-q")
    (folder / "d.yaml").unlink()
    done = command("clean", "--yes")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["results/.previous/d"]
    assert (folder / "results" / "d").is_dir()


def test_temporary_files_of_a_sweep_go_and_the_sweep_stays(folder: Path) -> None:
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1", "--out", "results/s")
    before = snapshot(folder)
    (folder / "results/s/.tmp-abc12345").write_bytes(b"half")
    (folder / "results/s/tasks/.tmp-abcdefgh").write_bytes(b"half")
    (folder / "results/s/.tmp-mine").write_bytes(b"no name that gradlab gives")
    assert set(listed("--yes")) == {".tmp-abc12345", ".tmp-abcdefgh"}
    (folder / "results/s/.tmp-mine").unlink()
    assert snapshot(folder) == before


def test_a_folder_left_between_renames_goes_if_the_result_is_there(folder: Path) -> None:
    command("run", "c.yaml", "-q")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    aside = folder / "results" / f".c.swap-{dead}"
    shutil.copytree(folder / "results" / "c", aside)
    (folder / "results" / "c").rename(folder / "elsewhere")  # killed after the first rename
    assert listed("--yes") == {}
    assert "which is not there: rename it back" in left()[aside.name]
    (folder / "elsewhere").rename(folder / "results" / "c")
    assert set(listed("--yes")) == {aside.name}
    alive = folder / "results" / f".c.swap-{os.getpid()}"
    shutil.copytree(folder / "results" / "c", alive)
    assert listed("--yes") == {}
    assert f"process {os.getpid()} may be at work" in left()[alive.name]


# ---------------------------------------------------------------- whether the config is gone


def test_a_config_that_moved_with_its_project_is_there(folder: Path) -> None:
    (folder / "a").mkdir()
    shutil.move(folder / "c.yaml", folder / "a" / "c.yaml")
    command("run", "a/c.yaml", "-q", "--results", "a/results")
    (folder / "a").rename(folder / "b")
    assert listed("b/results") == {}
    shutil.move(folder / "b" / "results", folder / "moved")  # now neither path leads to it
    (folder / "a").mkdir()
    assert set(listed("moved")) == {"c"}


def test_a_config_that_was_no_file_is_never_gone(folder: Path) -> None:
    text = (folder / "c.yaml").read_text(encoding="utf-8")
    assert command("run", "-", "-q", input=text).exit_code == 0
    assert listed() == {} and left() == {}


def test_a_disk_that_may_be_missing_is_told(folder: Path) -> None:
    (folder / "disk").mkdir()
    shutil.move(folder / "c.yaml", folder / "disk" / "c.yaml")
    command("run", "disk/c.yaml", "-q")
    shutil.rmtree(folder / "disk")
    assert listed("--yes") == {}
    assert "is a disk missing?" in left()["c"]


@pytest.mark.parametrize(
    "origin", [None, 3, [], {}, {"path": 3, "relative": "x"}, {"path": "/a\0b", "relative": "c"}]
)
def test_an_origin_that_is_none_is_not_known(origin: Any, orphan: Path) -> None:
    path = orphan / "provenance.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(found | {"config": origin}), encoding="utf-8")
    assert listed("--yes") == {}
    assert orphan.is_dir()


# ---------------------------------------------------------------- what is not gradlab's


def _link(path: Path) -> None:
    path.symlink_to(path.parents[2] / "precious")


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "a note": lambda path: (path / "notes.txt").write_text("mine", encoding="utf-8"),
    "a hidden file": lambda path: (path / ".keep").touch(),
    "a folder": lambda path: (path / "more").mkdir(),
    "a folder by a name of ours": lambda path: (path / "singular_values.png").mkdir(),
    "a link by a name of ours": lambda path: _link(path / "gradient_norms.png"),
    "a link to a folder": lambda path: _link(path / "tasks"),
    "a pipe by a name of ours": lambda path: os.mkfifo(path / "lag_split.pdf"),
    "a figure of no format of ours": lambda path: (path / "gradient_norms.gif").touch(),
    "a torn record": lambda path: (path / "record.npz").write_bytes(b"PK\3\4"),
    "no record": lambda path: (path / "record.npz").unlink(),
    "no summary": lambda path: (path / "summary.json").unlink(),
    "a summary of others": lambda path: (path / "summary.json").write_text("[1]", "utf-8"),
    "a newer schema": lambda path: (path / "summary.json").write_text('{"schema": 999}', "utf-8"),
    "another's summary": lambda path: (path / "summary.json").write_text(
        '{"schema": 1, "identity": "x"}', "utf-8"
    ),
    "a summary nested deeply": lambda path: (path / "summary.json").write_text(
        "[" * 100_000, "utf-8"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_with_anything_foreign_stays_whole_and_is_told(name: str, orphan: Path) -> None:
    (orphan.parents[1] / "precious").mkdir()
    (orphan.parents[1] / "precious" / "file").touch()
    HOSTILE[name](orphan)
    before = snapshot(orphan.parents[1])
    assert listed("--yes") == {}
    assert set(left()) == {"c"}
    assert "is left: " in command("clean").stderr
    assert snapshot(orphan.parents[1]) == before


@pytest.mark.parametrize("name", ["notes.txt", "tasks/notes.txt", "tasks/deep/x", ".tmp-mine"])
def test_a_sweep_with_anything_foreign_stays_whole(name: str, folder: Path) -> None:
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1", "--out", "results/s")
    (folder / "c.yaml").unlink()
    path = folder / "results" / "s" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    before = snapshot(folder)
    assert listed("--yes") == {}
    assert set(left()) == {"s"}
    assert snapshot(folder) == before


def test_a_tasks_folder_that_is_a_link_is_not_followed(folder: Path) -> None:
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1", "--out", "results/s")
    (folder / "c.yaml").unlink()
    (folder / "results/s/tasks").rename(folder / "tasks")
    (folder / "results/s/tasks").symlink_to(folder / "tasks")
    before = snapshot(folder)
    assert listed("--yes") == {}
    assert "'tasks'" in left()["s"]
    assert snapshot(folder) == before


def test_names_that_only_look_like_ours_are_not_seen(folder: Path) -> None:
    root = folder / "results"
    for name in (
        ".gradlab-staging-x",
        ".gradlab-staging-",
        "gradlab-staging-0123456789abcdef",
        ".x.swap-",
        "data",
        ".git",
    ):
        (root / name).mkdir(parents=True)
        (root / name / "precious").touch()
    (root / STAGED).write_text("a file", encoding="utf-8")
    (root / ".gradlab-staging-fedcba9876543210").mkdir()
    (root / ".gradlab-staging-fedcba9876543210" / "precious").touch()
    before = snapshot(root)
    assert listed("--yes") == {}
    assert set(left()) == {".gradlab-staging-fedcba9876543210"}
    assert snapshot(root) == before


def test_links_are_never_followed(orphan: Path, folder: Path) -> None:
    shutil.move(orphan, folder / "away")
    orphan.symlink_to(folder / "away")
    (folder / "results" / STAGED).symlink_to(folder / "away")
    (folder / "results" / ".previous").symlink_to(folder)
    before = snapshot(folder)
    assert listed("--yes") == {}
    assert snapshot(folder) == before
    (folder / "link").symlink_to(folder / "results")
    refused(command("clean", "link", "--yes"), "is a link")


# ---------------------------------------------------------------- what is held


def test_a_staging_folder_that_is_held_stays(folder: Path) -> None:
    path = folder / "results" / STAGED
    path.mkdir(parents=True)
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as a run does
    assert listed("--yes") == {}
    assert "at work" in left()[STAGED]
    os.close(descriptor)
    assert set(listed("--yes")) == {STAGED}


@pytest.mark.parametrize("how", [fcntl.LOCK_EX, fcntl.LOCK_SH], ids=["whole", "shard"])
def test_a_sweep_that_is_held_stays(how: int, folder: Path) -> None:
    command("sweep", "c.yaml", "seq_len=3,4", "-q", "--jobs", "1", "--out", "results/s")
    (folder / "c.yaml").unlink()
    descriptor = os.open(folder / "results/s/.lock", os.O_RDWR)
    fcntl.flock(descriptor, how)
    before = snapshot(folder)
    assert listed("--yes") == {}
    assert "at work" in left()["s"]
    assert snapshot(folder) == before
    os.close(descriptor)
    assert set(listed("--yes")) == {"s"}


def test_a_run_at_work_loses_nothing(folder: Path) -> None:
    """A real run, stopped while it writes; clean --yes beside it; the run then ends well."""
    program = (
        "import sys, time\nfrom gradlab import job\nfrom gradlab.cli import main\n"
        "before = job.run\n"
        "def run(*a, **k):\n"
        "    print('in', flush=True)\n    sys.stdin.readline()\n    return before(*a, **k)\n"
        "job.run = run\nsys.argv = ['gradlab', 'run', 'c.yaml', '-q']\nmain()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None and running.stdin is not None
        assert running.stdout.readline() == "in\n"
        done = command("clean", "--yes")
        assert (done.exit_code, done.stdout) == (0, "")
        assert "at work" in done.stderr
        running.stdin.write("\n")
        running.stdin.close()
        assert running.wait(timeout=60) == 0
    assert (folder / "results" / "c" / "summary.json").is_file()


def test_what_is_replaced_meanwhile_stays(orphan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new result takes the place after the folder was judged and before it is held."""
    (found,), _ = stale.survey(orphan.parent)
    judge = stale._judged

    def judged(path: Path) -> list[stale.Stale]:
        again = judge(path)
        shutil.copytree(orphan, orphan.with_name("new"))
        orphan.rename(orphan.with_name("old"))
        orphan.with_name("new").rename(orphan)
        return again

    monkeypatch.setattr(stale, "_judged", judged)
    before = snapshot(orphan)
    with pytest.raises(GradlabError, match="just replaced") as error:
        stale.remove(found)
    assert error.value.exit_code == 1
    assert snapshot(orphan) == before


def test_what_cannot_be_removed_is_told_and_the_rest_goes(
    orphan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orphan.parent / STAGED).mkdir()
    rmdir = os.rmdir

    def failing(path: Any, **more: Any) -> None:
        if Path(path).name == STAGED:
            raise OSError(30, "Read-only file system")
        rmdir(path, **more)

    monkeypatch.setattr(os, "rmdir", failing)
    done = command("clean", "--yes")
    assert done.exit_code == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["results/c"]
    assert f"cannot remove 'results/{STAGED}': read-only file system" in done.stderr
    assert not orphan.exists()


def test_no_root(folder: Path) -> None:
    refused(command("clean"), "there is no folder 'results'")
    refused(command("clean", "c.yaml"), "there is no folder 'c.yaml'")
