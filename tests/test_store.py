"""Results on disk: the old result or the new one, each whole, whatever fails and whenever.

Claims:
- whichever write, flush or rename fails (disk full, input/output error, any exception), the folder
  holds the old result or the new one, byte for byte, and no staging folder is left;
- a kill at any moment leaves the same, and the next run removes what the killed one left;
- the staging folder of a process that works is never touched, nor one that was only just made;
- what is replaced is kept for one generation, in `.previous/`: at every moment the old result is
  whole in its place or there, also where the system has no links, or is interrupted;
- folders that gradlab did not make, sweeps, files and places that cannot be written are refused
  before anything is computed;
- two folders change places, with the system's help or without it.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import gradlab
from gradlab import job, rename, store
from gradlab.errors import GradlabError
from gradlab.report import figures
from gradlab.store import PREVIOUS, STAGING, Folder, staged

ROOT = Path(__file__).resolve().parents[1]
TINY: dict[str, Any] = {
    "cell": "rnn",
    "hidden_size": 2,
    "batch_size": 1,
    "seq_len": 4,
    "seeds": 2,
    "spectrum": "none",
    "figures": "none",
}
OLD, NEW = TINY, {**TINY, "seq_len": 5}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder; provenance.json by its name alone, it tells the time."""
    return {
        str(path.relative_to(folder)): b"" if path.name == "provenance.json" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def staging(root: Path) -> list[Path]:
    """What runs have left behind beside their results."""
    return list(root.glob(f"{STAGING}*"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the folder holds after OLD, and after NEW, when nothing fails."""
    root = tmp_path_factory.mktemp("whole")
    for name, config in (("old", OLD), ("new", NEW)):
        gradlab.run({**config, "name": "x"}, out=root / name / "x")
    return contents(root / "old" / "x"), contents(root / "new" / "x")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the result of OLD."""
    gradlab.run({**OLD, "name": "x"}, out=tmp_path / "x")
    return tmp_path / "x"


def replace(place: Path) -> None:
    """Put the result of NEW there."""
    gradlab.run({**NEW, "name": "x"}, out=place)


def refusal(place: Path) -> str:
    """What is said when the result of NEW cannot be put there; nothing when it can."""
    try:
        replace(place)
    except GradlabError as error:
        return str(error)
    return ""


class Nth:
    """A function that fails the n-th time it is called (from 1), and counts its calls."""

    def __init__(self, function: Callable[..., Any], n: int, error: BaseException) -> None:
        self.function, self.n, self.error, self.calls = function, n, error, 0

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.calls += 1
        if self.calls == self.n:
            raise self.error
        return self.function(*arguments, **keywords)


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---------------------------------------------------------------- something fails


@pytest.mark.fault(
    "run: disk full or input/output error at the n-th flush, for every n",
    "the old result or the new one, byte for byte",
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_flush_that_fails_leaves_the_old_result_or_the_new_one(
    number: int,
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for n in count(1):
        flush = Nth(os.fsync, n, OSError(number, os.strerror(number)))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", flush)
            if failed := refusal(place):
                assert str(place) in failed
                assert os.strerror(number).lower() in failed
        assert bool(failed) == (flush.calls >= n)  # or there is no n-th flush
        assert staging(place.parent) == []
        assert contents(place) in both
        if contents(place) == both[1]:  # the last flush comes after the move
            break
    assert n > 5  # config, record, steps, provenance, summary


@pytest.mark.fault("run: any exception while writing", "the old result stays; no staging folder")
@pytest.mark.parametrize(
    ("where", "what"),
    [
        (job.markdown, "report"),
        (figures, "save"),
        (job, "provenance"),
        (store, "exchange"),
        (store, "_lock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("error", [full(), RuntimeError("a bug"), KeyboardInterrupt()])
def test_whatever_is_raised_while_writing_the_old_result_stays(
    where: Any,
    what: str,
    error: BaseException,
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, what, Nth(getattr(where, what), 1, error))
    expected = GradlabError if isinstance(error, OSError) else type(error)
    drawn = {"figures": {"formats": ["png"], "dpi": 50}} if what == "save" else {}
    with pytest.raises(expected) as caught:
        gradlab.run({**NEW, **drawn}, out=place)
    if isinstance(error, OSError):
        assert "no space left" in str(caught.value)
    assert contents(place) == both[0]
    assert staging(place.parent) == []
    kept = contents(place.parent / PREVIOUS)  # before the exchange, or not at all
    assert kept == ({f"x/{name}": data for name, data in both[0].items()} if kept else {})
    assert bool(kept) == (what == "exchange")


def test_the_first_result_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", Nth(os.fsync, 3, full()))
    with pytest.raises(GradlabError, match="no space left"):
        gradlab.run(OLD, out=tmp_path / "deep" / "x")
    assert [p.name for p in tmp_path.rglob("*")] == ["deep"]


def test_no_result_is_lost_where_it_cannot_be_kept(
    place: Path, both: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    (place.parent / PREVIOUS).write_text("a file where .previous/ should be", encoding="utf-8")
    with pytest.raises(GradlabError):
        replace(place)
    assert contents(place) == both[0]  # told that nothing was written: then nothing has changed


# each limit lets more be written: nothing, all but the record, all but a figure
@pytest.mark.fault("run: a limit on the size of files", "one line; nothing left")
@pytest.mark.parametrize("limit", [100, 3_000, 40_000])
def test_a_file_that_may_not_grow_leaves_nothing(limit: int, tmp_path: Path) -> None:
    config = "cell: rnn\nhidden_size: 2\nseq_len: 4\nseeds: 2\n"
    (tmp_path / "c.yaml").write_text(config, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-B", "-m", "gradlab", "run", "c.yaml"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode != 0
    told = r"gradlab: cannot write results to '(\S+/)?results/c': file too large\n"
    assert re.fullmatch(told, done.stderr), done.stderr
    assert [p.name for p in tmp_path.rglob("*") if p.name != "results"] == ["c.yaml"]


# ---------------------------------------------------------------- a kill


PROGRAM = """
import os, signal, sys
from pathlib import Path
import gradlab
from gradlab import store

def kill_at(n, where, name):
    function, calls = getattr(where, name), 0
    def counted(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    setattr(where, name, counted)

place, name, n, after = sys.argv[1:]
where = {{"fsync": os, "link": os, "exchange": store}}[name]
kill_at(int(n), where, name)
if after == "after":
    exchange = store.exchange
    def killed(a, b):
        exchange(a, b)
        os.kill(os.getpid(), signal.SIGKILL)
    store.exchange = killed
gradlab.run({config!r}, out=place)
print("it was never killed")
"""


def environment() -> dict[str, str]:
    """The checkout in front, whether gradlab is installed or not."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


@pytest.mark.fault(
    "run: kill -9 at each moment of writing and moving",
    "the old result or the new one; the next run cleans up",
)
@pytest.mark.parametrize(
    ("moment", "which"),
    [
        (("fsync", "1", ""), "old"),
        (("fsync", "5", ""), "old"),
        (("exchange", "1", ""), "old"),
        (("exchange", "9", "after"), "new"),
        (("link", "1", ""), "old"),
        (("link", "3", ""), "old"),
    ],
    ids=[
        "first file",
        "last file",
        "before the move",
        "after the move",
        "before it is kept",
        "while it is kept",
    ],
)
def test_a_kill_leaves_the_old_result_or_the_new_one(
    moment: tuple[str, str, str],
    which: str,
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    program = PROGRAM.format(config={**NEW, "name": "x"})
    done = subprocess.run(
        [sys.executable, "-c", program, str(place), *moment],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr + done.stdout
    assert contents(place) == both[which == "new"]
    assert len(staging(place.parent)) == 1
    gradlab.run({**OLD, "seq_len": 2}, out=place.parent / "another")
    assert staging(place.parent) == []
    assert contents(place) == both[which == "new"]
    if which == "new":
        assert contents(place.parent / PREVIOUS / "x") == both[0]
    replace(place)  # whatever the killed run has left in .previous/
    assert contents(place) == both[1]


# ---------------------------------------------------------------- others at work


def test_the_staging_folder_of_a_process_at_work_stays(tmp_path: Path) -> None:
    with staged(Folder(tmp_path / "slow")) as slow:
        (slow.path / "half").write_text("half", encoding="utf-8")
        gradlab.run(OLD, out=tmp_path / "quick")
        assert (slow.path / "half").read_text(encoding="utf-8") == "half"
    assert (tmp_path / "slow" / "half").is_file()
    assert (tmp_path / "quick" / "summary.json").is_file()


@pytest.mark.fault(
    "run: two at the same time into one folder", "the later one whole, the earlier one kept"
)
def test_two_runs_into_one_folder_leave_the_later_whole_and_the_earlier_kept(
    tmp_path: Path, both: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    with staged(Folder(tmp_path / "x")) as later:
        gradlab.run({**OLD, "name": "x"}, out=tmp_path / "x")
        for name, data in both[1].items():
            (later.path / name).write_bytes(data)
    assert contents(tmp_path / "x") == both[1]
    assert contents(tmp_path / PREVIOUS / "x") == both[0]


def test_a_signal_while_the_staging_folder_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def interrupted(path: Path, *arguments: Any, **keywords: Any) -> None:
        make(path, *arguments, **keywords)
        if path.name.startswith(store.STAGING):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gradlab.run(OLD, out=tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_staging_folder_that_was_only_just_made_is_not_taken_for_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run begins between the making of the staging folder and its lock."""
    lock, calls = store._lock, 0

    def locked(staging: Path) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            gradlab.run({**OLD, "seq_len": 2}, out=tmp_path / "another")
            assert not staging.exists()  # the other run took it away
        return lock(staging)

    monkeypatch.setattr(store, "_lock", locked)
    gradlab.run(OLD, out=tmp_path / "x")
    assert {p.name for p in tmp_path.iterdir()} == {"another", "x"}


# ---------------------------------------------------------------- what is replaced


def test_what_is_replaced_is_kept_for_one_generation(
    place: Path, both: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    replace(place)
    assert contents(place) == both[1]
    assert contents(place.parent / PREVIOUS / "x") == both[0]
    gradlab.run({**OLD, "seq_len": 3}, out=place)
    assert contents(place.parent / PREVIOUS / "x") == both[1]
    assert {p.name for p in place.parent.iterdir()} == {"x", PREVIOUS}


def test_an_interrupt_after_the_exchange_does_not_lose_what_was_there(
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(a: Path, b: Path) -> NoReturn:
        rename.exchange(a, b)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "exchange", interrupted)
        with pytest.raises(KeyboardInterrupt):
            replace(place)
    assert contents(place) == both[1]
    assert contents(place.parent / PREVIOUS / "x") == both[0]
    assert staging(place.parent) == []


def test_what_is_replaced_is_copied_where_there_are_no_links(
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_links(*arguments: Any, **keywords: Any) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    with monkeypatch.context() as patch:
        patch.setattr(store.shutil, "copy2", Nth(store.shutil.copy2, 2, full()))
        with pytest.raises(GradlabError, match=r"cannot write results to '\S+x': .*no space left"):
            replace(place)
    assert contents(place) == both[0]
    assert staging(place.parent) == []
    replace(place)
    assert contents(place) == both[1]
    assert contents(place.parent / PREVIOUS / "x") == both[0]


def test_a_folder_beside_it_is_left_alone(place: Path, tmp_path: Path) -> None:
    before = contents(place)
    gradlab.run(NEW, out=tmp_path / "y")
    assert contents(place) == before
    assert not (tmp_path / PREVIOUS).exists()


def test_the_folder_can_be_read_by_others(place: Path) -> None:
    assert place.stat().st_mode & 0o777 == 0o755  # a staging folder alone is private


# ---------------------------------------------------------------- what is refused


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be computed."""

    def computed(*arguments: Any) -> NoReturn:
        pytest.fail("something was computed before the place was looked at")

    monkeypatch.setattr(job, "run", computed)


def foreign(path: Path) -> Path:
    path.mkdir()
    (path / "notes.txt").write_text("mine", encoding="utf-8")
    return path


def a_file(path: Path) -> Path:
    path.write_text("mine", encoding="utf-8")
    return path


@pytest.mark.fault("run: a place that holds other files", "exit 2 before computing")
@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("make", "below", "word"),
    [
        (foreign, "", "did not write"),
        (a_file, "", "is a file"),
        (a_file, "x", "cannot write results"),
        (a_file, "deep/x", "cannot write results"),
    ],
)
def test_a_place_of_others_is_refused_before_anything_is_computed(
    make: Callable[[Path], Path], below: str, word: str, tmp_path: Path
) -> None:
    there = make(tmp_path / "there")
    before = contents(tmp_path)
    with pytest.raises(GradlabError, match=word) as caught:
        gradlab.run(OLD, out=there / below)
    assert caught.value.exit_code == 2
    assert contents(tmp_path) == before
    assert staging(tmp_path) == []


@pytest.mark.fault("run: a read-only file system", "exit 2 before computing")
@pytest.mark.usefixtures("idle")
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_a_read_only_place_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(GradlabError, match="cannot write results to '/proc/gradlab/x'"):
        gradlab.run(OLD, out="/proc/gradlab/x")


@pytest.mark.usefixtures("idle")
def test_the_working_folder_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it cannot be renamed, so it cannot be replaced whole
    with pytest.raises(GradlabError):
        gradlab.run(OLD, out=".")


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    gradlab.run(OLD, out=tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "summary.json").is_file()


def test_a_resolved_config_behind_a_link_finds_its_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", weight_hh=np.eye(2), weight_ih=np.eye(2))
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/away")
    text = "cell: rnn\ninit: {file: w.npz}\nseq_len: 2\nfigures: none\n"
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    first = gradlab.run(tmp_path / "c.yaml", out=tmp_path / "link")
    for way in ("link", "far/away"):
        assert gradlab.run(tmp_path / way / "config.yaml").identity == first.identity


@pytest.mark.usefixtures("idle")
def test_a_run_does_not_replace_a_sweep(tmp_path: Path) -> None:
    sweep = {**OLD, "sweep": {"weight_scale": [1.0, 2.0]}}
    gradlab.sweep(sweep, out=tmp_path / "x", executor="serial")
    before = contents(tmp_path / "x")
    with pytest.raises(GradlabError):
        gradlab.run(OLD, out=tmp_path / "x")
    assert contents(tmp_path / "x") == before
    assert not (tmp_path / PREVIOUS).exists()


def test_an_empty_folder_is_a_place_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    gradlab.run(OLD, out=tmp_path / "x")
    assert (tmp_path / "x" / "summary.json").is_file()
    assert not (tmp_path / PREVIOUS).exists()


# ---------------------------------------------------------------- two folders change places


def pair(root: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "file").write_text(name, encoding="utf-8")
    return root / "a", root / "b"


@pytest.mark.parametrize("system", [True, False], ids=["by the system", "by renames"])
def test_two_folders_change_places(
    system: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not system:
        monkeypatch.setattr(rename, "_renameat2", lambda a, b: False)
    a, b = pair(tmp_path)
    rename.exchange(a, b)
    assert (a / "file").read_text(encoding="utf-8") == "b"
    assert (b / "file").read_text(encoding="utf-8") == "a"
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b"}


def test_a_result_is_replaced_where_the_system_cannot_exchange(
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rename, "_renameat2", lambda a, b: False)
    replace(place)
    assert contents(place) == both[1]
    assert contents(place.parent / PREVIOUS / "x") == both[0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_renames_that_stop_half_way_lose_no_result(
    n: int,
    place: Path,
    both: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rename, "_renameat2", lambda a, b: False)
    move = Nth(Path.rename, n, full())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda self, target: move(self, target))
        with pytest.raises(GradlabError):
            replace(place)
    gradlab.run({**OLD, "seq_len": 2}, out=place.parent / "another")  # which cleans up
    assert place.is_dir()
    assert contents(place) in both
    assert both[0] in (contents(place), contents(place.parent / PREVIOUS / "x"))


def test_what_is_not_there_cannot_change_places(tmp_path: Path) -> None:
    a, _ = pair(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        rename.exchange(a, tmp_path / "nowhere")
    assert (a / "file").read_text(encoding="utf-8") == "a"
