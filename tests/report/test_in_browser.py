"""The pages in a real browser, headless; skipped where there is none.

Claims, for the page of a run, of a sweep and of a comparison:
- it loads from disk without any other request and without a word on the console;
- at 360 and 1400 pixels, light and dark, no part of it is wider than the window; what is wider
  scrolls by itself;
- text has a contrast of at least 4.5 to 1 with its background, light and dark (WCAG 2.2, 1.4.3);
- names that are markup stay text, and nothing they ask for happens;
- ids are unique, figures have names in the accessibility tree, all that they refer to is there;
- with the keyboard: the first stop is the way past the navigation, and all that scrolls is a stop;
- on paper the explanations are open and the navigation is gone.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import BROWSER, Tab, tab
from result_folders import SCRIPT, own_cell, run, sweep

from tests.cli.commands import command

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on the PATH"),
]
KINDS = ["run", "sweep", "comparison"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("browser")
    one = own_cell(root / SCRIPT)
    other, many = run(root / "lstm", cell="lstm"), sweep(root / "many")
    for folder in (one, many):
        assert command("report", folder, "--html").exit_code == 0
    out = root / "compared.html"
    assert command("compare", one, other, "-o", out).exit_code == 0
    return {"run": one / "report.html", "sweep": many / "report.html", "comparison": out}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_alone_and_in_silence(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages[kind])
    asked = [url for url in browser.requests if not url.startswith("data:")]  # within the page
    assert asked == [pages[kind].resolve().as_uri()]
    assert browser.complaints == []
    assert browser.ask("document.querySelectorAll('svg path').length") > 50  # something is drawn


def test_the_harness_sees_requests_and_complaints(browser: Tab, tmp_path: Path) -> None:
    page = tmp_path / "noisy.html"
    page.write_text("<img src='gone.png'><script>console.error('x'); y()</script>", "utf-8")
    browser.open(page)
    assert len(browser.requests) == 2 and len(browser.complaints) >= 2


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_the_window(
    kind: str, width: int, dark: bool, browser: Tab, pages: dict[str, Path]
) -> None:
    browser.open(pages[kind], width, dark)
    assert browser.ask("innerWidth") == width
    assert browser.ask("document.documentElement.scrollWidth") <= width
    outside = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).length"""
    assert browser.ask(outside) == 0


CONTRAST = """(() => {
  const lum = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!c.startsWith('rgba(0, 0, 0, 0')) return c; } return 'rgb(255, 255, 255)'; };
  return Math.min(...[...document.querySelectorAll('h1,h2,p,li,a,td,th,caption,summary,code')]
    .map(e => { const [a, b] = [lum(getComputedStyle(e).color), lum(back(e))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
})()"""


@pytest.mark.parametrize("kind", KINDS)
def test_text_can_be_read_light_and_dark(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    backs = []
    for dark in (False, True):
        browser.open(pages[kind], dark=dark)
        assert browser.ask(CONTRAST) >= 4.5
        backs.append(browser.ask("getComputedStyle(document.body).backgroundColor"))
    assert backs[0] == "rgb(255, 255, 255)" != backs[1]


@pytest.mark.parametrize("kind", ["run", "comparison"])
def test_names_that_are_markup_stay_text(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages[kind])
    assert browser.ask("document.title") not in ("", "taken")
    assert browser.ask("document.querySelectorAll('script, img').length") == 0
    assert SCRIPT in browser.ask("document.body.innerText")


@pytest.mark.parametrize("kind", KINDS)
def test_names_within_the_page(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages[kind])
    ids = "[...document.querySelectorAll('[id]')].map(e => e.id)"
    assert browser.ask(f"{ids}.length - new Set({ids}).size") == 0
    lost = "[...document.querySelectorAll('use')].filter(e => !document.getElementById("
    assert browser.ask(lost + "e.getAttribute('href').slice(1))).length") == 0
    images = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = [n["name"]["value"] for n in images if n.get("role", {}).get("value") == "image"]
    assert len(named) == browser.ask("document.querySelectorAll('figure svg').length") > 0
    assert all(len(name) > 20 for name in named)  # a sentence, not a file's name


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_keyboard(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages[kind], 360)
    browser.press("Tab")
    where = "document.activeElement"
    assert browser.ask(f"{where}.className") == "skip"
    assert browser.ask(f"{where}.getBoundingClientRect().left") >= 0
    assert browser.ask(f"getComputedStyle({where}).outlineStyle") == "solid"
    browser.press("Enter")
    assert browser.ask("location.hash") == "#main"
    unreachable = """[...document.querySelectorAll('*')].filter(e => e.tabIndex < 0 &&
        e.scrollWidth > e.clientWidth + 1 &&
        ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).length"""
    assert browser.ask(unreachable) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_all_of_it_is_there(kind: str, browser: Tab, pages: dict[str, Path]) -> None:
    shown = "[...document.querySelectorAll('details p')].map(e => e.checkVisibility({}) && "
    shown += "e.getBoundingClientRect().height > 0)"
    browser.open(pages[kind], 700, dark=True)
    assert True not in browser.ask(shown) != []
    browser.look(700, dark=True, media="print")
    assert set(browser.ask(shown)) == {True}
    assert browser.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.ask("getComputedStyle(document.body).color") == "rgb(34, 34, 34)"
    assert browser.ask("document.documentElement.scrollWidth") <= 700
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert pdf.startswith(b"%PDF-")
