"""`gradlab report`: everything again from what is stored.

Claims:
- report.md, table and figures are the bytes that the run or the sweep wrote; the page is the same
  each time; no other file is touched, and the engine is never asked;
- formats are those of the config unless others are asked for; each figure is shown once;
- what is torn or missing beside the record is said, and the rest is made; a torn record, or no
  result, is refused before anything is written;
- shards brought together give the report of the whole sweep; a part says what is missing;
- `gradlab clean` knows report.html as gradlab's own.
"""

from __future__ import annotations

import json
import re
import shutil
import webbrowser
from pathlib import Path

import pytest
from result_folders import run, sweep

from gradlab.errors import GradlabError
from gradlab.owned import result_files, sweep_files
from gradlab.report import stored
from gradlab.report.stored import Wanted
from gradlab.sweeps import again as stored_sweep
from tests.cli.commands import command, refused


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def silent(line: str) -> None:
    raise AssertionError(line)


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("again") / "one", name="the name")


@pytest.fixture(scope="module")
def a_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(tmp_path_factory.mktemp("again") / "many")


@pytest.fixture
def one(a_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(a_run, tmp_path / "one"))


@pytest.fixture
def many(a_sweep: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(a_sweep, tmp_path / "many"))


@pytest.mark.parametrize("which", ["one", "many"])
def test_it_is_what_was_written_and_the_same_each_time(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(which)
    before = contents(folder)
    pngs = [name for name in before if name.endswith(".png")]
    for name in ["report.md", *pngs, *(["table.csv"] if which == "many" else [])]:
        (folder / name).unlink()
    monkeypatch.setattr("gradlab.runner.run", silent)
    monkeypatch.setattr("gradlab.sweeps.work.work", silent)
    again = stored.again if which == "one" else stored_sweep.again
    written = again(folder, Wanted(html=True), silent)
    after = contents(folder)
    page = after.pop("report.html")
    assert pngs and after == before
    assert {path.name for path in written} >= {"report.md", "report.html", *pngs}
    again(folder, Wanted(html=True), silent)
    assert (folder / "report.html").read_bytes() == page
    files = result_files(folder) if which == "one" else sweep_files(folder)
    assert Path("report.html") in files


@pytest.mark.parametrize("which", ["one", "many"])
def test_formats_that_are_asked_for(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    names = sorted(path.stem for path in folder.glob("*.png"))
    for form in ("svg", "pdf"):
        assert not list(folder.glob(f"*.{form}"))
        assert command("report", folder, "--format", f"{form},png").exit_code == 0
        assert sorted(path.stem for path in folder.glob(f"*.{form}")) == names
        shown = re.findall(r"!\[.*?\]\((.*?)\)", (folder / "report.md").read_text("utf-8"))
        assert sorted(shown) == [f"{name}.png" for name in names]
    assert command("report", folder, "--format", "none").exit_code == 0
    assert "![" not in (folder / "report.md").read_text("utf-8")


@pytest.mark.parametrize("given", ["gif", "", "png,", "png;svg"])
def test_unknown_formats_are_refused_and_nothing_is_written(given: str, one: Path) -> None:
    before = contents(one)
    refused(command("report", one, "--format", given), "unknown figure format")
    assert contents(one) == before


def test_what_is_no_result_is_refused(one: Path, tmp_path: Path) -> None:
    refused(command("report", tmp_path / "nowhere"), "there is no results folder")
    refused(command("report", tmp_path), "holds no record.npz")
    record = one / "record.npz"
    record.write_bytes(record.read_bytes()[:1000])
    before = contents(one)
    refused(command("report", one, "--html"), "torn or not a gradlab record")
    assert contents(one) == before


FAULTS = {
    "no config": ("config.yaml", None, "no such file"),
    "a config that is none": ("config.yaml", b"- 1\n", "not a list"),
    "figures of no kind": ("config.yaml", b"cell: rnn\nfigures: {formats: [gif]}\n", "gif"),
    "no provenance": ("provenance.json", None, "cannot be read"),
    "torn provenance": ("provenance.json", b'{"gradlab": ', "is no JSON"),
    "a provenance that is a list": ("provenance.json", b"[]", "holds no mapping"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_broken_beside_the_record_is_said(fault: str, one: Path) -> None:
    name, content, told = FAULTS[fault]
    figures = sorted(path.name for path in one.glob("*.png"))
    if content is None:
        (one / name).unlink()
    else:
        (one / name).write_bytes(content)
    done = command("report", one, "--html")
    assert done.exit_code == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("gradlab: ") and name in line and told in line
    page = (one / "report.html").read_text("utf-8")
    assert page.count("<svg") == len(figures)
    assert "hidden_size: 4" in page or content is not None


def test_figures_none_in_the_config(tmp_path: Path) -> None:
    folder = run(tmp_path / "bare", figures="none")
    assert command("report", folder).exit_code == 0
    assert not list(folder.glob("*.png"))
    assert command("report", folder, "--html").exit_code == 0
    assert "<svg" in (folder / "report.html").read_text("utf-8")  # a page without them says less
    assert not list(folder.glob("*.svg"))


def test_shards_that_were_brought_together(many: Path, tmp_path: Path) -> None:
    halves = [sweep(tmp_path / f"half{k}", shard=(k, 2)) for k in (1, 2)]
    first, second = halves
    assert not (first / "report.md").exists()
    for task in (second / "tasks").iterdir():
        shutil.copy(task, first / "tasks")
    written = stored_sweep.again(first, Wanted(), silent)
    assert first / "summary.json" in written
    for name in ("table.csv", "summary.json", "growth_rate.png", "phase_diagram.png"):
        if (many / name).exists():
            assert (first / name).read_bytes() == (many / name).read_bytes()
    title = "# half1"
    assert (first / "report.md").read_text("utf-8").splitlines()[0] == title


def test_a_part_of_a_sweep(many: Path) -> None:
    (many / "summary.json").unlink()
    tasks = sorted((many / "tasks").iterdir())
    whole = len((many / "table.csv").read_text("utf-8").splitlines())
    tasks[0].write_bytes(tasks[0].read_bytes()[:500])
    done = command("report", many, "--html")
    assert done.exit_code == 0
    assert "is torn or not a task's file" in done.stderr and "left out" in done.stderr
    left = len((many / "table.csv").read_text("utf-8").splitlines())
    assert 1 < left < whole
    said = f"{whole - left} of {whole - 1} points are not computed yet"
    for page in ("report.md", "report.html"):
        assert said in (many / page).read_text("utf-8")
    assert not (many / "summary.json").exists()  # which would say that it is done


def test_what_it_prints(one: Path) -> None:
    lines = command("report", one).stdout.split()
    assert lines[-1] == str(one / "report.md") and all(Path(line).is_file() for line in lines)
    assert command("report", one, "--quiet").stdout.split() == [str(one)]
    told = json.loads(command("report", one, "--json", "--html").stdout)
    assert told["files"][-1] == str(one / "report.html")


def test_open_shows_the_page(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    assert command("report", one, "--open").exit_code == 0
    assert opened == [(one / "report.html").resolve().as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    done = command("report", one, "--open")
    assert done.exit_code == 1 and "open it by hand" in done.stderr


def test_a_folder_that_cannot_be_written(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradlab.files.put", full)
    before = contents(one)
    with pytest.raises(GradlabError, match="no space left on device") as raised:
        stored.again(one, Wanted(html=True), silent)
    assert raised.value.exit_code == 1
    assert contents(one) == before
