"""The gallery, and the page on how to read the figures.

Claims:
- every figure is shown; pictures are those of the list, no more, and small; links lead somewhere;
- each config has its question and its command; docs/figures.md is what the figures say;
- what is said of a result comes from it: another result, another sentence and another picture;
- nothing in a config is taken for HTML or Markdown; the same results give the same bytes;
- a result that is missing, not finished, or without such a figure is an error that says so.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import gradlab
from docs import gallery
from gradlab.errors import GradlabError
from gradlab.report import words
from gradlab.report.figures import FIGURES
from gradlab.report.markdown import escape
from gradlab.report.sweep_figures import SWEEP_FIGURES

DOCS = Path(gallery.__file__).parent
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
MOST = 2_000_000  # bytes of all pictures
QUESTION = "Does <script>alert(1)</script> | `x` $\\frac{ [a](b) *explode*?"
SMALL = "hidden_size: 4\nbatch_size: 2\nseq_len: 30\nseeds: 3\ngenerator: pcg64\n"


def test_every_figure_is_shown() -> None:
    assert {figure for _, figure in gallery.SHOWN} == set(FIGURES) | set(SWEEP_FIGURES)


def test_the_pictures_are_those_of_the_page_and_small() -> None:
    files = sorted((DOCS / gallery.IMAGES).iterdir())
    named = {f"{config}-{figure}.png" for config, figure in gallery.SHOWN}
    assert {path.name for path in files} == named
    assert sum(path.stat().st_size for path in files) < MOST
    assert sorted(re.findall(r"\]\(images/gallery/(\S+?)\)", PAGE)) == sorted(named)


@pytest.mark.parametrize("config", dict(gallery.SHOWN))
def test_a_config_has_its_question_and_its_command(config: str) -> None:
    path = gallery.CONFIGS / f"{config}.yaml"
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    word = "sweep" if "sweep" in sections else "train" if "train" in sections else "run"
    asked = gallery.question(path)
    assert asked.endswith("?")
    assert path.read_text(encoding="utf-8").startswith(f"# {asked[:40]}")
    assert "yaml-language-server" not in asked
    _, _, part = PAGE.partition(f"\n## {escape(config)}\n")
    part = part.partition("\n## ")[0]
    assert escape(asked) in part
    assert f"    gradlab {word} configs/{config}.yaml\n" in part


def test_how_to_read_them_is_what_they_say_of_themselves() -> None:
    text = (DOCS / "figures.md").read_text(encoding="utf-8")
    assert text == gallery.reading(gallery.SHOWN)
    for name, entry in [*FIGURES.items(), *SWEEP_FIGURES.items()]:
        assert f"\n## {escape(name)}\n\n*{escape(entry.caption.partition(chr(10) * 2)[0])}*" in text


def made(root: Path, g: float, question: str = QUESTION) -> tuple[Path, Path]:
    """Folders of configs and of results, with one run in them."""
    configs, results = root / "configs", root / "results"
    configs.mkdir(parents=True)
    text = f"# {question}\n# Look at it.\ncell: linear\ninit: orthogonal\n"
    text += f"weight_scale: {g}\nclip: 1.0\n{SMALL}"
    (configs / "a_b.yaml").write_text(text, encoding="utf-8")
    gradlab.run(configs / "a_b.yaml", "figures=none", out=results / "a_b")
    return configs, results


def test_what_is_said_comes_from_the_result(tmp_path: Path) -> None:
    shown = (("a_b", "gradient_norms"), ("a_b", "clipping"))
    pages = {}
    for g in (0.5, 4.0):
        configs, results = made(tmp_path / str(g), g)
        files = gallery.page(configs, results, shown)
        assert files == gallery.page(configs, results, shown)
        assert set(files) == {"gallery.md", "figures.md"} | {
            f"images/gallery/a_b-{name}.png" for _, name in shown
        }
        record = gradlab.load(results / "a_b")
        text = files["gallery.md"].decode()
        assert escape(words.headline(record)) in text
        assert f"*{escape(FIGURES['clipping'].draw.__globals__['title'](record))}*" in text
        pages[g] = files
    assert all(pages[0.5][name] != pages[4.0][name] for name in pages[0.5] if name != "figures.md")
    assert "vanishing" in pages[0.5]["gallery.md"].decode()
    assert "exploding" in pages[4.0]["gallery.md"].decode()


def test_a_question_is_text(tmp_path: Path) -> None:
    configs, results = made(tmp_path, 1.0)
    text = gallery.page(configs, results, (("a_b", "gradient_norms"),))["gallery.md"].decode()
    assert "<script" not in text
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt; \\| \\`x\\` $\\\\frac{ \\[a\\](b) \\*explode\\*?"
        in text
    )
    assert "## a\\_b" in text
    assert "Look at it" not in text


def test_results_that_are_not_there(tmp_path: Path) -> None:
    configs, results = made(tmp_path, 1.0)
    with pytest.raises(GradlabError, match="nothing to draw for layer_heatmap"):
        gallery.page(configs, results, (("a_b", "layer_heatmap"),))
    with pytest.raises(GradlabError):
        gallery.page(configs, tmp_path / "nowhere", (("a_b", "clipping"),))
    other = configs / "s.yaml"
    other.write_text(f"# Where?\ncell: rnn\n{SMALL}sweep:\n  weight_scale: [0.5, 1.0]\n", "utf-8")
    with pytest.raises(GradlabError):
        gallery.page(configs, results, (("s", "growth_rate"),))
    gradlab.sweep(other, out=results / "s")
    files = gallery.page(configs, results, (("s", "growth_rate"),))
    assert set(files) == {"gallery.md", "figures.md", "images/gallery/s-growth_rate.png"}
    for task in (results / "s").rglob("*.npz"):
        task.unlink()
    with pytest.raises(GradlabError, match="not finished"):
        gallery.page(configs, results, (("s", "growth_rate"),))


def test_old_pictures_go(tmp_path: Path) -> None:
    first = {"gallery.md": b"a", f"{gallery.IMAGES}/x.png": b"1", f"{gallery.IMAGES}/y.png": b"2"}
    assert len(list(gallery.write(first, tmp_path))) == 3
    list(gallery.write({"gallery.md": b"b", f"{gallery.IMAGES}/x.png": b"3"}, tmp_path))
    assert [path.name for path in (tmp_path / gallery.IMAGES).iterdir()] == ["x.png"]
    assert (tmp_path / "gallery.md").read_bytes() == b"b"
