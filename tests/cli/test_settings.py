"""Settings of a project and of a user, and what -v says of where a value came from.

Claims:
- command line, environment, project file, user file, default: the nearer one wins, for every
  setting, one by one;
- the project file is the nearest above the working folder, within the repository; its results lie
  beside it wherever the command is given;
- a bad file is told with file and line, all that is wrong at once, exit 2, before anything is done;
- it sets how experiments run, never what they are: the record has the same bytes with any settings;
- -v names the place of every key that is no default, and of every option that is set;
- where there is no file no TOML is read; a pyproject.toml of others is left alone.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import command, environment, refused

LEVELS = ("user file", "project file", "environment", "command line")


@pytest.fixture
def user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, not yet there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "xdg"))
    (folder / "xdg" / "gradlab").mkdir(parents=True)
    return folder / "xdg" / "gradlab" / "gradlab.toml"


@pytest.mark.parametrize("highest", range(len(LEVELS) + 1))
def test_the_nearer_one_wins(
    highest: int, user: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every level up to the highest sets the same three options to values of its own."""
    files = {"user file": user, "project file": folder / "gradlab.toml"}
    arguments: tuple[str, ...] = ()
    for number, level in enumerate(LEVELS[:highest], 1):
        if level in files:
            text = f'results = "r{number}"\njobs = {number}\nmax_points = {number + 5}\n'
            files[level].write_text(text, encoding="utf-8")
        elif level == "environment":
            monkeypatch.setenv("GRADLAB_RESULTS", f"r{number}")
            monkeypatch.setenv("GRADLAB_JOBS", str(number))
            monkeypatch.setenv("GRADLAB_MAX_POINTS", str(number + 5))
        else:
            arguments = (
                *("--results", f"r{number}", "--jobs", str(number)),
                *("--max-points", str(number + 5)),
            )
    done = command("sweep", "c.yaml", "seq_len=3,4", "--dry-run", "-v", *arguments)
    assert done.exit_code == 0, done.stderr
    root = f"r{highest}" if highest else "results"
    assert f"done already in {root}/c-seq_len=3,4: 0" in done.stdout
    where = ["", f"({user}:2)", "(gradlab.toml:2)", "(environment, GRADLAB_JOBS)", "(command line)"]
    expected = f"gradlab: --jobs {highest} {where[highest]}\n"
    assert (expected in done.stderr) == (highest > 0)
    most = command("sweep", "c.yaml", "seq_len=1:20:20", "--dry-run", *arguments)
    assert (most.exit_code == 2) == (highest > 0)


def test_figures_follow_the_same_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "d.yaml").write_text(
        "cell: rnn\nhidden_size: 2\nseq_len: 3\nseeds: 1\nfigures: {dpi: 50}\n",
        encoding="utf-8",
    )
    (folder / "gradlab.toml").write_text("figures = false\n", encoding="utf-8")

    def drawn(*arguments: str) -> bool:
        done = command("run", "d.yaml", "--force", *arguments)
        assert done.exit_code == 0, done.stderr
        return any((folder / "results" / "d").glob("*.png"))

    assert not drawn()
    assert drawn("--figures")
    monkeypatch.setenv("GRADLAB_NO_FIGURES", "0")
    assert drawn()
    assert not drawn("--no-figures")


def test_a_project_file_holds_in_the_folders_below_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.gradlab]\nresults = "out"\n', encoding="utf-8"
    )
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    done = command("run", "../../c.yaml", "-q", "-v")
    assert done.stdout == "../../out/c\n"
    assert "--results ../../out (../../pyproject.toml:5)" in done.stderr
    assert (folder / "out" / "c" / "summary.json").is_file()
    assert "rnn" in command("ls").stdout
    (folder / "a" / "gradlab.toml").write_text("jobs = 2\n", encoding="utf-8")  # nearer
    assert "no folder 'results'" in command("ls").stderr


def test_it_is_not_looked_for_above_the_repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gradlab.toml").write_text("nonsense\n", encoding="utf-8")
    (folder / "repository" / "sub" / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder / "repository" / "sub")
    assert "no folder 'results'" in command("ls").stderr
    monkeypatch.chdir(folder / "repository")
    refused(command("ls"), "gradlab.toml:1:")


def test_a_pyproject_of_others_is_left_alone(folder: Path) -> None:
    for text in ("this is no TOML [", '[project]\ndependencies = ["gradlab-rnn"]\n'):
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        assert "no folder 'results'" in command("ls").stderr


BAD: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "no TOML": ("jobs = 2\nfigures = \n", ("gradlab.toml:2:11: invalid value",)),
    "an end that is missing": ('jobs = 2\nresults = "x', ("gradlab.toml:2",)),
    "given twice": ("jobs = 2\njobs = 3\n", ("gradlab.toml:2:",)),
    "an unknown key": (
        "jbos = 2\n",
        ("gradlab.toml:1: unknown setting 'jbos' (did you mean 'jobs'?)",),
    ),
    "an experiment": ('\nseq_len = 3\ncell = "rnn"', ("toml:2: unknown", "toml:3: unknown")),
    "a negative number": ("jobs = -1\n", ("jobs must be a whole number of at least 0, not -1",)),
    "true for a number": ("jobs = true\n", ("jobs must be a whole number",)),
    "a number for truth": ("figures = 0\n", ("figures must be true or false, not 0",)),
    "a path of no characters": ('results = ""\n', ("results must be the path",)),
    "a path with a NUL": ('results = "a\\u0000b"\n', ("results must be the path",)),
    "a table": ("[results]\nx = 1\n", ("results must be the path",)),
    "a long number": ("jobs = " + "9" * 5000 + "\n", ("gradlab.toml:",)),
    "Latin-1": (b'jobs = 1\nresults = "\xe9"\n', ("gradlab.toml:2: not UTF-8",)),
    "too large": ("#" * 2**20 + "\n", ("larger than 1 MiB",)),
    "nested deeply": ("jobs = " + "[" * 50_000 + "\n", ("gradlab.toml:",)),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("user")
def test_a_bad_file_is_refused_with_its_line(name: str, folder: Path) -> None:
    text, words = BAD[name]
    raw = text.encode() if isinstance(text, str) else text
    (folder / "gradlab.toml").write_bytes(raw)
    done = command("run", "c.yaml")
    refused(done, "gradlab.toml")
    assert len(done.stderr.splitlines()) == len(words)
    assert all(word in done.stderr for word in words), done.stderr
    assert not (folder / "results").exists()


def test_the_files_of_project_and_user_both_name_themselves(user: Path, folder: Path) -> None:
    user.write_text("jobs = 'x'\n", encoding="utf-8")
    refused(command("ls"), f"{user}:1: jobs must be")
    user.write_bytes(b"\xef\xbb\xbfjobs = 3\r\nfigures = false\r\n")  # a BOM, CRLF
    (folder / "pyproject.toml").write_text("[tool]\ngradlab = 3\n", encoding="utf-8")
    refused(command("ls"), "pyproject.toml: [tool.gradlab] must be a table")


def test_settings_change_no_number(folder: Path) -> None:
    command("run", "c.yaml", "-q", "--out", "plain")
    (folder / "gradlab.toml").write_text(
        'results = "r"\njobs = 3\nfigures = false\nmax_points = 3\n', encoding="utf-8"
    )
    command("run", "c.yaml", "-q")
    for name in ("record.npz", "steps.csv", "summary.json", "config.yaml"):
        assert (folder / "plain" / name).read_bytes() == (folder / "r" / "c" / name).read_bytes()


def test_verbose_names_the_place_of_every_key_that_is_no_default(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        "cell: rnn\n"
        "dtype: float64  # the default\n"
        "hidden_size: 2\n"
        "init:\n  bias: 1.0\n  recurrent: normal\n"
        "seeds: [1, 2]\nfigures: none\n",
        encoding="utf-8",
    )
    done = command("run", "c.yaml", "seq_len=4", "inputs.type=constant", "-q", "-v")
    lines = [line for line in done.stderr.splitlines() if "memory" not in line]
    assert lines == [
        "gradlab: --quiet true (command line)",
        "gradlab: cell.type = rnn (c.yaml:1:1)",
        "gradlab: cell.activation = tanh (default of rnn)",
        "gradlab: hidden_size = 2 (c.yaml:3:1)",
        "gradlab: init.bias = 1.0 (c.yaml:5:3)",
        "gradlab: seq_len = 4 (command line, seq_len=4)",
        "gradlab: inputs.type = constant (command line, inputs.type=constant)",
        "gradlab: inputs.value = 1.0 (default of constant)",
        "gradlab: seeds = [1, 2] (c.yaml:7:1)",
        "gradlab: figures.formats = [] (c.yaml:8:1)",
    ]


@pytest.mark.usefixtures("folder")
def test_verbose_of_a_sweep_names_the_places_of_its_axes() -> None:
    done = command("sweep", "c.yaml", "weight_scale=1,2", "--jobs", "1", "-n", "-v")
    assert "gradlab: weight_scale: 2 values (command line, weight_scale=1,2)" in done.stderr
    assert "gradlab: hidden_size = 2 (c.yaml:2:1)" in done.stderr
    assert "gradlab: --jobs 1 (command line)" in done.stderr


def test_no_toml_is_read_where_there_is_none(folder: Path) -> None:
    program = (
        "import sys; from gradlab.cli import main; sys.argv = ['gradlab', 'ls']\n"
        "try: main()\nexcept SystemExit: pass\nprint('tomllib' in sys.modules)"
    )
    for expected in ("False", "True"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.split()[-1] == expected
        (folder / "gradlab.toml").write_text("jobs = 1\n", encoding="utf-8")
