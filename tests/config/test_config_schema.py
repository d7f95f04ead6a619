"""The JSON Schema against the models: what editors underline is what gradlab refuses.

Claims:
- configs/gradlab.schema.json is what `gradlab schema` prints; every example and every starter names
  it where editors look;
- every example, every starter and every resolved config is valid by the schema;
- wrong configs are refused by the schema and by gradlab alike, and so are all combinations of keys
  that exclude each other;
- every key of every section has a description, and every reference leads somewhere;
- a sweep may name exactly the keys that gradlab lets it name;
- the judge itself refuses words that it does not know.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_schema_check import allows, resolved

from gradlab.cells import CELLS
from gradlab.config import (
    HEADER,
    SCHEMA_FILE,
    Config,
    dump,
    from_mapping,
    load,
    load_sweep,
    schema,
    starter,
    sweep_from_mapping,
)
from gradlab.config.kinds import KINDS
from gradlab.config.problems import SECTIONS
from gradlab.config.source import parse, read
from gradlab.config.swept import flaw_of
from gradlab.errors import GradlabError
from gradlab.job import settled

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
DOCUMENT = schema()


def valid(data: Any) -> bool:
    return allows(DOCUMENT, data, DOCUMENT)


def loads(data: dict[str, Any]) -> bool:
    try:
        if "sweep" in data:
            return sweep_from_mapping(data).check() is None
        from_mapping(data)
    except GradlabError:
        return False
    return True


# ---------------------------------------------------------------- the file


def test_the_file_in_the_repository_is_current() -> None:
    text = (ROOT / "configs" / SCHEMA_FILE).read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(schema())), "make schema"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_example_names_the_schema_and_is_valid_by_it(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n")
    comments = list(itertools.takewhile(lambda line: line.startswith("#"), head))
    assert comments[-1] == HEADER  # the question comes first
    assert (path.parent / HEADER.rpartition("=")[2]).is_file()
    assert valid(read(path).data)


@pytest.mark.parametrize("cell", CELLS)
def test_a_starter_names_the_schema_and_is_valid_by_it(cell: str) -> None:
    text = starter(cell)
    assert HEADER in text.splitlines()
    data = parse(text, "starter").data
    assert valid(data)
    for setting in re.findall(r"^# (\w+: .*)$", text, re.MULTILINE):
        assert valid(data | parse(setting, "setting").data), setting


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_resolved_config_is_valid(path: Path) -> None:
    swept = "sweep" in read(path).data
    config = load_sweep(path).config(0) if swept else settled(load(path))[0]
    assert valid(parse(dump(config, path.parent), "resolved").data)


# ---------------------------------------------------------------- what it refuses

RIGHT: dict[str, dict[str, Any]] = {
    "a clip of a number": {"clip": 5},
    "no clip": {"clip": "none"},
    "a whole float": {"seq_len": 10.0},
    "options of the usual inputs": {"inputs": {"std": 2.0}},
    "no options of the usual inputs": {"inputs": {}},
    "no options of the usual state": {"initial_state": {}},
    "a cell of one's own": {"cell": "mine.py"},
    "a loss of outputs": {"loss": {"type": "mse", "outputs": 3, "targets": "shifted"}},
    "phases": {"encoder_decoder": {"encoder": 3, "decoder": 4}},
    "weights of a file": {"init": {"file": "w.npz", "prefix": "lstm."}},
    "seeds": {"seeds": [3, 1]},
    "words": {"inputs": {"type": "text", "path": "t", "level": "word", "max_words": 3}},
}
WRONG: dict[str, dict[str, Any]] = {
    "an unknown key": {"lenght": 3},
    "an unknown cell": {"cell": "lsmt"},
    "an option of another cell": {"cell": {"type": "lstm", "activation": "relu"}},
    "a cell without a type": {"cell": {"activation": "relu"}},
    "a size of 0": {"hidden_size": 0},
    "half a step": {"seq_len": 1.5},
    "a size as text": {"seq_len": "100"},
    "true for a size": {"batch_size": True},
    "too large": {"hidden_size": 2**31},
    "a negative scale": {"weight_scale": -1},
    "a clip of 0": {"clip": 0},
    "clip without threshold": {"clip": {"by": "value"}},
    "an unknown way to clip": {"clip": {"threshold": 1, "by": "norm"}},
    "an unknown init": {"init": "orthogonall"},
    "an init that is drawn and from a file": {"init": {"file": "w.npz", "bias": 1.0}},
    "a prefix of no file": {"init": {"prefix": "lstm."}},
    "inputs that need a path": {"inputs": "file"},
    "options of other inputs": {"inputs": {"value": 2.0}},
    "a path without a kind": {"initial_state": {"path": "s.npz"}},
    "a state with an option of another": {"initial_state": {"type": "zeros", "std": 1.0}},
    "max_words of characters": {"inputs": {"type": "text", "path": "t", "max_words": 3}},
    "an option of another loss": {"loss": {"targets": "shifted"}},
    "a value of outputs": {"loss": {"type": "mse", "value": "ones"}},
    "a step 0": {"loss": {"at": [0]}},
    "steps twice": {"loss": {"at": [1, 1]}},
    "no steps": {"loss": {"at": []}},
    "seeds twice": {"seeds": [1, 1]},
    "an unknown format": {"figures": {"formats": ["gif"]}},
    "a name that is a path": {"name": "../../x"},
    "a hidden name": {"name": ".x"},
    "an empty name": {"name": ""},
    "a long name": {"name": "x" * 101},
    "text for a flag": {"tied": "no"},
    "an unknown precision": {"dtype": "float16"},
    "a sweep of nothing": {"sweep": {}},
    "a sweep of an unknown key": {"sweep": {"weightscale": [1, 2]}},
    "a sweep of the name": {"sweep": {"name": ["a", "b"]}},
    "a sweep of a single value": {"sweep": {"weight_scale": 1.0}},
    "a sweep of no values": {"sweep": {"weight_scale": []}},
    "a sweep of wrong values": {"sweep": {"weight_scale": [1.0, "x"]}},
    "a sweep of wrong inner values": {"sweep": {"clip.by": ["norm"]}},
    "one point": {"sweep": {"weight_scale": {"linear": [0, 1], "num": 1}}},
    "two forms": {"sweep": {"weight_scale": {"linear": [0, 1], "log": [1, 2], "num": 3}}},
    "a range of two": {"sweep": {"seq_len": {"range": [1, 2]}}},
    "keys together without lists": {"sweep": {"init.recurrent, init.bias": ["normal", 1.0]}},
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_configs_are_right_for_both(name: str) -> None:
    data = {"cell": "rnn"} | RIGHT[name]
    assert valid(data)
    assert loads(data)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configs_are_wrong_for_both(name: str) -> None:
    data = {"cell": "rnn"} | WRONG[name]
    assert not valid(data)
    assert not loads(data)


def test_a_cell_may_only_be_absent_where_a_file_has_it() -> None:
    for data in ({}, {"seq_len": 3}, {"init": "normal"}, {"init": {"file": "w.npz"}}):
        assert valid(data) == loads(data) == ("file" in data.get("init", {}))


TOGETHER: dict[str, list[Any]] = {
    "layers": [1, 2],
    "tied": [True, False],
    "residual": [True, False],
    "block": [None, 2],
    "bidirectional": [True, False],
    "encoder_decoder": [None, {"encoder": 2, "decoder": 2}],
    "truncate": [None, "none", 2, {"steps": 2}],
}


def test_keys_that_exclude_each_other_do_so_in_both() -> None:
    """Every combination, and each with any of its keys left out where it has its default."""
    defaults = {name: field.default for name, field in Config.model_fields.items()}
    accepted = set()
    for values in itertools.product(*TOGETHER.values()):
        full = {"cell": "rnn", "seq_len": 4} | dict(zip(TOGETHER, values, strict=True))
        short = {key: value for key, value in full.items() if value != defaults.get(key)}
        for data in (full, short):
            assert valid(data) == loads(data), data
            accepted.add(valid(data))
    assert accepted == {True, False}


# ---------------------------------------------------------------- what it tells


def test_every_key_of_every_section_is_described() -> None:
    for key in Config.model_fields:
        assert DOCUMENT["properties"][key]["description"], key
    models = {model.__name__ for model in SECTIONS.values()}
    for name in models:
        for key, node in DOCUMENT["$defs"][name]["properties"].items():
            assert node.get("description"), f"{name}.{key}"


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert all(isinstance(resolved(reference, DOCUMENT), dict) for reference in found)


def test_a_sweep_may_name_the_keys_that_gradlab_sweeps() -> None:
    named = set(DOCUMENT["properties"]["sweep"]["properties"])
    inner = {
        f"{top}.{key}"
        for top, kinds in KINDS.items()
        for model in kinds.values()
        for key in model.model_fields
    } | {f"{top}.{key}" for top, model in SECTIONS.items() for key in model.model_fields}
    possible = {*Config.model_fields, *inner, "sweep", "expect", "train"}
    assert named == {key for key in possible if flaw_of(key) is None}


@pytest.mark.parametrize("word", ["not", "prefixItems", "contains"])
def test_the_judge_knows_what_it_does_not_know(word: str) -> None:
    with pytest.raises(KeyError, match=word):
        allows({word: {}}, {}, {})
