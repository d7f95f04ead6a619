"""Claims: files are valid, the same bytes each time, and hold no date; what cannot be drawn is left
out; nothing in a record is taken for markup.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from figure_records import overflowed, record
from network_records import older

from gradlab.errors import GradlabError
from gradlab.report import figures

ALWAYS = (
    *("gradient_norms", "singular_values", "product_singular_values", "lyapunov_spectrum"),
    *("weight_gradient", "weight_spectrum", "seed_spread"),  # the seeds of the records below differ
)
# a record for each of the others
OTHERS = {
    "jacobian_spectrum": "spectra, tanh, theory",
    "lag_split": "truncated",
    "layer_heatmap": "three layers",
    "directions": "both directions",
    "cell_paths": "direct path",
    "factor_histogram": "factors between",
    "weight_eigenvalues": "rnn",
    "gate_histograms": "lstm",
    "clipping": "step clip",
    **dict.fromkeys(("training_loss", "training_clip", "snapshots"), "training"),
}
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-1."}


@pytest.mark.parametrize("name", figures.FIGURES)
def test_overflow_of_all_seeds_is_left_out(name: str) -> None:
    assert not figures.FIGURES[name].applies(overflowed())


def test_what_does_not_apply_is_skipped(tmp_path: Path) -> None:
    paths = figures.save(older(record("no spectrum")), tmp_path, ["png"], 50)
    names = ["gradient_norms", "seed_spread", "weight_gradient"]
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    assert figures.save(overflowed(), tmp_path, ["png"], 50) == []
    assert figures.save(record("rnn"), tmp_path, [], 50) == []


def test_files_are_valid_and_the_same_every_time(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        paths = figures.save(older(record("lstm")), folder, ["pdf", "png", "svg"], 60)
        assert sorted(paths) == sorted(folder.iterdir())
        assert len(paths) == 3 * len(ALWAYS)
    for path in folders[0].iterdir():
        data = path.read_bytes()
        assert data.startswith(MAGIC[path.suffix[1:]])
        assert data == (folders[1] / path.name).read_bytes()
        assert b"CreationDate" not in data
        assert b"dc:date" not in data
        assert b"Matplotlib" not in data.replace(b"Matplotlib font", b"")


@pytest.mark.parametrize("name", [name for name in figures.FIGURES if name not in ALWAYS])
def test_what_only_some_networks_have_is_drawn_for_them(name: str, tmp_path: Path) -> None:
    assert not figures.FIGURES[name].applies(older(record("lstm")))
    once, again = (
        figures.save(record(OTHERS[name]), tmp_path, list(MAGIC), 50, [name])
        and {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}
        for _ in range(2)
    )
    assert once == again
    assert set(once) == {f"{name}.{extension}" for extension in MAGIC}


def test_names_choose_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    (path,) = figures.save(record("rnn"), tmp_path, ["svg"], 50, ["weight_gradient"])
    assert path.name == "weight_gradient.svg"
    with pytest.raises(GradlabError, match="unknown figure 'norms'; known: training_loss"):
        figures.save(record("rnn"), tmp_path, ["png"], 50, ["norms"])
    with pytest.raises(GradlabError, match="unknown figure format 'gif'; known: png, svg, pdf"):
        figures.save(record("rnn"), tmp_path, ["gif"], 50)


def test_text_of_a_record_is_not_read_as_mathematics(tmp_path: Path) -> None:
    source = record("lstm")
    gate = {r"$\frac{$": 1.0, "_$&<x>": 2.0}
    summary = source.summary | {"sigma_max_by_gate": gate}
    odd_gates = [r"$\frac{$", "_$&<script>", "g]]>", "--><o"]
    names = source.names | {"parts": ["h", r"$\bad{$"], "recurrent": odd_gates, "gates": odd_gates}
    more = {r"log10_grad_norm_$\bad{$": source["log10_grad_norm_h"]}
    odd = replace(source, summary=summary, names=names, arrays=source.arrays | more)
    paths = figures.save(odd, tmp_path, ["png", "svg", "pdf"], 50)
    assert {"gate_histograms", "weight_eigenvalues"} <= {path.stem for path in paths}
    for path in tmp_path.glob("*.svg"):
        tags = {one.tag.rpartition("}")[2] for one in ElementTree.parse(path).iter()}
        assert tags.isdisjoint({"script", "x", "o"})


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_says_what_it_shows(name: str) -> None:
    entry = figures.FIGURES[name]
    assert "\n" not in entry.alt
    assert len(entry.caption.split("\n\n")) == 2
