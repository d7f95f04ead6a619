"""Tables: one content, three renderings.

Claims:
- the norms at a few lags are those of the record, at the lags that there are, the last included;
- the same table gives the same cells in Markdown, in the terminal and in a notebook;
- nothing in a name is taken for Markdown or HTML;
- an overview survives results of every kind.
"""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.cells import CELLS
from gradlab.record import Record
from gradlab.report import markdown, notebook
from gradlab.report.tables import Table, experiment, norms_by_lag, numbers, overview
from gradlab.report.terminal import console, print_table, show

SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 30, "seeds": 3}
NAUGHTY = "<script>alert(1)</script> | `x` *y* _z_ [a](b) \\ &amp; #1"


def record(**config: Any) -> Record:
    return gradlab.run({**SMALL, "spectrum": "none", **config})


def powers_of_two(**config: Any) -> Record:
    """|delta| = 2^-lag sqrt(H B) = 2^-lag 2 sqrt 2."""
    half = {"init": "orthogonal", "inputs": "zeros", "weight_scale": 0.5}
    return record(cell="linear", **half, **config)


# ---------------------------------------------------------------- content


def test_norms_at_a_few_lags() -> None:
    table = norms_by_lag(powers_of_two())
    assert table.header == ("steps back", "|dL/dh|", "left", "min", "max")
    assert [row[0] for row in table.rows] == ["0", "1", "2", "5", "10", "20", "30"]
    assert table.rows[0] == ("0", "2.83", "1", "1", "1")
    assert table.rows[2] == ("2", "0.707", "0.25", "0.25", "0.25")
    assert table.rows[-1] == ("30", "2.6e-9", "9.3e-10", "9.3e-10", "9.3e-10")


def test_one_seed_has_no_least_and_no_largest() -> None:
    table = norms_by_lag(powers_of_two(seeds=1))
    assert table.header == ("steps back", "|dL/dh|", "left")
    assert table.title == "Gradient norms"


def test_a_cell_state_has_its_own_columns() -> None:
    header = norms_by_lag(record(cell="lstm")).header
    assert header == (
        *("steps back", "|dL/dh|", "|dL/dc|", "|dL/dc| total"),
        *("left", "min", "max"),
    )


def test_lags_count_from_where_the_gradient_enters() -> None:
    table = norms_by_lag(powers_of_two(loss={"at": [12]}))
    assert [row[0] for row in table.rows] == ["0", "1", "2", "5", "10", "12"]
    assert table.rows[0][1:3] == ("2.83", "1")


def test_only_lags_that_were_recorded_are_told() -> None:
    table = norms_by_lag(powers_of_two(record_every=7))
    for row in table.rows:
        lag = int(row[0])
        assert lag % 7 == 0 or lag == 30
        assert float(row[2]) == pytest.approx(0.5**lag, rel=0.051)


def test_a_long_run_is_told_to_its_end() -> None:
    result = record(cell="linear", hidden_size=1, seq_len=5000, inputs="zeros")
    lags = [int(row[0]) for row in norms_by_lag(result).rows]
    assert lags[-1] == 5000
    assert 500 in lags and sorted(set(lags)) == lags


def test_what_does_not_exist_is_a_dash_and_what_is_zero_a_zero() -> None:
    lost = norms_by_lag(record(cell="linear", weight_scale=1e200))
    assert all(set(row[1:]) == {"-"} for row in lost.rows)
    dead = norms_by_lag(record(cell="linear", init="zeros"))
    assert all(set(row[1:]) == {"0"} for row in dead.rows[1:])


def test_numbers_leaves_out_what_there_is_not() -> None:
    rows = dict(numbers(powers_of_two()).rows)
    assert rows["half-life, steps"] == "1"
    assert rows["growth rate, nats per step"] == "-0.693"
    assert "doubling time, steps" not in rows
    rows = dict(numbers(record(cell="linear", weight_scale=1e200)).rows)
    assert not any("growth" in name or "life" in name for name in rows)


def test_the_experiment_in_a_line() -> None:
    relu = {"type": "rnn", "activation": "relu"}
    text = experiment(record(cell=relu, input_size=3, weight_scale=1.5, seeds=1))
    assert text == "relu rnn, H=4 I=3 B=2 T=30, weight_scale=1.5, 1 seed"
    for chosen, words in (["f", "i"], "i f"), ([], "none"):
        peephole = {"type": "lstm_peephole", "peepholes": chosen}
        text = experiment(record(cell=peephole, seeds=1))
        assert text.startswith(f"lstm_peephole (peepholes {words}), H=4")


# ---------------------------------------------------------------- one content, three renderings


def cells_of_markdown(text: str) -> list[list[str]]:
    """The cells of a table: split at bars that are not escaped, escapes undone."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    del lines[1]  # the rule
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    plain = [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]
    return [[html.unescape(cell) for cell in row] for row in plain]


def cells_of_html(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [[html.unescape(c) for c in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]


def cells_of_terminal(table: Table) -> list[list[str]]:
    file = io.StringIO()
    print_table(table, console(file))
    title, *lines = file.getvalue().splitlines()
    assert title == table.title
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def test_the_same_cells_everywhere() -> None:
    table = norms_by_lag(record(cell="lstm"))
    content = [list(table.header), *map(list, table.rows)]
    assert cells_of_markdown(markdown.render(table)) == content
    assert cells_of_html(notebook._html(table)) == content
    assert cells_of_terminal(table) == content


def test_naughty_cells_stay_text() -> None:
    table = Table(NAUGHTY, ("a|b", NAUGHTY), (("1|2", NAUGHTY), ("x", "`")))
    text = markdown.render(table)
    assert cells_of_markdown(text) == [["a|b", NAUGHTY], ["1|2", NAUGHTY], ["x", "`"]]
    assert "<script" not in text
    page = notebook._html(table)
    assert "<script" not in page
    assert cells_of_html(page)[1] == ["1|2", NAUGHTY]


# ---------------------------------------------------------------- the page


def test_a_name_is_text_and_nothing_else(tmp_path: Path) -> None:
    page = markdown.report(record(cell="rnn"), NAUGHTY, [(tmp_path / "a.png", NAUGHTY)])
    title = page.splitlines()[0]
    assert title.startswith("# ")
    assert html.unescape(re.sub(r"\\(.)", r"\1", title[2:])) == NAUGHTY
    assert "<" not in page
    for bare in ("`", "*y*", "_z_", "[a]"):
        assert re.search(r"(?<!\\)" + re.escape(bare), page) is None


def test_a_line_break_in_a_name_begins_nothing_new() -> None:
    page = markdown.report(record(cell="rnn"), "a\n# b\n- c", [])
    assert page.splitlines()[0] == "# a # b - c"


def test_the_page_has_the_verdict_the_reasons_the_figures_and_the_tables(tmp_path: Path) -> None:
    result = powers_of_two(clip=1.0, seeds=1)
    drawn = [(tmp_path / "curve.png", "A curve"), (tmp_path / "curve.pdf", "A curve")]
    page = markdown.report(result, "mine", drawn)
    assert page.startswith("# mine\n\nlinear, H=4 ")
    assert "**vanishing: the gradient halves every 1 steps;" in page
    assert "- Textbook: gamma sigma\\_max = 0.5 &lt; 1: sufficient for vanishing." in page
    assert "![A curve](curve.png)" in page and "curve.pdf" not in page
    assert "> Note: One seed only" in page
    assert "clip (global norm, threshold 1)" in page
    assert len(cells_of_markdown(page.split("**Gradient norms")[1])) == 8


# ---------------------------------------------------------------- the terminal and the notebook


@pytest.mark.parametrize("cell", CELLS)
def test_a_record_fits_into_eighty_columns(cell: str) -> None:
    file = io.StringIO()
    show(record(cell=cell, clip=1.0, seeds=8, weight_scale=40.0), console(file))
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("directions", [1, 2])
def test_no_number_of_several_layers_is_cut(
    directions: int, width: int, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every column is there, with every digit, at any width: what does not fit stands below."""
    monkeypatch.setenv("TERM", "xterm")
    table = norms_by_lag(
        record(cell="lstm", layers=2, bidirectional=directions == 2, seq_len=20, hidden_size=4)
    )
    # as wide as such numbers get: seven columns of eight characters
    wide = tuple((row[0], *("0.000789" for _ in row[1:])) for row in table.rows)
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: terminal)
    out = console(file)
    out.width, out.no_color = width, True
    print_table(Table(table.title, table.header, wide), out)
    text = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert len(re.findall(r"(?<!\S)0\.000789(?!\S)", text)) == len(wide) * (len(wide[0]) - 1)
    for word in {word for name in table.header for word in name.split()}:
        assert re.search(rf"(?<!\S){re.escape(word)}(?!\S)", text)
    if width == 80:  # one table: no lag is told twice
        assert sum(line.split()[:1] == ["20"] for line in text.splitlines()) == 1


def test_a_record_shows_itself() -> None:
    result = powers_of_two()
    assert repr(result).startswith("<Record linear, H=4 ")
    assert "vanishing: the gradient halves" in repr(result)
    page = result._repr_html_()  # type: ignore[attr-defined]
    assert page.count("<img ") == 1 and "data:image/png;base64," in page
    assert cells_of_html(page)[1][:3] == ["0", "2.83", "1"]


def test_a_record_without_a_gradient_shows_itself_too() -> None:
    result = record(cell="linear", weight_scale=1e200)
    assert "OVERFLOW at t=3" in repr(result)
    assert "OVERFLOW at t=3" in result._repr_html_()  # type: ignore[attr-defined]


def test_an_overview_of_every_kind() -> None:
    found = {
        "vanishes": powers_of_two(),
        "overflows": record(cell="linear", weight_scale=1e200),
        "dies": record(cell={"type": "rnn", "activation": "relu"}, init={"bias": -50.0}),
        NAUGHTY: record(cell="lstm", seeds=1),
    }
    rows = {row[0]: row for row in overview(found).rows}
    assert rows["vanishes"][1:] == ("linear", "4", "30", "3", "vanishing", "-0.693")
    assert rows["overflows"][-2:] == ("undecided", "-")
    assert rows["dies"][-2:] == ("vanishing", "-")
    assert NAUGHTY in rows


def test_medians_are_over_seeds() -> None:
    result = record(cell="rnn", seeds=5)
    row = norms_by_lag(result).rows[3]  # five steps back
    at = result["t"].tolist().index(25)
    norms = result["grad_norm_h"][:, at]
    assert float(row[1]) == pytest.approx(np.median(norms), rel=0.006)
    left = norms / result["grad_norm_h"][:, -1]
    told = [float(cell) for cell in row[2:]]
    assert told == pytest.approx([np.median(left), left.min(), left.max()], rel=0.006)
