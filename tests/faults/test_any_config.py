"""Whatever a config says, it is refused in our words or runs to an outcome.

Claims:
- every key of every model, and every option of every kind, has a strategy in `anyconfig`;
- a config that is taken runs to an outcome: no exception but GradlabError, no warning; its files
  are written and read back; what is refused is refused in lines of ours;
- its resolved config.yaml is the same experiment, and is written again with the same bytes;
- its figures can be drawn, whatever is in the record.

`make fuzz` runs the same for longer, with other examples.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from anyconfig import TABLES, configs, lay_out, sections_of, uncovered
from fuzzing import counted, example_count, fuzz
from hypothesis import given

import gradlab
from gradlab.config import Config, dump, from_mapping, load
from gradlab.config.kinds import Kind
from gradlab.errors import GradlabError
from gradlab.plan import settle
from gradlab.store import Folder

OUTCOMES = {"ok", "overflow"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the configs, with the files that they name."""
    folder = tmp_path_factory.mktemp("any")
    lay_out(folder)
    return folder


def test_every_key_has_a_strategy() -> None:
    assert uncovered() == []
    known = {model for model, _ in TABLES}
    assert {m for m in sections_of(Config) if not issubclass(m, Kind)} <= known


def outcome(mapping: dict[str, Any], out: Path) -> str | None:
    """How a run ended; None where it was refused, in our words."""
    shutil.rmtree(out, ignore_errors=True)
    refusal: GradlabError | None = None
    try:
        call = gradlab.train if mapping.get("train") is not None else gradlab.run
        record = call(mapping, out=out)
    except GradlabError as error:
        refusal = error
    if refusal is None:
        return str(record.summary["outcome"])
    assert refusal.problems
    assert all(p.message.strip() and "\n" not in p.message for p in refusal.problems)
    assert "internal" not in str(refusal)
    return None


@pytest.mark.fault(
    "random: any config at all (keys, kinds, extreme values)",
    "refused in our words, or run to an outcome; all files written and read back",
)
@fuzz(40)
@given(mapping=configs())
def test_a_config_runs_to_an_outcome(place: Path, mapping: dict[str, Any]) -> None:
    counted("configs run")
    out = place / "results" / "any"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        found = outcome(mapping, out)
        if found is None:
            assert not out.exists()
            return
        counted("of these taken")
        assert found in OUTCOMES
        written = out / "config.yaml"
        again = load(written)
        stored = gradlab.load(out)
        assert settle(again.config)[1].identity == stored.identity
        assert dump(settle(again.config)[0], out) == written.read_text("utf-8")


@pytest.mark.fault(
    "random: any config resolved, dumped, loaded",
    "the same config, and the same bytes when dumped again",
)
@fuzz(100)
@given(mapping=configs(most=12))
def test_resolve_dump_load_is_the_identity(place: Path, mapping: dict[str, Any]) -> None:
    counted("configs dumped")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        try:
            config, spec = settle(from_mapping(mapping).config)
        except GradlabError:
            return
        text = dump(config, place)
        (place / "again.yaml").write_text(text, encoding="utf-8")
        again, same = settle(load("again.yaml").config)
        assert again == config and same.identity == spec.identity
        assert dump(again, place) == text


@pytest.mark.fault("random: the figures of any config", "drawn, whatever the record holds")
@fuzz(2)
@given(mapping=configs())
def test_the_figures_of_any_config_are_drawn(place: Path, mapping: dict[str, Any]) -> None:
    counted("configs drawn")
    out = place / "results" / "drawn"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        found = outcome(mapping | {"figures": {"formats": ["svg"], "dpi": 50}}, out)
        if found is not None:
            assert Folder(out).report.is_file()
            drawn = {path.name for path in out.iterdir()}
            assert "gradient_norms.svg" in drawn or found == "overflow"


def test_examples_are_counted() -> None:
    assert example_count(7) >= 7


@pytest.mark.fault(
    "run: weight scales from 1e-300 to 1e300, and figures", "drawn without a warning"
)
@pytest.mark.parametrize(
    ("cell", "scale"),
    [("rnn", 1e-300), ("rnn", 1e-154), ("rnn", 1e154), ("rnn", 1e300), ("gru", 1e300)],
)
def test_figures_of_extreme_scales(cell: str, scale: float, tmp_path: Path) -> None:
    small = {"cell": cell, "hidden_size": 3, "seq_len": 3, "batch_size": 2, "seeds": 2}
    figures = {"formats": ["svg"], "dpi": 50}
    gradlab.run({**small, "weight_scale": scale, "figures": figures}, out=tmp_path / "x")
    overflow = gradlab.load(tmp_path / "x").summary["outcome"] == "overflow"
    assert (tmp_path / "x" / "weight_spectrum.svg").is_file() or overflow
