"""docs/reliability.md lists what the tests try, no more and no less.

Claims:
- its rows are those of the tests that are marked `fault`: `make reliability` after every change;
- every row belongs to a group, and no test is marked without words;
- no row of the page says that a test fails;
- a page that lacks a row, or has one too many, is found.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = """
import sys
sys.path.insert(0, "tests")
import reliability
found = reliability.collected(["-m", "fault", "--collect-only", "-p", "no:cacheprovider"])
print("ROWS")
print(reliability.table(found.faults))
"""


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    """The rows that the page should have; collected in a process of its own."""
    sys.path.insert(0, str(ROOT / "tests"))
    done = subprocess.run(
        [sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return rows(done.stdout.partition("ROWS")[2])


def rows(page: str) -> set[str]:
    from reliability import without_results

    return without_results(page)


def test_the_page_lists_what_is_marked(wanted: set[str]) -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert len(wanted) > 80  # the check can see something
    assert rows(page) == wanted, "run `make reliability`"


def test_no_row_says_that_a_test_fails() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert "fail**" not in page and "Failures: none." in page


def test_a_missing_row_is_found(wanted: set[str]) -> None:
    page = "\n".join(f"{row} passes |" for row in wanted)
    assert rows(page) == wanted
    assert rows(page.partition("\n")[2]) != wanted
