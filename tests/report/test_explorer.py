"""What the explorer of a sweep's page holds, as Python makes it; in a browser: its own file.

Claims:
- all points are shown up to the bound; of more, evenly spaced values of the longest axes, with the
  first and the last of numbers; what is left out is said; places lead back to the swept values;
- a curve is the recorded one: exact for a cell whose gradient is known, within half a thousandth of
  a decade at its steps; zeros are gaps; it has at most so many steps, whatever the record has;
- numbers are those of the summaries; text in the data never ends its element; what is not finite is
  left out;
- each task's file is read once for rows and curves, one at a time; what is kept of a point does not
  grow with its steps; the page of 10,000 points is bounded, and takes seconds;
- the charting library is the file that charting/make.py made, with its licences.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.report import sweep_page
from gradlab.report.explorer import choice, content, panel, traces
from gradlab.report.explorer.choice import choose
from gradlab.report.explorer.traces import Trace
from gradlab.report.page import of_sweep
from gradlab.report.stored import Wanted
from gradlab.report.sweep_figures.grid import AxisValues, grid
from gradlab.report.sweep_table import Row
from gradlab.store import load
from gradlab.sweeps import again as stored_sweep
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.taskfile import TaskFile
from tests.report.result_folders import SCRIPT, run, sweep
from tests.report.sweep.sweep_rows import SCALE, Swept, closed, learned, made

CHARTING = Path(__file__).resolve().parents[2] / "charting"
HALF = 0.5 / traces.FINE  # decades: what rounding to FINE leaves
ROUNDING = 1e-12  # of sums of a hundred such numbers


def axes_of(lengths: list[int], names: list[bool]) -> list[AxisValues]:
    """Axes of numbers, the largest first, or of names."""
    return [
        ((f"k{k}",), [(f"v{v}" if named else n - v,) for v in range(n)])
        for k, (n, named) in enumerate(zip(lengths, names, strict=True))
    ]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=4),
    st.integers(1, 300),
)
def test_what_is_chosen(shape: list[tuple[int, bool]], most: int) -> None:
    axes = axes_of([n for n, _ in shape], [named for _, named in shape])
    found = choose(axes, most)
    of = math.prod(n for n, _ in shape)
    assert found.of == of and found.count <= most
    if of <= most:
        assert found.count == of and found.words() == ""
    else:
        assert f"{found.count} of the {of} points are shown" in found.words()
    for one, kept in zip(found.axes, found.places, strict=True):
        assert list(kept) == sorted(set(kept))
        if one.positions is not None and len(kept) > 1:
            assert (kept[0], kept[-1]) == (0, len(one) - 1)
            gaps = np.diff(kept)
            assert gaps.max() - gaps.min() <= 1  # evenly


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=3))
def test_places_lead_back_to_the_values(shape: list[tuple[int, bool]]) -> None:
    axes = axes_of([n for n, _ in shape], [named for _, named in shape])
    found = choose(axes, 20)
    points = itertools.product(*(values for _, values in axes))
    at = {found.at(index): point for index, point in enumerate(points)}
    shown = [place for place in at if place is not None]
    assert sorted(shown) == list(itertools.product(*(range(len(p)) for p in found.places)))
    for place in shown:
        told = [one.texts[p[k]] for one, p, k in zip(found.axes, found.places, place, strict=True)]
        assert told == [str(value) for (value,) in at[place]]


def restored(differences: list[int | None]) -> np.ndarray:
    """log10 values, NaN for gaps."""
    known = itertools.accumulate(d for d in differences if d is not None)
    values = iter([total / traces.FINE for total in known])
    return np.array([math.nan if d is None else next(values) for d in differences])


@pytest.mark.parametrize("steps", [5, 99, 100, 101, 750])
def test_a_curve_is_that_of_the_cell(steps: int, tmp_path: Path) -> None:
    """With W = g Q, Q orthogonal, the norm is g^(T - t) times the one at T, for every seed."""
    g = 0.5
    folder = run(tmp_path / "one", cell="linear", init="orthogonal", weight_scale=g, seq_len=steps)
    record = load(folder)
    found = traces.trace(record)
    assert found.t[0] == 0 and found.t[-1] == steps
    assert len(found.t) == min(traces.MOST, steps + 1)
    assert np.diff(found.t).max() - np.diff(found.t).min() <= 1
    for line in (found.median, found.low, found.high):
        values = restored(line)
        exact = values[-1] + (steps - np.array(found.t)) * math.log10(g)
        np.testing.assert_allclose(values, exact, rtol=0, atol=2 * HALF + ROUNDING)  # both ends


def test_zeros_and_what_is_unknown_are_gaps() -> None:
    line = traces.differences(np.array([-np.inf, 1.0, np.nan, 2.5, -0.25]))
    assert line == [None, 1000, None, 1500, -2750]
    values = np.random.default_rng(0).uniform(-300, 300, 100)
    back = restored(traces.differences(values))
    np.testing.assert_allclose(back, values, rtol=0, atol=HALF + ROUNDING)


def data_of(swept: Swept, found: dict[int, Trace] | None = None) -> Any:
    text = content.script_data(
        choose(swept.axes), swept.rows, found or {}, grid(swept.axes, swept.rows)
    )
    assert not set("<>&") & set(text)
    return json.loads(text)


def test_numbers_are_those_of_the_summaries() -> None:
    swept = made({"c": ["x", "y"], "g": SCALE}, lambda c, g: math.log(g) * (1 + (c == "y")))
    found = data_of(swept)
    assert [axis["texts"] for axis in found["axes"]] == [
        ["x", "y"],
        ["0.5", *["1", "1.5", "2", "2.5"]],
    ]
    assert "at" not in found["axes"][0] and found["axes"][1]["at"] == SCALE
    assert found["axes"][1]["borders"] == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75]
    assert (found["across"], found["up"]) == (1, 0)
    for k, row in enumerate(swept.rows):
        assert row.summary is not None
        place = [column[k] for column in found["places"]]
        assert [["x", "y"][place[0]], SCALE[place[1]]] == list(row.values.values())
        assert found["kinds"][found["verdicts"][k]][0] == row.summary["verdict"]
        for name in ("mean", "low", "high"):
            exact = row.summary["growth_rate"][name]
            # five digits are kept
            assert found["numbers"][name][k] == pytest.approx(exact, rel=5e-5, abs=0)


def test_the_columns_of_trainings_are_those_of_their_table() -> None:
    """Each column of numbers has the numbers that its header names."""
    loss = {("x", g): 0.25 + g for g in SCALE} | {("y", g): 3 - g for g in SCALE}
    plain = made({"c": ["x", "y"], "g": SCALE}, lambda c, g: math.log(g))
    swept = learned(plain, lambda *at: loss[at])
    found, told = data_of(swept), sweep_page.points(grid(swept.axes, swept.rows), swept.rows)
    assert len(found["columns"]) == len(told.header)
    named = dict(zip(told.header, found["columns"], strict=True))
    assert (named["c"], named["g"], named["verdict at the end"]) == (0, 1, "verdicts")
    wanted = {
        "final loss": list(loss.values()),
        "95 % interval": [value - 0.125 for value in loss.values()],
        "baseline": [2.0] * 10,
        "below, at, above, not finite": [int(8 * value) for value in loss.values()],
        "clip acted": [1 / (1 + value) for value in loss.values()],
        "nats/step": [math.log(g) for _, g in loss],
    }
    assert wanted.keys() | {"c", "g", "verdict at the end"} == named.keys()
    for header, values in wanted.items():
        # five digits are kept
        assert found["numbers"][named[header]] == pytest.approx(values, rel=5e-5, abs=0)
    assert "loss" not in data_of(plain)["numbers"]


def test_what_failed_or_is_not_finite() -> None:
    swept = made({"g": SCALE}, lambda g: g - 1, lambda g: g == 2.0)
    rows = [replace(row, failed=f"{SCRIPT}\x1b") if row.failed else row for row in swept.rows]
    assert rows[0].summary is not None
    rows[0].summary["growth_rate"]["mean"] = math.nan
    found = data_of(swept._replace(rows=rows))
    assert found["failed"] == {"3": f"{SCRIPT}\\x1b"}
    assert found["numbers"]["mean"] == [None, 0, 0.5, None, 1.5]
    assert [found["kinds"][v][0] for v in found["verdicts"]][3] == "failed"


def test_markup_in_the_data_is_data() -> None:
    swept = closed("markup")
    assert data_of(swept)["axes"][0]["texts"][0] == swept.rows[0].values["cell"]


def page(swept: Swept, found: dict[int, Trace]) -> str:
    return of_sweep.page("many", swept.axes, swept.rows, "a: 1\n", {}, [], found)


def longest(count: int) -> dict[int, Trace]:
    """As many steps as a trace can have, and differences of as many digits as any decade has."""
    line = [(-1) ** k * 9999 for k in range(traces.MOST)]
    one = Trace(tuple(range(traces.MOST)), line, line, line)
    return dict.fromkeys(range(count), one)


def test_ten_thousand_points_are_a_bounded_page_in_seconds() -> None:
    numbers = np.linspace(0.1, 3, 50).tolist()
    swept = made({"c": list("abcd"), "x": numbers, "y": numbers}, lambda c, x, y: x - y)
    assert len(swept.rows) == 10_000
    start = time.perf_counter()
    text = page(swept, longest(10_000))
    assert time.perf_counter() - start < 20  # about 2 here
    assert text.count("<tr>") < choice.MOST + 20
    assert "2000 of the 10000 points are shown: 20 of 50 values of x" in text
    # 300 numbers of six characters a point, a row of the table, and the charting library
    assert len(text) < choice.MOST * (3 * traces.MOST * 6 + 600) + 400_000


def test_a_record_of_any_length_leaves_as_little(tmp_path: Path) -> None:
    short, long = (
        traces.trace(load(run(tmp_path / f"{steps}", seq_len=steps, seeds=2)))
        for steps in (120, 1200)
    )
    assert len(short.t) == len(long.t) == len(long.median) == traces.MOST


def test_each_file_is_read_once_and_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory there are the file that is read, and at most the one before it."""
    lengths = list(range(4, 14))  # a task each: points of one shape are a task
    folder = sweep(tmp_path / "many", sweep={"weight_scale": [0.5, 1.0, 2.0], "seq_len": lengths})
    alive: weakref.WeakSet[TaskFile] = weakref.WeakSet()
    opened: list[str] = []
    most = 0

    class Watched(TaskFile):
        __hash__ = object.__hash__  # a WeakSet's

        def __init__(self, path: Path) -> None:
            nonlocal most
            super().__init__(path)
            opened.append(path.name)
            alive.add(self)
            most = max(most, len(alive))

    monkeypatch.setattr(stored_sweep, "TaskFile", Watched)
    found = stored_sweep.Points(SweepResult(folder), print, explored=True)
    assert len(opened) == len(set(opened)) == len(lengths)
    assert most <= 2
    assert len(found.traces) == len(found.rows) == 30
    assert not stored_sweep.Points(SweepResult(folder), print).traces


def test_the_page_holds_the_curves_of_the_tasks(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "many")
    stored_sweep.again(folder, Wanted(html=True), print)
    text = (folder / "report.html").read_text("utf-8")
    data = json.loads(re.search('id="explorer-data">(.*?)</script>', text)[1])  # type: ignore[index]
    records = dict(SweepResult(folder).records())
    assert len(data["traces"]) == len(records) == 6
    for k, (grid_place, median, *_) in enumerate(data["traces"]):
        norms = records[k]["log10_grad_norm_h"]
        assert data["grids"][grid_place] == records[k]["t"].tolist()
        exact = np.median(norms, axis=0)
        np.testing.assert_allclose(restored(median), exact, rtol=0, atol=HALF + ROUNDING)


def test_a_sweep_of_which_nothing_is_known_has_no_explorer() -> None:
    text = page(closed("plane, nothing done"), {})
    assert "<script" not in text and 'id="explore"' not in text
    assert 'id="explorer"' in page(closed("plane, all failed"), {})


def test_many_values_are_a_list_and_few_are_boxes() -> None:
    for count, boxes in ((panel.MOST_BOXES, True), (panel.MOST_BOXES + 1, False)):
        swept = made({"c": [f"v{k}" for k in range(count)]}, lambda c: 0.1)
        text = page(swept, {})
        assert ('data-axis="0" value="' in text) == boxes
        assert ('data-end="one"' in text) != boxes


def test_the_charting_library_is_the_one_that_was_made() -> None:
    """The file, its checksum, the lock and the licences belong together."""
    library, own = panel.scripts()
    assert hashlib.sha256(library.encode()).hexdigest() == (
        (CHARTING / "plot.js.sha256").read_text("utf-8").strip()
    )
    lock = json.loads((CHARTING / "package-lock.json").read_text("utf-8"))["packages"]
    licences = library.split("*/", 1)[0]
    named = re.findall(r"^((?:@[\w-]+/)?[\w-]+) (\d[\w.]*)\. ", licences, re.MULTILINE)
    assert ("@observablehq/plot", "0.6.17") in named and len(named) > 10
    for name, version in named:
        assert lock[f"node_modules/{name}"]["version"] == version
    assert "Permission to use, copy, modify, and/or distribute" in licences
    assert len(library) < 300_000
    for code in (library, own):
        assert "</script" not in code.lower() and "<!--" not in code
        assert not re.search(r"\beval\(|new Function", code)


def rows_are_in_order(rows: list[Row]) -> bool:
    return [row.index for row in rows] == sorted(row.index for row in rows)


def test_a_part_of_a_large_sweep_shows_what_there_is_of_the_choice() -> None:
    numbers = list(range(60))
    swept = made({"x": numbers, "y": numbers}, lambda x, y: x - y)
    kept = [row for row in swept.rows if row.index % 7]
    found = choose(swept.axes)
    shown = [row for row in kept if found.at(row.index) is not None]
    assert rows_are_in_order(shown) and 0 < len(shown) < found.count < len(swept.rows)
    text = page(swept._replace(rows=kept), {})
    data = json.loads(text.split('id="explorer-data">')[1].split("</script>")[0])
    assert len(data["verdicts"]) == len(shown)
