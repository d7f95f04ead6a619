"""What a run will have is known before it runs, and nothing else may be expected.

Claims:
- for every cell, network, loss, clip, truncation and spectrum the names that are told beforehand
  are those of the summary and of steps.csv afterwards: none is missing, none is too many;
- words are told apart from numbers as they are in the summary;
- anything else is refused with its place, the nearest name, or what the run would need.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from gradlab.cells import CELLS
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.expectations.names import NUMBER, TEXT, kind_of, names, scalars
from gradlab.expectations.possible import refuse_impossible
from gradlab.job import settled
from gradlab.record import Record
from gradlab.runner import run
from gradlab.spec import Spec

SMALL = {"hidden_size": 3, "input_size": 3, "seq_len": 6, "batch_size": 2, "seeds": 2}
OWN = "def step(p, s, x):\n    return 0.5 * s + x.sum(axis=-2, keepdims=True)\n"
RUNS: dict[str, dict[str, Any]] = {
    **{cell: {"cell": cell} for cell in CELLS},
    "relu": {"cell": {"type": "rnn", "activation": "relu"}, "init": "orthogonal"},
    "identity": {"cell": "rnn", "init": "identity", "inputs": "zeros"},
    "clip": {"cell": "rnn", "clip": 1.0},
    "step clip": {"cell": "lstm", "clip": {"threshold": 1.0, "by": "step_norm"}},
    "mse": {"cell": "gru", "loss": {"type": "mse", "at": "all"}, "truncate": 2},
    "chunks": {"cell": "rnn", "truncate": {"steps": 2, "mode": "chunked"}},
    "layers": {"cell": "lstm", "layers": 2, "clip": 1.0},
    "residual": {"cell": "rnn", "layers": 3, "residual": True},
    "deep": {"cell": "rnn", "tied": False},
    "block": {"cell": "rnn", "tied": False, "residual": True, "block": 2},
    "tied block": {"cell": "rnn", "residual": True, "block": 3},
    "both ways": {"cell": "lstm", "bidirectional": True},
    "both ways, layers": {"cell": "gru", "bidirectional": True, "layers": 2},
    "phases": {"cell": "lstm", "encoder_decoder": {"encoder": 4, "decoder": 2}, "seq_len": 6},
    "no spectrum": {"cell": "rnn", "spectrum": "none"},
    "all values": {"cell": "rnn", "spectrum": {"values": "all", "product": False}},
    "largest values": {"cell": "lstm", "spectrum": {"step": "largest", "product": "largest"}},
    "no theory": {"cell": "rnn", "theory": "none"},
    "no lags": {"cell": "rnn", "lag_split": "none"},
}


def spec_of(**settings: Any) -> Spec:
    config, spec = settled(from_mapping({**SMALL, **settings}))
    refuse_impossible(config.expect, spec)
    return spec


def as_told(spec: Spec) -> Record:
    """The run of a spec, whose names must be those that were told before."""
    told, record = names(spec), run(spec)
    found = dict(scalars(record.summary))
    absent = tuple(f"{name}." for name, value in found.items() if value is None)
    there = {name for name, value in found.items() if value is not None}
    assert there <= set(told.scalars), there - set(told.scalars)
    rest = [n for n in told.scalars if n not in found and not n.startswith(absent)]
    assert rest == []
    assert [*record.header()] == [*_index(record), *told.columns]
    for name in there:
        is_word = isinstance(found[name], str)
        assert is_word == (told.scalars[name] != NUMBER), name
        if isinstance(told.scalars[name], tuple):
            assert found[name] in told.scalars[name]
    return record


def _index(record: Record) -> list[str]:
    return [n for n in record.header() if n in ("seed", "t", "lag", "layer", "direction")]


@pytest.mark.parametrize("name", RUNS)
def test_the_names_are_known_before_the_run(name: str) -> None:
    as_told(spec_of(**RUNS[name]))


def test_the_names_of_a_users_own_cell(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    record = as_told(spec_of(cell=str(tmp_path / "own.py")))
    assert "derivatives" in record.summary


@pytest.mark.slow
def test_the_names_of_the_full_theory() -> None:
    """It takes a second, which telling the names must not."""
    as_told(spec_of(cell="lstm", theory="full", hidden_size=16, input_size=16))


def test_a_mean_goes_by_its_own_name_where_there_is_its_interval() -> None:
    told = names(spec_of(cell="rnn", layers=2))
    assert kind_of("growth_rate", told) == NUMBER
    assert kind_of("layers_rates.1.growth_rate", told) == NUMBER
    assert kind_of("gates", told) is None and kind_of("growth", told) is None
    assert kind_of("theory.random_matrix.source", told) == TEXT


@pytest.mark.parametrize("name", ["theory.zzz", "theory.xxxxxxxxxxxx"])
def test_of_many_names_the_nearest_are_told_and_where_the_others_are(name: str) -> None:
    every = [one for one in names(spec_of(cell="rnn")).scalars if one.startswith("theory.")]
    with pytest.raises(GradlabError) as refused:
        spec_of(cell="rnn", expect={name: 1})
    text = str(refused.value)
    assert "all into summary.json" in text
    told = re.findall(r"theory\.[\w.]*\w", text.partition("the nearest are ")[2])
    assert len(set(told)) == len(told) < len(every) and set(told) <= set(every)
    assert f"and {len(every) - len(told)} more" in text

    def likeness(one: str) -> float:
        return SequenceMatcher(None, one, name).ratio()

    # nobody left out is nearer than one that is told, and those told begin with the nearest
    found = [likeness(one) for one in told]
    assert found == sorted(found, reverse=True)
    assert max(likeness(one) for one in every if one not in told) <= found[-1]


def test_of_few_names_all_are_told() -> None:
    spec = spec_of(cell="rnn", clip=1.0)
    with pytest.raises(GradlabError, match="there are ") as refused:
        spec_of(cell="rnn", clip=1.0, expect={"clip.zzzzzz": 1})
    assert set(re.findall(r"clip\.\w+", str(refused.value).partition("there are")[2])) == {
        one for one in names(spec).scalars if one.startswith("clip.")
    }


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"verdit": "exploding"}, "no 'verdit' (did you mean 'verdict'?)"),
    ({}, {"growth_rat": 1}, "no 'growth_rat' (did you mean 'growth_rate'?)"),
    ({}, {"gates.h.maen": 1}, "no 'gates.h.maen' (did you mean 'gates.h.mean'?)"),
    ({}, {"growth_rate": {"mni": 1}}, "unknown key 'growth_rate.mni' (did you mean 'min'?)"),
    ({}, {"qqq": 1}, "no 'qqq'; the nearest are "),
    ({}, {"clip.rate": 1}, "no 'clip.rate': it has no clip"),
    ({}, {"truncation.lost": 1}, "no 'truncation.lost': it has no truncate"),
    ({}, {"loss": 1}, "no 'loss': it has no loss but the gradient"),
    ({}, {"layers_rates.1.verdict": "vanishing"}, "it has one layer"),
    ({}, {"directions.forward.verdict": "vanishing"}, "it has one direction"),
    ({"spectrum": "none"}, {"lyapunov_max": 1}, "it has no Lyapunov exponents"),
    ({"tied": False}, {"spectral_radius": 1}, "it has no recurrent matrix that is the same"),
    ({"spectrum": "none"}, {"spectral_radius": 1}, "same at every step, or no spectrum"),
    ({"cell": "accumulator"}, {"sigma_max_by_gate.h": 1}, "it has no recurrent matrix"),
    ({}, {"grad_norm_h": {"min": 1}}, "'grad_norm_h' is a column of steps.csv: say at which lag"),
    ({}, {"grad_norm_c": {"min": 1, "lag": 1}}, "is no column of this run's steps.csv (did you"),
    (
        {"spectrum": {"step": "largest"}},
        {"sigma_min": {"min": 0, "lag": 1}},
        "'sigma_min' is no column of this run's steps.csv",
    ),
    ({}, {"half_life": {"min": 1, "lag": 1}}, "'half_life' is no column of this run's steps.csv;"),
    ({}, {"grad_norm_h": {"min": 1, "lag": 7}}, "lag is 7, but the sequence has 6 steps (seq_len)"),
    (
        {"record_every": 3},
        {"grad_norm_h": {"min": 1, "lag": 2}},
        "lag 2 is not recorded (record_every); near it are 0, 3",
    ),
    ({}, {"sigma_max": {"min": 1, "lag": 6}}, "sigma_max is of a step, and lag 6 is the state"),
    ({}, {"saturation": {"min": 1, "lag": 6}}, "saturation is of a step"),
    ({}, {"log10_product_sigma_1": {"min": 1, "lag": 0}}, "at lag 0 there are none"),
    ({}, {"grad_norm_h": {"min": 1, "lag": 1, "layer": 2}}, "layer is 2, but there is 1"),
    ({"layers": 2}, {"grad_norm_h": {"min": 1, "lag": 1, "layer": 3}}, "but there are 2"),
    ({}, {"grad_norm_h": {"min": 1, "lag": 1, "direction": "forward"}}, "for a run with both"),
    ({}, {"sigma_max": {"min": 1, "layer": 1}}, "layer goes with a column of steps.csv and a lag"),
    ({}, {"verdict": "explodes"}, "never 'explodes' (did you mean 'exploding'?); it is one of"),
    ({}, {"verdict": {"min": 1}}, "verdict is a word: min, max and near are for numbers"),
    ({}, {"verdict": 3}, "verdict is a word, never 3"),
    ({}, {"verdict": {"equals": "exploding", "of": "median"}}, "of is every, or summary, not med"),
    ({}, {"half_life": "long"}, "half_life is a number, never 'long'"),
    ({}, {"grad_norm_h": {"equals": "big", "lag": 1}}, "grad_norm_h is a number, never 'big'"),
    ({"seeds": 1}, {"sigma_max": {"min": 1, "of": "low"}}, "takes two seeds at least; here is one"),
    ({}, {"grad_norm_h": {"min": 1, "lag": 1, "of": "summary"}}, "no value at a lag; take median"),
]


@pytest.mark.parametrize(("settings", "expect", "words"), BAD, ids=lambda value: str(value)[:40])
def test_what_a_run_cannot_have_is_refused(
    settings: dict[str, Any], expect: dict[str, Any], words: str
) -> None:
    with pytest.raises(GradlabError) as caught:
        spec_of(**{"cell": "rnn", **settings}, expect=expect)
    assert caught.value.exit_code == 2
    assert words in str(caught.value)
    assert str(caught.value).startswith("expect: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expect"),
    [
        ({}, {"half_life": "none"}),
        ({"seeds": 1}, {"growth_rate": {"min": 1, "of": "low"}}),
        ({"seeds": 1}, {"growth_rate": {"min": 1}}),
        ({}, {"sigma_max": {"min": 1, "lag": 5}}),
        ({"record_every": 3}, {"grad_norm_h": {"min": 1, "lag": 3}}),
        ({"layers": 2}, {"grad_norm_h": {"min": 1, "lag": 6, "layer": 2}}),
        ({"bidirectional": True}, {"grad_norm_h": {"min": 1, "lag": 1, "direction": "backward"}}),
        ({}, {"outcome": {"equals": ["ok", "overflow"], "of": "every"}}),
        ({}, {"theory.textbook.gamma": 1}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_run_can_have_is_taken(settings: dict[str, Any], expect: dict[str, Any]) -> None:
    spec_of(**{"cell": "rnn", **settings}, expect=expect)
