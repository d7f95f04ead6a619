"""gradlab verify.

Claims:
- checks that hold: a row each, what it ran on, exit code 0; --quiet prints nothing, --json one
  document;
- a check that fails is a row that says FAILED, and exit code 1; so is one that raises a numerical
  error, which is told and is no traceback;
- all rows fit 80 columns, one line each, without colours;
- named checks run alone; --list names them all; an unknown name is refused.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gradlab.verify import CHECKS
from tests.cli.commands import command, process, refused

FAST = ("step", "jacobian", "textbook")


def plant(monkeypatch: pytest.MonkeyPatch, name: str, worst: float) -> None:
    """The check finds this."""
    monkeypatch.setitem(CHECKS, name, CHECKS[name]._replace(worst=lambda: worst))


def test_checks_that_hold() -> None:
    done = command("verify", *FAST)
    assert done.exit_code == 0 and done.stderr == ""
    for name in FAST:
        (row,) = [line for line in done.stdout.splitlines() if line.startswith(f"{name}: ")]
        assert row.endswith(" ok") and CHECKS[name].claim in row
    closing = done.stdout.splitlines()[-1]
    assert closing.startswith("3 hold, in ") and f"numpy {np.__version__}, " in closing


def test_a_check_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "textbook", 1e-9)
    done = command("verify", *FAST)
    assert done.exit_code == 1
    (row,) = [line for line in done.stdout.splitlines() if line.endswith("FAILED")]
    assert row.startswith("textbook: ") and "1e-12" in row and "1e-09" in row
    assert "1 of 3 FAILED" in done.stdout.splitlines()[-1]


def test_a_numerical_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising() -> float:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setitem(CHECKS, "textbook", CHECKS["textbook"]._replace(worst=raising))
    done = command("verify", *FAST)
    assert done.exit_code == 1 and done.stderr == ""
    assert "textbook: LinAlgError: SVD did not converge\n" in done.stdout
    assert done.stdout.count("FAILED") == 2  # its row and the closing line
    document = json.loads(command("verify", "textbook", "--json").stdout)
    assert document["checks"][0]["error"] == "LinAlgError: SVD did not converge"
    assert document["checks"][0]["worst"] is None


@pytest.mark.parametrize("worst", [0.0, 1.2345e-13, 9.9e300, math.inf, math.nan])
def test_every_row_is_one_line_of_80_columns(worst: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHECKS:
        plant(monkeypatch, name, worst)
    done = command("verify")
    assert done.exit_code == (worst > 1e-13 or math.isnan(worst))
    lines = done.stdout.splitlines()
    assert len(lines) == len(CHECKS) + 3  # title, header and closing line
    assert max(map(len, lines[:-1])) <= 80
    assert "\x1b" not in done.stdout


def test_quiet_prints_what_failed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    done = command("verify", *FAST, "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    plant(monkeypatch, "step", math.nan)
    done = command("verify", *FAST, "--quiet")
    assert done.exit_code == 1
    assert "step: " in done.stdout and "jacobian: " not in done.stdout


def test_json_is_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "step", math.inf)
    done = command("verify", *FAST, "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 1 and document["passed"] is False
    assert [check["check"] for check in document["checks"]] == list(FAST)
    assert [check["passed"] for check in document["checks"]] == [False, True, True]
    assert document["checks"][0]["worst"] is None
    for check in document["checks"][1:]:
        assert 0 <= check["worst"] <= check["tolerance"] and check["reason"]
    assert document["numpy"] == np.__version__ and document["blas"]["name"]


def test_a_name_given_twice_runs_once() -> None:
    assert command("verify", "step", "step").stdout.splitlines()[-1].startswith("1 hold")


def test_the_list_names_every_check() -> None:
    done = command("verify", "--list")
    assert done.exit_code == 0
    names = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert names == list(CHECKS)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert all(check.claim in done.stdout for check in CHECKS.values())


def test_an_unknown_check_is_refused() -> None:
    refused(command("verify", "rotatoin"), "unknown check 'rotatoin' (did you mean 'rotation'?)")
    refused(command("verify", "a", "b", "--list"), "unknown check 'a'", "unknown check 'b'")


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("verify", "textbook", "plain", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert list(tmp_path.iterdir()) == []
