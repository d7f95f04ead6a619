"""What the pages of the project say is so.

Claims:
- every command is in the README, and every command that is in the README exists;
- every key of a config is in the README; every kind of cell, weights and inputs is named there;
- every file that a page links to is there;
- every figure is named there;
- every config in configs/ opens with its question, is in the table of questions, and is valid;
- the table of layers in CONTRIBUTING names modules that exist, and all of them; a folder is
  named as a whole, or by its modules.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gradlab.cells import CELLS
from gradlab.cli import COMMANDS
from gradlab.config import Config, load, load_sweep
from gradlab.initial import INITS
from gradlab.inputs import INPUTS
from gradlab.report.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"gradlab {command}" in README


def test_every_command_in_the_readme_exists() -> None:
    used = re.findall(r"^ *(?:\$ )?gradlab (\w+)", README, re.MULTILINE)
    used += re.findall(r"`gradlab (\w+)", README)
    assert used
    assert set(used) <= set(COMMANDS)


@pytest.mark.parametrize("key", Config.model_fields)
def test_every_key_is_in_the_readme(key: str) -> None:
    assert re.search(rf"(?:`|^ *|\n *){key}\b", README)


@pytest.mark.parametrize("kind", [*CELLS, *INITS, *INPUTS])
def test_every_kind_is_in_the_readme(kind: str) -> None:
    assert re.search(rf"\b{kind}\b", README)


PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "VISION.md", "configs/README.md"]
PAGES += [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text, folder = (ROOT / page).read_text(encoding="utf-8"), (ROOT / page).parent
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert all(link.startswith("http") or (folder / link).exists() for link in links), links


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_in_the_table_of_questions(path: Path) -> None:
    table = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in table.splitlines() if f"[{path.stem}]({path.name})" in line]
    assert ("sweep" in row) >= ("sweep" in yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_in_the_readme(figure: str) -> None:
    assert f"`{figure}.png`" in README


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_opens_with_its_question_and_is_valid(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[: next(k for k, line in enumerate(lines) if not line.startswith("#"))]
    assert head and "?" in " ".join(head)
    swept = "sweep" in yaml.safe_load(path.read_text(encoding="utf-8"))
    (load_sweep if swept else load)(path)


def test_the_table_of_layers_has_every_module() -> None:
    rows = re.findall(r"^\| (\d) \| (.*?) \|", CONTRIBUTING, re.MULTILINE)
    named = [name for _, cell in rows for name in re.findall(r"`([\w/]+?)/?`", cell)]
    there = {path.stem for path in (ROOT / "gradlab").glob("*.py")} - {"__init__", "__main__"}
    for folder in (path.parent for path in (ROOT / "gradlab").glob("*/__init__.py")):
        inside = {f"{folder.name}/{path.stem}" for path in folder.glob("*.py")}
        by_module = not inside.isdisjoint(named)
        there |= inside - {f"{folder.name}/__init__"} if by_module else {folder.name}
    assert len(named) == len(set(named))
    assert set(named) == there
