"""docs/reliability.md lists what the tests try, no more and no less.

Claims:
- its rows are those of the tests that are marked `fault`: `make reliability` after every change;
- every row belongs to a group, and no test is marked without words;
- no row of the page says that a test fails;
- a page that lacks a row, or has one too many, is found.
"""

from __future__ import annotations

import pytest
from reliability import PAGE, marked, table, without_results


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    """The rows that the page should have."""
    return without_results(table(marked(), {}))


def test_the_page_lists_what_is_marked(wanted: set[str]) -> None:
    assert len(wanted) > 80  # the check can see something
    assert without_results(PAGE.read_text(encoding="utf-8")) == wanted, "run `make reliability`"


def test_no_row_says_that_a_test_fails() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "fail**" not in page and "Failures: none." in page


def test_a_missing_row_is_found(wanted: set[str]) -> None:
    page = "\n".join(f"{row} passes |" for row in wanted)
    assert without_results(page) == wanted
    assert without_results(page.partition("\n")[2]) != wanted
