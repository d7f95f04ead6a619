"""What all commands have in common: --json, --quiet, exit codes, short options.

Claims:
- with --json stdout is one JSON document, also where the exit code is 1;
- with --quiet nothing is printed but the result in one line, or what failed; stderr is empty;
- exit codes: 1 where the answer is no, 2 where the question cannot be asked, with stdout empty;
- an option that several commands have bears the same short name in all of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer.main
from commands import command, refused

from gradlab.cli import app
from tests.cells.own_files import RNN
from tests.cli.test_gradcheck import SLOPE

QUESTIONS: dict[str, tuple[tuple[str, ...], int]] = {
    "run": (("run", "c.yaml"), 0),
    "sweep": (("sweep", "c.yaml", "seq_len=3,4", "--jobs", "1"), 0),
    "sweep, not done": (("sweep", "c.yaml", "seq_len=3,4", "--dry-run"), 0),
    "critical": (("critical", "edge.yaml"), 0),
    "inspect": (("inspect", "net.npz"), 0),
    "inspect, no layers": (("inspect", "other.npz"), 1),
    "gradcheck": (("gradcheck", "linear"), 0),
    "verify": (("verify", "textbook"), 0),
    "verify, listed": (("verify", "--list"), 0),
    "clean": (("clean",), 0),
    "ls": (("ls",), 0),
}


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "results").mkdir()
    rng = np.random.default_rng(0)
    shapes = {"weight_hh_l0": (3, 3), "weight_ih_l0": (3, 2)}
    layer = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    np.savez(folder / "net.npz", **layer)
    np.savez(folder / "other.npz", x=np.zeros(3))
    (folder / "edge.yaml").write_text(
        "cell: linear\nhidden_size: 8\nseq_len: 20\nseeds: 2\nspectrum: none\n", encoding="utf-8"
    )
    return folder


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", QUESTIONS)
def test_json_is_one_document_whatever_the_exit_code(name: str) -> None:
    arguments, code = QUESTIONS[name]
    done = command(*arguments, "--json")
    assert done.exit_code == code, done.stderr
    assert json.loads(done.stdout) is not None


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["run", "sweep", "critical", "gradcheck", "verify", "clean"])
def test_quiet_prints_one_line_at_most(name: str) -> None:
    done = command(*QUESTIONS[name][0], "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == (name in ("run", "sweep", "critical"))


@pytest.mark.usefixtures("files")
def test_quiet_critical_is_the_value_to_the_last_bit() -> None:
    found = json.loads(command("critical", "edge.yaml", "--json").stdout)["value"]
    assert float(command("critical", "edge.yaml", "-q").stdout) == found


def test_quiet_gradcheck_prints_what_failed(files: Path) -> None:
    wrong = SLOPE.replace("{jacobian}", "1.001").replace("{vjp}", "1")
    (files / "wrong.py").write_text(RNN + wrong, encoding="utf-8")
    done = command("gradcheck", "wrong.py", "-q")
    assert done.exit_code == 1, done.stderr
    full = command("gradcheck", "wrong.py").stdout.splitlines()
    rows = [line for line in full if "WRONG" in line]
    kept = [line for line in done.stdout.splitlines() if "WRONG" in line]
    assert rows and len(kept) == len(rows)
    assert not any(line.split()[-1:] == ["ok"] for line in done.stdout.splitlines())


BAD: dict[str, tuple[str, ...]] = {
    "no config": ("critical", "nowhere.yaml"),
    "a key that is none": ("critical", "edge.yaml", "--vary", "cell"),
    "no file of weights": ("inspect", "nowhere.npz"),
    "no such check": ("verify", "nothing"),
    "no such cell": ("gradcheck", "lsmt"),
    "no root": ("clean", "nowhere"),
}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("name", BAD)
def test_a_question_that_cannot_be_asked_is_refused(name: str, more: tuple[str, ...]) -> None:
    refused(command(*BAD[name], *more))


SHORT = {
    "--out": "-o",
    "--force": "-f",
    "--jobs": "-j",
    "--quiet": "-q",
    "--verbose": "-v",
    "--dry-run": "-n",
    "--yes": "-y",
}


def test_short_options_are_the_same_everywhere() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    seen = set()
    for name, one in commands.items():
        for parameter in one.params:
            for option in set(parameter.opts) & set(SHORT):
                assert SHORT[option] in parameter.opts, f"{name} {option}"
                seen.add(option)
            shorts = [option for option in parameter.opts if len(option) == 2]
            assert all(option in SHORT.values() for option in shorts), f"{name} {shorts}"
    assert seen == set(SHORT)
