"""The explorer of a sweep's page in a real browser, headless; skipped where there is none.

Claims:
- it runs without a word on the console and without any request, for one, two and three axes, of
  numbers and of names, and for points that failed; every point is one button, one of them a stop;
- a click on a mark, Enter on it, and a click on a row keep a point: its curve is drawn, with the
  norms of its record; pointing at a mark shows its curve for as long;
- arrows move to the neighbours; what is kept is announced;
- filters leave those points that have the values, in the diagram and in the table; sorting puts the
  rows in the order of table.csv's numbers, what has none last;
- light and dark, at 360 and 1400 pixels, text can be read and nothing is wider than the window;
- on paper every row of the table is there, within the sheet, and what is only to be pressed is not;
- names that are markup stay text; a script that is not the page's own does not run;
- without scripts the table and a note are there; with 2,000 points it answers within a second.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import BROWSER, Tab, tab
from result_folders import NAUGHTY, sweep

from gradlab.report.explorer import choice, traces
from gradlab.report.explorer.traces import Trace
from gradlab.report.page import of_sweep
from gradlab.report.stored import Wanted
from gradlab.sweeps import again as stored_sweep
from gradlab.sweeps.result import SweepResult
from tests.cells.own_files import RNN
from tests.report.sweep.sweep_rows import Swept, closed, learned, made

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on the PATH"),
]
SCALES, LENGTHS = [0.25, 0.5, 1.0, 2.0, 4.0], [6, 8, 10, 12]
LOST = "overflow of all seeds"
CASES = [
    *(
        "plane, overflow",
        "plane, failures",
        "plane, zeros",
        "plane, half done",
        "plane, all failed",
    ),
    *("cells, failures", "names, zeros", "names, all overflow", "many names", "many of all"),
    *("mixed", "unsorted"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("explorer")
    (root / NAUGHTY).write_text(RNN, encoding="utf-8")
    plane = {"weight_scale": SCALES, "seq_len": LENGTHS}
    three = {"cell": ["linear", str(root / NAUGHTY)], **plane}
    found = {
        "one": sweep(root / "one", sweep={"weight_scale": SCALES}),
        "plane": sweep(root / "plane", sweep=plane),
        "three": sweep(root / "three", sweep=three),
    }
    for folder in found.values():
        stored_sweep.again(folder, Wanted((), html=True), print)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as found:
        yield found


def opened(browser: Tab, page: Path, width: int = 1400, **look: Any) -> None:
    browser.open(page, width, **look)
    browser.settle()


def page_of(folder: Path) -> Path:
    return folder / "report.html"


def written(folder: Path, swept: Swept, found: dict[int, Trace] | None = None) -> Path:
    """The page of rows."""
    text = of_sweep.page("rows", swept.axes, swept.rows, "a: 1\n", {}, [], found or {})
    (folder / "report.html").write_text(text, "utf-8")
    return folder / "report.html"


def silent(browser: Tab) -> bool:
    asked = [url for url in browser.requests if not url.startswith("data:")]  # within the page
    return len(asked) == 1 and browser.complaints == []


MARKS = "[...document.querySelectorAll('#explorer-diagram [data-point]')]"
ROWS = "[...document.querySelectorAll('#points tbody tr')]"
KEPT = "Number(document.querySelector('[data-point][aria-pressed=true]').dataset.point)"
CURVE = "document.querySelector('#explorer-curve svg').getAttribute('aria-label')"
DRAWN = "[...document.querySelectorAll('#explorer-curve [aria-label=line] path')]"
SAID = "document.getElementById('explorer-said').textContent"


@pytest.mark.parametrize("kind", ["one", "plane", "three"])
def test_every_point_is_a_mark(kind: str, browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders[kind]))
    count = SweepResult(folders[kind]).size
    assert silent(browser)
    assert sorted(browser.ask(f"{MARKS}.map(e => Number(e.dataset.point))")) == list(range(count))
    assert browser.ask(f"{MARKS}.filter(e => e.tabIndex === 0).length") == 1
    assert browser.ask(f"{ROWS}.filter(e => e.tabIndex === 0).length") == 1
    assert browser.ask("document.getElementById('explorer-without')") is None
    boxes = browser.ask(f"{MARKS}.map(e => e.getBoundingClientRect()).map(b => b.width * b.height)")
    assert min(boxes) > 20  # pixels: there is something to point at


@pytest.mark.parametrize("case", CASES)
def test_points_with_faults(case: str, browser: Tab, tmp_path: Path) -> None:
    swept = closed(case)
    opened(browser, written(tmp_path, swept))
    assert silent(browser)
    rows = browser.ask(f"{ROWS}.length")
    shown = choice.choose(swept.axes)
    assert rows == sum(shown.at(row.index) is not None for row in swept.rows) > 0
    drawn = browser.ask(f"{MARKS}.length")
    panels = "are drawn" in browser.ask("document.getElementById('explorer-diagram').textContent")
    assert 0 < drawn < rows if panels else drawn == rows
    for k in {0, drawn // 2, drawn - 1}:  # with or without a rate, a mark can be kept
        browser.ask(f"{MARKS}[{k}].dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
        assert browser.ask(SAID).startswith("Kept: ")
    assert silent(browser)


@pytest.mark.parametrize("up", [False, True], ids=["across", "up"])
def test_names_beside_the_diagram_do_not_cover_each_other(
    up: bool, browser: Tab, tmp_path: Path
) -> None:
    names = [f"a name that is long {k}" for k in range(70)]
    swept = made({"c": names, "g": [1.0, 2.0, 3.0]}, lambda c, g: g - 2)
    opened(browser, written(tmp_path, swept))
    assert int(browser.ask("document.getElementById('explorer-up').value")) == 0
    if not up:
        set_to(browser, "#explorer-across", 0)
    side = "y" if up else "x"
    boxes = browser.ask(
        f"[...document.querySelectorAll('[aria-label=\"{side}-axis tick label\"] text')]"
        ".map(e => e.getBoundingClientRect()).map(b => [b.x, b.y])"
    )
    along = np.diff([box[up] for box in boxes])
    assert 10 < len(boxes) < 70 and np.abs(along).min() > 11  # pixels: a line of 12-pixel text


def test_what_failed_says_why(browser: Tab, tmp_path: Path) -> None:
    swept = made({"g": [1.0, 2.0, 3.0]}, lambda g: 0.1, lambda g: g == 2.0)
    rows = [replace(row, failed=LOST) if row.failed else row for row in swept.rows]
    opened(browser, written(tmp_path, swept._replace(rows=rows)))
    browser.point("[data-point='1']", click=True)
    assert browser.ask(SAID) == f"Kept: g=2: failed: {LOST}"
    assert LOST in browser.ask("document.getElementById('explorer-point').textContent")
    assert "no curve" in browser.ask("document.getElementById('explorer-curve').textContent")


def test_a_click_shows_the_curve_of_the_record(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]))
    records = dict(SweepResult(folders["plane"]).records())
    drawn = set()
    for k in (0, 7, 19):
        browser.point(f"[data-point='{k}']", click=True)
        scale, length = SCALES[k // 4], LENGTHS[k % 4]
        assert browser.ask(KEPT) == k
        norms = np.median(records[k]["log10_grad_norm_h"], axis=0)
        told = browser.ask(CURVE)
        assert f"weight_scale={scale:g}, seq_len={length}: " in told
        # against the lag, for lengths differ: from t = 0 to t = T
        assert told.endswith(f"10^{norms[0]:.1f} at lag {length}, 10^{norms[-1]:.1f} at lag 0")
        assert browser.ask(f"{ROWS}.findIndex(e => e.classList.contains('chosen'))") == k
        assert f"weight_scale={scale:g}" in browser.ask(SAID)
        drawn.add(browser.ask(f"{DRAWN}.at(-1).getAttribute('d')"))
    assert len(drawn) == 3
    assert silent(browser)


def test_pointing_shows_a_curve_for_as_long(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]))
    browser.point("[data-point='5']", click=True)
    browser.point("[data-point='6']")
    point = "document.getElementById('explorer-point').textContent"
    assert browser.ask(f"{DRAWN}.length") == 2 and "seq_len=10" in browser.ask(point)
    browser.point("#explore-title")
    assert browser.ask(f"{DRAWN}.length") == 1 and "seq_len=8" in browser.ask(point)
    assert browser.ask(KEPT) == 5


def test_a_row_keeps_its_point(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]))
    browser.point("#points tbody tr:nth-child(10) td", click=True)
    assert browser.ask(KEPT) == 9
    browser.ask(f"{ROWS}[9].focus()")
    browser.press("ArrowDown")
    browser.press("Enter")
    assert browser.ask(KEPT) == 10


def test_arrows_move_to_the_neighbours(browser: Tab, folders: dict[str, Path]) -> None:
    """20 points, the length varies fastest; across is the longer axis."""
    opened(browser, page_of(folders["plane"]))
    focused = "Number(document.activeElement.dataset.point)"
    browser.ask(f"{MARKS}.find(e => e.dataset.point === '5').focus()")
    for key, point in (("ArrowRight", 9), ("ArrowUp", 10), ("ArrowLeft", 6), ("ArrowDown", 5)):
        browser.press(key)
        assert browser.ask(focused) == point
    kept = browser.ask(KEPT)
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")  # there is no further one
    assert browser.ask(focused) == 1 and browser.ask(KEPT) == kept
    browser.press("Enter")
    assert browser.ask(KEPT) == 1
    assert browser.ask(SAID).startswith("Kept: weight_scale=0.25, seq_len=8: ")
    assert browser.ask("document.getElementById('explorer-said').role") == "status"
    browser.press("Tab")  # one stop: the next is past the diagram
    assert not browser.ask("document.activeElement.closest('#explorer-diagram') !== null")


def test_arrows_go_on_in_the_next_panel(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["three"]))
    browser.ask(f"{MARKS}.find(e => e.dataset.point === '17').focus()")  # the last scale
    browser.press("ArrowRight")
    assert (
        browser.ask("Number(document.activeElement.dataset.point)") == 21
    )  # the first, other cell
    browser.press("ArrowLeft")
    assert browser.ask("Number(document.activeElement.dataset.point)") == 17


def set_to(browser: Tab, selector: str, value: int) -> None:
    found = f"document.querySelector({json.dumps(selector)})"
    browser.ask(f"{found}.value = '{value}'")
    browser.ask(f"{found}.dispatchEvent(new Event('change'))")


def left(browser: Tab) -> tuple[list[int], list[int]]:
    """The points of the diagram, and the rows that are not hidden."""
    marks = sorted(browser.ask(f"{MARKS}.map(e => Number(e.dataset.point))"))
    rows = browser.ask(f"{ROWS}.map((e, k) => e.checkVisibility() ? k : -1).filter(k => k >= 0)")
    return marks, rows


def test_filters(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["three"]))
    points = list(SweepResult(folders["three"]).values())
    set_to(browser, "[data-axis='1'][data-end='low']", 1)
    set_to(browser, "[data-axis='1'][data-end='high']", 3)
    set_to(browser, "[data-axis='2'][data-end='low']", 2)
    wanted = [
        k for k, p in enumerate(points) if 0.5 <= p["weight_scale"] <= 2.0 and p["seq_len"] >= 10
    ]
    assert left(browser) == (wanted, wanted) and len(wanted) == 12
    browser.point("[data-axis='0'][value='0']", click=True)
    fewer = [k for k in wanted if points[k]["cell"] != "linear"]
    assert left(browser) == (fewer, fewer) and len(fewer) == 6
    count = browser.ask("document.getElementById('explorer-count').textContent")
    assert count == "6 of 40 points pass the filters"
    assert browser.ask(KEPT) in fewer
    browser.point("[data-axis='0'][value='1']", click=True)
    assert left(browser) == ([], [])
    assert "No point passes" in browser.ask("document.querySelector('#explorer').textContent")
    browser.point("#explorer-reset", click=True)
    assert left(browser) == (list(range(40)),) * 2
    assert silent(browser)


def test_a_filter_of_verdicts(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]))
    text = (folders["plane"] / "table.csv").read_text("utf-8")
    verdicts = [row["verdict"] for row in csv.DictReader(io.StringIO(text))]
    names = browser.ask(
        "[...document.querySelectorAll('[data-verdict]')].map(e => e.parentNode.textContent.trim())"
    )
    assert set(names) == set(verdicts) and len(names) > 1
    browser.point("[data-verdict='0']", click=True)
    wanted = [k for k, verdict in enumerate(verdicts) if verdict != names[0]]
    assert left(browser) == (wanted, wanted) and 0 < len(wanted) < 20


@pytest.mark.parametrize(
    ("column", "name"),
    [("nats/step", "growth_rate_mean"), ("seq_len", "seq_len"), ("horizon", "horizon")],
)
def test_sorting(column: str, name: str, browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]))
    text = (folders["plane"] / "table.csv").read_text("utf-8")
    cells = [row[name] for row in csv.DictReader(io.StringIO(text))]
    known = sorted((k for k, cell in enumerate(cells) if cell), key=lambda k: float(cells[k]))
    unknown = [k for k, cell in enumerate(cells) if not cell]
    head = f"[...document.querySelectorAll('#points th')].find(e => e.textContent === '{column}')"
    keys = f"{ROWS}.map(e => [e.cells[0].textContent, e.cells[1].textContent])"
    for direction in ("ascending", "descending"):
        browser.ask(f"{head}.querySelector('button').click()")
        assert browser.ask(f"{head}.ariaSort") == direction
        order = [
            SCALES.index(float(a)) * len(LENGTHS) + LENGTHS.index(int(b))
            for a, b in browser.ask(keys)
        ]
        assert order[len(known) :] == unknown
        got = [float(cells[k]) for k in order[: len(known)]]
        assert got == sorted(got, reverse=direction == "descending")
        assert sorted(order[: len(known)]) == sorted(known)
    browser.ask(f"{ROWS}[0].click()")  # a row is still its point
    assert browser.ask(KEPT) == order[0]


def test_a_training_is_told_by_the_headers_of_its_table(browser: Tab, tmp_path: Path) -> None:
    """The growth rate is that of the point, and no other column's number; and so with sorting."""
    scale = [0.5, 1.0, 2.0]
    swept = learned(made({"g": scale}, lambda g: g - 1.5), lambda g: 4.0 - g)
    opened(browser, written(tmp_path, swept))
    browser.ask(f"{ROWS}[0].click()")
    point = browser.ask("document.getElementById('explorer-point').textContent")
    assert point.startswith("g=0.5vanishing, -1 nats per step; final loss: 3.5; 95 % interval: ")
    assert "nats/step" not in point and "baseline: 2; " in point
    assert browser.ask(SAID).endswith("vanishing, -1 nats per step")
    for column, order in {"final loss": [2, 1, 0], "clip acted": [0, 1, 2]}.items():
        heads = "[...document.querySelectorAll('#points th')]"
        browser.ask(f"{heads}.find(e => e.textContent === '{column}').firstChild.click()")
        assert browser.ask(f"{ROWS}.map(e => Number(e.cells[0].textContent))") == [
            scale[k] for k in order
        ]
    assert silent(browser)


def test_other_axes(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["three"]))
    across, up = (
        "document.getElementById('explorer-across')",
        "document.getElementById('explorer-up')",
    )
    for x, y in ((1, -1), (0, 1), (2, 0), (0, -1), (0, 2)):
        set_to(browser, "#explorer-across", x)
        set_to(browser, "#explorer-up", y)
        assert [int(browser.ask(f"{e}.value")) for e in (across, up)] == [x, y]
        lengths = [2, len(SCALES), len(LENGTHS)]
        panels = math.prod(n for k, n in enumerate(lengths) if k not in (x, y))
        assert len(left(browser)[0]) == 40 // panels * min(panels, 12)
        text = browser.ask("document.getElementById('explorer-diagram').textContent")
        assert (f"12 of {panels} panels are drawn" in text) == (panels > 12)
    set_to(browser, "#explorer-up", 0)  # the same axis twice: the other gives way
    assert browser.ask(f"{across}.value") != browser.ask(f"{up}.value") == "0"
    assert silent(browser)


CONTRAST = """(() => {
  const lum = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!c.startsWith('rgba(0, 0, 0, 0')) return c; } return 'rgb(255, 255, 255)'; };
  const all = '#explorer label, #explorer legend, #explorer button, #explorer select, #explorer p';
  const texts = [...document.querySelectorAll(all)].map(e => [getComputedStyle(e).color, back(e)]);
  const drawn = [...document.querySelectorAll('#explorer svg text')]
    .map(e => [getComputedStyle(e).fill, back(e.closest('div'))]);
  return Math.min(...[...texts, ...drawn].map(pair => { const [a, b] = pair.map(lum);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("kind", ["one", "plane", "three"])
def test_light_and_dark_narrow_and_wide(
    kind: str, width: int, dark: bool, browser: Tab, folders: dict[str, Path]
) -> None:
    opened(browser, page_of(folders[kind]), width, dark=dark)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    outside = """[...document.querySelectorAll('#explorer *')]
        .filter(e => !e.closest('defs') && e.getBoundingClientRect().right > innerWidth + 0.5)"""
    assert browser.ask(f"{outside}.map(e => e.outerHTML.slice(0, 80))") == []
    assert browser.ask(CONTRAST) >= 4.5  # WCAG 2.2, 1.4.3
    colours = browser.ask(f"{MARKS}.map(e => getComputedStyle(e).fill)")
    assert len(set(colours)) > 1  # rates differ


def test_another_width_is_another_drawing(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["plane"]), 1400)
    wide = "document.querySelector('#explorer-diagram svg').getBoundingClientRect().width"
    before = browser.ask(wide)
    browser.look(500)
    for _ in range(3):
        browser.settle()
    assert 300 < browser.ask(wide) <= 500 < before
    assert browser.ask("document.documentElement.scrollWidth") <= 500


@pytest.mark.parametrize("kind", ["one", "plane", "three"])
def test_on_paper_every_row_is_there(kind: str, browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders[kind]), 700, dark=True, media="print")
    box = "document.querySelector('#points .scroll')"
    assert browser.ask(f"{box}.scrollHeight - {box}.clientHeight") <= 1
    heights = browser.ask(f"{ROWS}.map(e => e.getBoundingClientRect().height)")
    assert len(heights) == SweepResult(folders[kind]).size and min(heights) > 5
    assert browser.ask(f"Math.max(...{ROWS}.map(e => e.getBoundingClientRect().right))") <= 700
    for selector in (".controls", "#explorer-how"):
        found = f"getComputedStyle(document.querySelector('{selector}')).display"
        assert browser.ask(found) == "none"
    text = "getComputedStyle(document.querySelector('#explorer svg text')).fill"
    assert browser.ask(text) == "rgb(34, 34, 34)"  # dark on white, whatever the screen


def test_names_that_are_markup_stay_text(browser: Tab, folders: dict[str, Path]) -> None:
    opened(browser, page_of(folders["three"]))
    assert browser.ask("document.title") == "three"
    assert browser.ask("document.querySelectorAll('img, iframe').length") == 0
    assert browser.ask("document.querySelectorAll('script').length") == 3
    end = NAUGHTY[-15:]  # of a long path the end is shown
    browser.point("[data-point='39']", click=True)
    for where in (SAID, "document.getElementById('explorer-point').textContent"):
        assert end in browser.ask(where)
    texts = "[...document.querySelectorAll('#explorer-diagram text')].map(e => e.textContent)"
    assert any(end in text for text in browser.ask(texts))
    assert silent(browser)


def test_no_other_script_runs(browser: Tab, folders: dict[str, Path], tmp_path: Path) -> None:
    text = page_of(folders["one"]).read_text("utf-8")
    planted = "<script>document.title='taken'</script><img src='gone.png' onerror='x()'></main>"
    page = tmp_path / "planted.html"
    page.write_text(text.replace("</main>", planted), "utf-8")
    opened(browser, page)
    assert browser.ask("document.title") == "one"
    blocked = [line for line in browser.complaints if "Content Security Policy" in line]
    assert any("script-src" in line for line in blocked)
    assert any("img-src" in line and "gone.png" in line for line in blocked)


def test_without_scripts(browser: Tab, folders: dict[str, Path]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page_of(folders["plane"]))
        seen = browser.ask("document.getElementById('explorer-without').checkVisibility()")
        assert seen and not browser.ask("document.getElementById('explorer').checkVisibility()")
        assert browser.ask(f"{ROWS}.filter(e => e.checkVisibility()).length") == 20
        assert browser.ask("document.querySelectorAll('#figures figure svg').length") >= 1
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_two_thousand_points_answer_within_a_second(browser: Tab, tmp_path: Path) -> None:
    numbers = np.linspace(0.1, 3, 40).tolist()
    swept = made({"x": numbers, "y": [float(v) for v in range(50)]}, lambda x, y: x - y / 20)
    assert len(swept.rows) == choice.MOST
    steps = tuple(range(traces.MOST))
    found = {k: Trace(steps, [k % 7 - 3] * len(steps), [], []) for k in range(choice.MOST)}
    opened(browser, written(tmp_path, swept, found))
    assert browser.ask(f"{MARKS}.length") == choice.MOST
    timed = (
        "(() => {{ const start = performance.now(); {0}; return performance.now() - start; }})()"
    )
    click = "document.querySelector('[data-point=\"1234\"]').dispatchEvent("
    click += "new MouseEvent('click', {bubbles: true}))"
    sort = "document.querySelector('#points th button').click()"
    narrow = "(e => { e.value = '5'; e.dispatchEvent(new Event('change')); })"
    narrow += "(document.querySelector('[data-end=low]'))"
    for what in (click, sort, narrow):
        assert browser.ask(timed.format(what)) < 1000  # milliseconds; about 100 here
    assert silent(browser)
