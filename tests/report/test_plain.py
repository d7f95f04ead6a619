"""Piped text without rich.

Claims:
- a text is broken into the very lines that rich breaks it into, whatever is in it;
- so is a table, and one that is too wide or not simple is left to rich;
- what is not one column a character is no simple text.
"""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from gradlab.report import plain
from gradlab.report.tables import Table
from gradlab.report.terminal import console, print_table

LETTERS = st.one_of(st.characters(), st.sampled_from("aaaab  -.▁█‖₀⁻é"))
TEXTS = st.one_of(
    st.text(LETTERS, max_size=300),
    st.lists(st.text("abc±█", max_size=110), max_size=30).map(" ".join),
    st.lists(st.text("ab", max_size=30), max_size=30).map("  ".join),
)


def by_rich(what: object) -> str:
    """What rich prints of it when piped."""
    out = io.StringIO()
    Console(file=out, width=80, highlight=False, emoji=False).print(what)
    return out.getvalue()


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_a_text_has_the_lines_that_rich_gives_it(text: str) -> None:
    out = io.StringIO()
    console(out).print(text)
    assert out.getvalue() == by_rich(Text(text))


CELLS = st.one_of(st.text("ab -█±", max_size=12), st.text(LETTERS, max_size=30))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(0, 5))
def test_a_table_has_the_lines_that_rich_gives_it(data: st.DataObject, n: int, rows: int) -> None:
    row = st.lists(CELLS, min_size=n, max_size=n)
    header, body = data.draw(row), data.draw(st.lists(row, min_size=rows, max_size=rows))
    out = io.StringIO()
    print_table(Table("title", tuple(header), tuple(map(tuple, body))), console(out))
    rich = RichTable(box=None, pad_edge=False)
    for index, name in enumerate(header):
        rich.add_column(Text(name), justify="right" if index else "left")
    for cells in body:
        rich.add_row(*map(Text, cells))
    assert out.getvalue() == "title\n" + by_rich(rich)


@pytest.mark.parametrize("text", ["漢", "e\u0301", "a\tb", "a\nb", "\x1b[1m", "\u200b"])
def test_what_is_not_one_column_a_character_is_not_simple(text: str) -> None:
    assert not plain.is_simple(text)
    assert plain.columns(("x",), ((text,),)) is None


def test_a_wide_table_is_left_to_rich() -> None:
    assert plain.columns(("x" * 40, "y" * 38), ()) is not None  # 80 with two spaces between
    assert plain.columns(("x" * 40, "y" * 39), ()) is None
