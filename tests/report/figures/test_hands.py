"""Figures drawn by two processes.

Claims:
- every figure is drawn, and has the same bytes, with a child and without;
- the child draws half, and none where there are threads or no second core;
- what the child could not do is done again by its parent, which tells what is wrong;
- an error or an interrupt of the parent leaves no child behind;
- a command's figures have the bytes of a Python user's, whose matplotlib keeps its help texts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from report.figures.figure_records import record

from gradlab.report import figures
from gradlab.report.figures import hands

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with two cores, without threads; the tests' process may be another."""
    monkeypatch.setattr(hands, "may_fork", lambda: True)


def no_child() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.mark.parametrize("fork", [True, False])
def test_all_is_done_half_of_it_by_a_child(
    fork: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "may_fork", lambda: fork)
    hands.all_done(lambda name: (tmp_path / name).write_text(str(os.getpid())) and None, NAMES)
    own = [(tmp_path / name).read_text() == str(os.getpid()) for name in NAMES]
    assert own == ([True, False, True, False, True] if fork else [True] * 5)
    assert no_child()


@pytest.mark.usefixtures("forking")
def test_what_the_child_cannot_do_its_parent_does(tmp_path: Path) -> None:
    parent = os.getpid()

    def do(name: str) -> None:
        if os.getpid() != parent:
            raise MemoryError
        (tmp_path / name).touch()

    hands.all_done(do, NAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(NAMES)


@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize("wrong", NAMES)
@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_an_error_is_told_and_no_child_is_left(wrong: str, error: BaseException) -> None:
    def do(name: str) -> None:
        if name == wrong:
            raise error

    with pytest.raises(type(error)):
        hands.all_done(do, NAMES)
    assert no_child()


def test_no_child_without_a_second_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    assert not hands.may_fork()


PROGRAM = """
import sys
from pathlib import Path
from gradlab.report import figures, style
from gradlab.store import load
if sys.argv[1] == "own":
    style.own_process()
figures.save(load(Path(sys.argv[2])), Path(sys.argv[3]), ["png", "svg", "pdf"], 60)
from matplotlib.lines import Line2D
print("linestyle" in (Line2D.set.__doc__ or ""))
"""


def test_a_commands_figures_are_those_of_a_python_user(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.npz").write_bytes(record("lstm").to_bytes())
    found = {}
    for whose in ("own", "user's"):
        folder = tmp_path / whose
        folder.mkdir()
        program = [sys.executable, "-c", PROGRAM, whose, str(tmp_path / "run"), str(folder)]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
        assert done.stdout == f"{whose != 'own'}\n"
        found[whose] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found["own"] == found["user's"]
    names = [name for name, one in figures.FIGURES.items() if one.applies(record("lstm"))]
    assert len(found["own"]) == 3 * len(names) > 9
