"""Claims:

- the headline counts verdicts, and says where the edge lies, for every category;
- the page shows the figures that there are, a table that is short, and why points failed;
- nothing in a sweep is taken for markup;
- a file that cannot be written is said, and nothing is left half written.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sweep_rows import FAULTS, REAL, SCALE, Swept, closed, made, real

from gradlab.config import sweep_from_mapping
from gradlab.errors import GradlabError
from gradlab.report import sweep_page
from gradlab.report.sweep_page import headline


def page(folder: Path, swept: Swept, draw: bool = False) -> str:
    return sweep_page.write(folder, *swept, ["png"], 50, draw)


def table(text: str) -> list[str]:
    """The rows of a page's table."""
    return [line for line in text.splitlines() if line.startswith("| ")][2:]


def test_headline_says_where_the_edge_is() -> None:
    swept = made({"cell": ["rnn", "gru", "lstm"], "g": SCALE}, lambda cell, g: g - len(cell) / 2)
    first, spread, *edge = headline(swept.axes, swept.rows)
    assert first == "15 points: 5 vanishing, 3 preserved, 7 exploding" or first.startswith("15 ")
    assert (
        spread == "growth rates from -1.5 (cell=lstm, g=0.5) to +1 (cell=rnn, g=2.5) nats per step"
    )
    assert edge == [
        "cell=rnn; cell=gru: the growth rate crosses zero at g ≈ 1.5",
        "cell=lstm: the growth rate crosses zero at g ≈ 2",
    ]


def test_edge_over_a_second_number_is_told_from_its_least_to_its_largest() -> None:
    swept = made({"g": SCALE, "T": [10, 20, 30]}, lambda g, T: g - 1.6 + T / 100)
    assert headline(swept.axes, swept.rows)[2:] == [
        "the growth rate crosses zero at g ≈ 1.3 (T=30) to 1.5 (T=10)"
    ]
    some = made({"g": SCALE, "T": [1, 2, 3]}, lambda g, T: g - T)
    assert headline(some.axes, some.rows)[2:] == [
        "the growth rate crosses zero at g ≈ 1 to 2, for 2 of 3 values of T"
    ]


def test_where_there_is_no_edge_it_is_said() -> None:
    below = made({"cell": ["rnn", "gru"], "g": SCALE}, lambda *_: -0.1)
    assert headline(below.axes, below.rows)[2] == (
        "cell=rnn; cell=gru: the growth rate is below zero for all g from 0.5 to 2.5"
    )
    lost = closed("cells, all failed")
    assert headline(lost.axes, lost.rows) == ["10 points: 10 failed"]
    flat = closed("cells, no growth")
    assert "does not cross zero" in headline(flat.axes, flat.rows)[2]


def test_many_categories_do_not_make_many_lines() -> None:
    names = [f"cell{k}" for k in range(50)]
    swept = made({"cell": names, "g": SCALE}, lambda cell, g: g - 1 - int(cell[4:]) / 100)
    lines = headline(swept.axes, swept.rows)
    assert len(lines) < 16
    assert lines[-1] == "and 39 more, in table.csv"


def test_a_sweep_is_as_good_as_its_axes() -> None:
    sweep = sweep_from_mapping({"cell": "rnn", "sweep": {"weight_scale": [0.5, 1.5, 2.5]}})
    rows = made({"weight_scale": [0.5, 1.5, 2.5]}, lambda g: g - 1).rows
    assert headline(sweep, rows)[2] == "the growth rate crosses zero at weight_scale ≈ 1"


@pytest.mark.parametrize("case", [*REAL, *FAULTS])
def test_every_sweep_has_its_page_and_headline(case: str, tmp_path: Path) -> None:
    swept = real(case) if case in REAL else closed(case)
    text = page(tmp_path, swept)
    assert "![" not in text
    assert list(tmp_path.iterdir()) == []
    assert len(table(text)) == min(len(swept.rows), len(table(text)), sweep_page.MOST_ROWS)
    assert headline(swept.axes, swept.rows)[0].startswith(f"{len(swept.rows)} point")
    assert "None" not in text
    assert "nan" not in text


def test_page_shows_the_figures(tmp_path: Path) -> None:
    text = page(tmp_path, real("two numbers"), draw=True)
    names = ["phase_diagram.png", "growth_rate.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert [line[line.index("](") + 2 : -1] for line in text.splitlines() if "![" in line] == names
    both = sweep_page.write(tmp_path, *real("two numbers"), ["svg", "pdf", "png"], 50)
    assert both == text
    svg = sweep_page.write(tmp_path, *real("two numbers"), ["svg", "pdf"], 50)
    assert "growth_rate.svg" in svg
    assert ".pdf" not in svg


def test_page_says_that_there_are_no_figures(tmp_path: Path) -> None:
    assert "There are no figures" in page(tmp_path, closed("cells, all failed"), draw=True)


def test_table_keeps_the_ends_and_what_is_next_to_the_edge(tmp_path: Path) -> None:
    values = [k / 10 for k in range(100)]
    swept = made({"g": values}, lambda g: g - 5.25)
    rows = table(page(tmp_path, swept))
    assert [row.split("|")[1].strip() for row in rows] == [
        *("0", "0.1", "0.2", "0.3", "0.4"),
        *("5.2", "5.3"),
        *("9.5", "9.6", "9.7", "9.8", "9.9"),
    ]
    assert "88 more are in table.csv" in page(tmp_path, swept)
    many = made({"c": list("abcdefghijklmnopqrstuvwxyz"), "g": SCALE}, lambda _, g: g - 1.2)
    assert len(table(page(tmp_path, many))) == sweep_page.MOST_ROWS
    assert len(table(page(tmp_path, made({"g": values[:40]}, lambda g: g)))) == 40


def test_failures_are_told_once_with_their_reason(tmp_path: Path) -> None:
    text = page(tmp_path, closed("cells, failures"))
    assert "**2 of 10 points failed**" in text
    assert "- 2 points, the first of them cell=rnn, weight\\_scale=2.5: the worker died" in text


def test_nothing_is_taken_for_markup(tmp_path: Path) -> None:
    folder = tmp_path / "<b>*x*"
    folder.mkdir()
    failed = made({"cell": ["<script>alert(1)</script>", "a|b"]}, lambda _: 0.1, lambda _: True)
    rows = [failed.rows[0].__class__(r.index, r.values, None, "<img src=x>") for r in failed.rows]
    for swept in (closed("markup"), failed._replace(rows=rows)):
        text = page(folder, swept)
        assert "<script>" not in text
        assert "<img" not in text
        assert "<b>" not in text
        assert "&lt;script&gt;" in text
        columns = {line.replace("\\|", "").count("|") for line in table(text)}
        assert len(columns) == 1


def test_a_figure_that_cannot_be_written_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradlab.files.put", full)
    with pytest.raises(GradlabError, match=r"cannot write .*growth_rate.png.*no space left"):
        page(tmp_path, real("one number"), draw=True)
    assert list(tmp_path.iterdir()) == []
