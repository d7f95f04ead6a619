"""report.html, as text: what a browser makes of it is in test_in_browser.

Claims:
- elements are closed in order, ids are unique, every reference within the page leads to one;
- the page names nothing outside of itself, and its policy lets no script run but its own;
- no name, option or text of a config or a file becomes markup, in HTML or Markdown;
- every figure that applies is there, with a title for those who do not see it;
- verdict, reasons, caveats, every table, the config and the provenance are there, as they are in
  the record and the files.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from result_folders import NAUGHTY, SCRIPT, own_cell, run, sweep

from gradlab.record import Record
from gradlab.report import figures, markdown, stored, words
from gradlab.report.page import elements, of_run
from gradlab.report.page.inline_svg import inline
from gradlab.report.stored import Wanted
from gradlab.store import load
from gradlab.sweeps import again as stored_sweep
from tests.cli.commands import command

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """What a page is made of. Asserts that elements are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.scripts: list[tuple[str, list[str]]] = []  # type, pieces
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._meet(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._meet(tag, attrs)

    def _meet(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag == "script":
            self.scripts.append((dict(attrs).get("type") or "", []))
        for name, value in attrs:
            value = value or ""
            self.attributes.append((name, value))
            if name == "id":
                self.ids.append(value)
            if name == "href" and value.startswith("#"):
                self.references.append(value)
            if name == "aria-labelledby":
                self.references += [f"#{one}" for one in value.split()]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1].append(data)
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def running(self) -> list[str]:
        """The scripts that are code, not data."""
        return ["".join(code) for kind, code in self.scripts if kind != "application/json"]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(folder: Path) -> str:
    again = stored_sweep.again if (folder / "sweep.json").exists() else stored.again
    again(folder, Wanted(html=True), lambda line: None)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    found = {
        "run": run(root / "run", cell="lstm", clip=0.1),
        "naughty": own_cell(root / SCRIPT),
        "layers": run(root / "layers", cell="gru", layers=2, bidirectional=True),
        "sweep": sweep(root / "sweep"),
        "naughty sweep": sweep(root / f"{SCRIPT} too", name="plain"),
    }
    found["comparison"] = root / "compared"
    found["comparison"].mkdir()
    out = found["comparison"] / "report.html"
    done = command("compare", found["run"], found["naughty"], found["layers"], "-o", out)
    assert done.exit_code == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def pages(folders: dict[str, Path]) -> dict[str, str]:
    return {
        name: (path / "report.html").read_text("utf-8") if name == "comparison" else page_of(path)
        for name, path in folders.items()
    }


KINDS = ["run", "naughty", "layers", "sweep", "naughty sweep", "comparison"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_sound(kind: str, pages: dict[str, str]) -> None:
    found = Outline(pages[kind])
    assert [one for one, count in Counter(found.ids).items() if count > 1] == []
    assert found.references
    assert {one.removeprefix("#") for one in found.references} <= set(found.ids)
    assert found.tags["h1"] == found.tags["main"] == found.tags["title"] - found.tags["svg"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_loaded_and_nothing_runs(kind: str, pages: dict[str, str]) -> None:
    found = Outline(pages[kind])
    forbidden = {"link", "iframe", "object", "embed", "base", "form", "audio", "video"}
    assert forbidden.isdisjoint(found.tags)
    assert found.tags["script"] == (3 if "sweep" in kind else 0)
    names = {name for name, _ in found.attributes}
    assert not any(name.startswith("on") for name in names)
    for name, value in found.attributes:
        inside = value.startswith(("#", "data:image/png;"))
        assert name not in ("src", "href", "srcset", "action", "poster") or inside
        assert "url(" not in value.replace("url(#", "")
    style = pages[kind].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = pages[kind].split('Content-Security-Policy" content="')[1].split('"')[0]
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    hashes = [b64encode(sha256(code.encode()).digest()).decode() for code in found.running]
    assert said.pop("script-src", "") == " ".join(f"'sha256-{one}'" for one in hashes)
    assert said == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
    }


@pytest.mark.parametrize("kind", ["naughty", "naughty sweep", "comparison"])
def test_markup_in_names_is_text(kind: str, pages: dict[str, str]) -> None:
    found = Outline(pages[kind])
    assert found.tags["img"] == 0
    assert SCRIPT in found.words
    if kind == "naughty":
        assert NAUGHTY.removesuffix(".py") in found.words
    assert pages[kind].lower().count("<script") == found.tags["script"]
    assert not any("taken" in code for code in found.running)


def test_markup_in_names_is_text_in_markdown(folders: dict[str, Path]) -> None:
    for kind in ("naughty", "naughty sweep"):
        text = (folders[kind] / "report.md").read_text("utf-8")
        assert "&lt;script&gt;" in text and "<" not in text
    done = command("compare", folders["run"], folders["naughty"], "--markdown")
    assert done.exit_code == 0 and "&lt;script&gt;" in done.stdout and "<" not in done.stdout


def test_what_has_no_shape_is_shown_as_an_escape() -> None:
    text = elements.text("a\x00b\x1b[31m\ud800\u202e<\n")
    assert text == "a\\x00b\\x1b[31m\\ud800\\u202e&lt;\n"
    text.encode("utf-8")


@pytest.mark.parametrize("kind", ["run", "layers"])
def test_all_that_is_known_of_a_run_is_there(
    kind: str, folders: dict[str, Path], pages: dict[str, str]
) -> None:
    folder, found = folders[kind], Outline(pages[kind])
    record = load(folder)
    drawn = [name for name, figure in figures.FIGURES.items() if figure.applies(record)]
    assert found.tags["svg"] == len(drawn) > 3
    assert {f"{name}-title" for name in drawn} <= set(found.ids)
    sentences = [words.headline(record), *words.reasons(record), *words.findings(record)]
    sentences += [*record.summary["caveats"], *(figures.FIGURES[name].alt for name in drawn)]
    sentences += [words.clipping(record) or ""]
    for sentence in sentences:
        assert sentence in found.words
    tables = (folder / "report.md").read_text("utf-8").count("\n| --- |")
    assert found.tags["table"] == tables + 2  # the seeds, and the provenance
    config = (folder / "config.yaml").read_text("utf-8")
    assert " ".join(config.split()) in found.words
    origin = json.loads((folder / "provenance.json").read_text("utf-8"))
    for value in (origin["gradlab"], origin["numpy"], origin["started"], origin["python"]):
        assert value in found.words


def test_the_place_of_the_config_on_the_disk_is_not_sent(folders: dict[str, Path]) -> None:
    folder = folders["run"]
    origin = json.loads((folder / "provenance.json").read_text("utf-8"))
    secret = {"path": "/home/somebody/c.yaml", "relative": "../c.yaml"}
    (folder / "provenance.json").write_text(json.dumps(origin | {"config": secret}), "utf-8")
    page = Outline(page_of(folder)).words
    assert "../c.yaml" in page and "somebody" not in page


def test_growth_rates_by_seed() -> None:
    """Three seeds with known rates: the table holds them, and one that overflowed says where."""
    record = small()
    shown = of_run.by_seed(record)
    assert [row[0] for row in shown.rows] == ["0", "1", "2"]
    assert [float(row[1]) for row in shown.rows] == pytest.approx(
        record["growth_rate"].tolist(),
        rel=5e-3,  # three digits are shown
    )
    lost = replace(
        record, arrays=record.arrays | {"overflow_step": record["seeds"] * 0 + [0, 7, 0]}
    )
    assert [row[-1] for row in of_run.by_seed(lost).rows] == ["", "overflow at t=7", ""]
    assert of_run.by_seed(small(seeds=1)).rows == ()


def small(**more: object) -> Record:
    import gradlab

    return gradlab.run({"cell": "rnn", "hidden_size": 3, "seq_len": 8, "seeds": 3, **more})


def test_a_figure_within_a_page_keeps_its_drawing_and_changes_its_names() -> None:
    """Every path and every use of one is there again, with the same coordinates."""
    (file,) = figures.rendered(small(), ["svg"], names=["gradient_norms"])
    made = inline(file[2], "one", "a title", "more")
    source, again = file[2].decode(), Outline(made)
    assert again.tags["use"] == source.count("<use ")
    assert again.tags["path"] == source.count("<path ")
    assert all(one.startswith("one-") for one in again.ids)
    drawn = [value for name, value in again.attributes if name == "d"]
    numbers = [" ".join(part.split('"')[0].split()) for part in source.split(' d="')[1:]]
    assert drawn == numbers
    assert "<!--" not in made and "<style" not in made and "metadata" not in made
    assert made != inline(file[2], "two", "a title", "more")


def test_markdown_shows_each_figure_once() -> None:
    paths = [(Path(f"a.{form}"), "alt") for form in ("png", "svg", "pdf")]
    assert markdown.report(small(), "x", paths).count("![") == 1
    assert "![alt](a.svg)" in markdown.report(small(), "x", paths[1:])
    assert "![" not in markdown.report(small(), "x", paths[2:])
