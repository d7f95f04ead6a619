"""What is loaded when: nothing slow before it is needed.

Claims:
- `gradlab --help` and `--version` load neither numpy, matplotlib, pydantic nor yaml;
- `run --help` loads none of them either, but for what typer itself may load (pydantic);
- a run without figures loads neither matplotlib nor the modules that draw; where no tables are
  shown, not rich;
- what reads weights files, sweeps, own cells and the JSON Schema is not loaded by a run of none;
- a command ends with its own exit code, after what else was to be done at the end, and without a
  search for garbage in what was loaded;
- the command settles one thread for the linear algebra before numpy is loaded, where the
  environment does not say how many;
- while modules are loaded nothing is searched for garbage, and from then on as python does, but
  not in what was loaded to draw; and this in the command alone: a program that imports gradlab
  has its own pace, and matplotlib's help texts;
- Ctrl-C while the command line is still being loaded is told in one line, with exit code 130.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradlab.threads import NAMES

SLOW = ("numpy", "matplotlib", "pydantic", "yaml")
NOT_FOR_A_RUN = (
    *("matplotlib", "rich", "gradlab.report.figures"),
    *("gradlab.sweeps", "gradlab.config.sweep", "gradlab.config.json_schema"),
    *("gradlab.cells.own", "gradlab.weights.kerasfile", "gradlab.weights.onnxfile"),
    *("gradlab.weights.torchfile", "gradlab.weights.tensorfile", "safetensors"),
)
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
PROGRAM = """
import sys
from gradlab.cli import main
sys.argv = ["gradlab", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("loaded:", *sorted(m for m in {slow!r} if m in sys.modules))
"""


def loaded(*arguments: str, slow: tuple[str, ...] = SLOW) -> set[str]:
    """Which of the slow modules a command has loaded in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(slow=slow), *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_loads_nothing_slow(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == set()


@pytest.mark.parametrize("command", ["run", "sweep", "show", "ls", "list", "export", "verify"])
def test_help_of_a_command_loads_nothing_slow_of_ours(command: str) -> None:
    assert loaded(command, "--help") <= {"pydantic"}


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text("cell: rnn\nhidden_size: 2\nseq_len: 3\n", encoding="utf-8")
    return str(path)


def test_a_run_without_figures_loads_what_it_needs(config: str, tmp_path: Path) -> None:
    slow = ("numpy", *NOT_FOR_A_RUN)
    out = str(tmp_path / "out")
    found = loaded("run", config, "--no-figures", "--quiet", "--out", out, slow=slow)
    assert (tmp_path / "out" / "record.npz").is_file()
    assert found == {"numpy"}  # the check can see something


END = """
import atexit, gc, sys
from gradlab.__main__ import main
sys.argv = ["gradlab", *sys.argv[1:]]
{before}
main()
"""


@pytest.mark.parametrize(("arguments", "code"), [(("list", "cells"), 0), (("run", "no.yaml"), 2)])
@pytest.mark.parametrize("before", ["", "atexit.register(lambda: print(gc.get_freeze_count()))"])
def test_the_end(arguments: tuple[str, ...], code: int, before: str, tmp_path: Path) -> None:
    """What is printed just before is not lost, nor what others do at the end."""
    done = subprocess.run(
        [sys.executable, "-c", END.format(before=before), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=HERE,
    )
    assert done.returncode == code, done.stderr
    assert ("linear" in done.stdout) == (code == 0)
    assert ("no such file" in done.stderr) == (code == 2)
    if before:  # numpy alone makes thousands of objects that a search would have to visit
        assert int(done.stdout.splitlines()[-1]) > 5000


GARBAGE = """
import gc, sys
from gradlab.__main__ import main
from gradlab.alone import OBJECTS
usual = gc.get_threshold()
sys.argv = ["gradlab", "--version"]
try:
    main()
except SystemExit:
    pass
assert gc.get_threshold()[0] == OBJECTS > usual[0]
made = [[] for _ in range(OBJECTS + 1)]
assert gc.get_threshold() == usual
assert not gc.callbacks
"""


def test_garbage_is_searched_for_as_usual_once_more_was_made_than_loading_makes() -> None:
    subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, check=True)


DRAWN = """
import gc, sys
from gradlab.__main__ import main
usual = gc.get_threshold()
sys.argv = ["gradlab", "run", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
from matplotlib import artist, lines
assert gc.get_freeze_count() > 5000
assert gc.isenabled() and gc.get_threshold() == usual
assert len(artist.kwdoc(lines.Line2D)) > 1000
assert "linestyle" not in (lines.Line2D.set.__doc__ or "")
class Later(artist.Artist):
    def set_word(self, word):
        self.word = word
later = Later()
later.set(word=5)
assert later.word == 5 and "word" in Later.set.__doc__
"""


def test_what_was_loaded_to_draw_is_not_searched_and_not_described(
    config: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "error", "-c", DRAWN, config, "--out", str(tmp_path / "out")]
    subprocess.run(command, capture_output=True, check=True, env=HERE)
    assert (tmp_path / "out" / "gradient_norms.png").is_file()


IN_A_PROGRAM = """
import gc, sys
usual = gc.get_threshold()
import gradlab
gradlab.run(sys.argv[1], out=sys.argv[2])
from matplotlib import lines
assert "linestyle" in lines.Line2D.set.__doc__
assert gc.get_freeze_count() == 0
assert gc.isenabled() and gc.get_threshold() == usual
"""


def test_a_program_that_imports_gradlab_keeps_its_pace_and_its_help(
    config: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "error", "-c", IN_A_PROGRAM, config, str(tmp_path / "out")]
    subprocess.run(command, capture_output=True, check=True, env=HERE)
    assert (tmp_path / "out" / "gradient_norms.png").is_file()


THREADS = """
import os, sys
from gradlab.__main__ import main
sys.argv = ["gradlab", "list", "cells"]
try:
    main()
except SystemExit:
    pass
print("threads:", *(os.environ.get(name, "unset") for name in {names!r}))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, ["1"] * 4), ({NAMES[0]: "3"}, ["3"] + ["unset"] * 3), ({NAMES[1]: "2"}, ["unset", "2"])],
)
def test_one_thread_unless_the_environment_says_how_many(
    given: dict[str, str], expected: list[str]
) -> None:
    own = {name: value for name, value in os.environ.items() if name not in NAMES}
    program = THREADS.format(names=NAMES)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=own | given
    )
    assert done.stdout.splitlines()[-1].split()[1 : 1 + len(expected)] == expected


def test_ctrl_c_while_the_command_line_is_loaded() -> None:
    """The import is interrupted where it begins: no later place in it is different."""
    program = """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "gradlab.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from gradlab.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "gradlab: interrupted; nothing was written\n")
