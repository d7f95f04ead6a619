"""gradlab gradcheck.

Claims:
- every cell of gradlab passes, with the table, or one JSON document, and exit code 0;
- a file whose `step` alone is there passes;
- one entry of a file's jacobian or vjp that is 0.1 % off makes it exit with 1 and say so;
- what cannot be checked is refused in one line.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradlab.cells import CELLS
from gradlab.gradcheck import CHECKS
from tests.cells.own_files import RNN
from tests.cli.commands import command, refused

SLOPE = """
from gradlab.nonlinearity import tanh_slope

def slope(p, s, x):
    return tanh_slope(p.weight_hh @ s + p.bias_hh + p.weight_ih @ x + p.bias_ih)

def jacobian(p, s, x):
    J = slope(p, s, x).swapaxes(-1, -2)[..., None] * p.weight_hh[:, None]
    J[..., 0, 0] *= {jacobian}
    return J

def vjp(p, s, x, g):
    pulled = p.weight_hh.swapaxes(-1, -2) @ (g * slope(p, s, x))
    pulled[:, 0] *= {vjp}
    return pulled
"""


def checked(*arguments: object) -> tuple[int, dict[str, bool]]:
    """The exit code, and which checks passed."""
    done = command("gradcheck", *arguments, "--json")
    found = json.loads(done.stdout)
    assert found["passed"] == (done.exit_code == 0)
    return done.exit_code, {check["check"]: check["passed"] for check in found["checks"]}


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_passes(name: str) -> None:
    code, passed = checked(name)
    assert code == 0 and list(passed) == list(CHECKS)


def test_the_table_names_checks_tolerances_and_where() -> None:
    done = command("gradcheck", "rnn")
    assert done.exit_code == 0 and "WRONG" not in done.stdout
    for check in CHECKS:
        assert check in done.stdout
    assert "1e-13" in done.stdout and "rnn-" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_file_with_a_step_alone_passes(folder: Path) -> None:
    (folder / "my_cell.py").write_text(RNN, encoding="utf-8")
    code, _ = checked("my_cell.py")
    assert code == 0
    assert "jacobian of this cell: complex step" in command("gradcheck", "my_cell.py").stdout


@pytest.mark.parametrize("wrong", [None, "jacobian", "vjp"])
def test_an_entry_off_by_a_thousandth_is_found(wrong: str | None, folder: Path) -> None:
    factors = {name: "1.001" if name == wrong else "1" for name in ("jacobian", "vjp")}
    text = SLOPE
    for name, factor in factors.items():
        text = text.replace(f"{{{name}}}", factor)
    (folder / "my_cell.py").write_text(RNN + text, encoding="utf-8")
    code, passed = checked("my_cell.py")
    assert code == (wrong is not None)
    assert wrong is None or not passed[wrong]
    assert passed["step"] and passed["parameters, inputs"]
    assert ("WRONG" in command("gradcheck", "my_cell.py").stdout) == (wrong is not None)


def test_a_cell_with_one_size_only_is_checked_there(folder: Path) -> None:
    text = "import numpy as np\ndef step(p, s, x):\n    return np.tanh(p.weight_hh @ s + x)\n"
    (folder / "my_cell.py").write_text(text, encoding="utf-8")
    assert checked("my_cell.py")[0] == 0


def test_what_cannot_be_checked_is_refused(folder: Path) -> None:
    refused(command("gradcheck", "lsmt"), "unknown cell 'lsmt' (did you mean 'lstm'?)")
    refused(command("gradcheck", "nope.py"), "there is no file")
    (folder / "bad.py").write_text("def step(p, s, x):\n    return s +\n", encoding="utf-8")
    refused(command("gradcheck", "bad.py"), "bad.py:2: the file is not valid Python")
