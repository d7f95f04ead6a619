"""The resolved config: every key, in order, and loading it gives the config again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.cells import CELLS
from gradlab.config import Config, Loaded, dump, from_mapping, load
from gradlab.config.fields import flaw
from gradlab.initial import INITS

LoadText = Callable[..., Loaded]

REAL = st.floats(-1e300, 1e300)
POSITIVE = st.floats(1e-300, 1e300)
SIZE = st.integers(1, 2**31 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
FILE = TEXT | st.sampled_from(["~", "./~", "~nobody/x", "a/../b", "-", "C:\\x"])
FROM_FILE = st.builds(lambda path: {"type": "file", "path": path}, FILE)
FROM_TEXT = st.fixed_dictionaries(
    {"type": st.just("text"), "path": FILE},
    optional={
        "vocabulary": FILE,
        "level": st.sampled_from(["char", "word"]),
        "embedding": st.fixed_dictionaries({"file": FILE}, optional={"name": TEXT}),
    },
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


MAPPINGS = st.fixed_dictionaries(
    {"cell": st.sampled_from(list(CELLS))},
    optional={
        "name": TEXT.filter(lambda name: flaw(name) is None)
        | st.sampled_from(
            ["1e3", "no", "010", "1_000", "12:30", "null", "=", "'", "#1", "0x1", "<<"]
        ),
        "hidden_size": SIZE | st.none(),
        "input_size": SIZE,
        "weight_scale": st.floats(0, 1e300),
        "init": some(recurrent=st.sampled_from(list(INITS)), bias=REAL, biases=st.integers(0, 2))
        | st.fixed_dictionaries({"file": FILE}, optional={"prefix": TEXT}),
        "seq_len": st.integers(100, 200),
        "inputs": st.sampled_from(["zeros", "onehot"]) | some(std=POSITIVE) | FROM_FILE | FROM_TEXT,
        "initial_state": FROM_FILE,
        "loss": some(
            at=st.lists(st.integers(1, 100), min_size=1, unique=True), value=st.just("unit")
        ),
        "clip": POSITIVE | st.just("none"),
        "checkpoint": SIZE | st.just("none"),
        "spectrum": some(values=SIZE, step=st.booleans(), sequences=st.integers(1, 16))
        | st.just("none"),
        "seeds": st.integers(1, 1000)
        | st.lists(st.integers(0, 2**32 - 1), min_size=1, unique=True),
        "figures": some(formats=st.permutations(["png", "svg", "pdf"])) | st.just("none"),
    },
)


@pytest.mark.fault(
    "config: random mappings dumped and loaded", "the same config, from another folder too"
)
@settings(deadline=None, max_examples=100)
@given(MAPPINGS)
def test_loading_a_dump_gives_the_config_again(
    tmp_path_factory: pytest.TempPathFactory, mapping: dict[str, Any]
) -> None:
    """Through a file in another folder than the one that paths were relative to; and once more."""
    base = tmp_path_factory.getbasetemp()
    config = from_mapping(mapping, folder=base / "elsewhere").config
    target = base / "run.yaml"
    target.write_text(dump(config, base), encoding="utf-8")
    again = load(target).config
    assert again == config
    assert dump(again, base) == dump(config, base)


def test_every_key_in_the_documented_order(load_text: LoadText) -> None:
    """Top-level keys are the model's; inner ones are complete too."""
    text = dump(load_text("cell: rnn\nclip: 1e-5\n").config)
    data = yaml.safe_load(text)
    assert list(data) == list(Config.model_fields)
    assert data["cell"] == {"type": "rnn", "activation": "tanh"}
    assert data["spectrum"] == {
        "step": True,
        "product": "auto",
        "lyapunov": "auto",
        "values": 8,
        "sequences": 1,
        "every": 1,
    }
    assert data["clip"] == {"threshold": 1e-5, "by": "global_norm"}


def test_weights_are_drawn_or_from_a_file(load_text: LoadText) -> None:
    """`init` has the keys of the one that holds, so that it loads again."""
    drawn = yaml.safe_load(dump(load_text("cell: rnn\n").config))["init"]
    assert list(drawn) == ["recurrent", "input", "bias", "forget_bias", "input_scale", "biases"]
    config = load_text("cell: rnn\ninit: {file: a.npz}\n").config
    given = yaml.safe_load(dump(config, Path.cwd()))["init"]
    assert given == {"file": "a.npz", "prefix": "", "compare": "auto"}


def test_paths_are_relative_to_the_folder_of_the_dump(load_text: LoadText) -> None:
    """Absolute without a folder, relative with one."""
    config = load_text("cell: rnn\ninputs: {type: file, path: data/x.npy}\n").config
    here = Path.cwd()
    assert yaml.safe_load(dump(config))["inputs"]["path"] == str(here / "data" / "x.npy")
    text = dump(config, here / "results" / "a")
    assert yaml.safe_load(text)["inputs"]["path"] == "../../data/x.npy"


def test_so_are_the_files_beside_a_text(load_text: LoadText) -> None:
    """Its vocabulary and its embedding."""
    inputs = "{type: text, path: b.txt, vocabulary: v.txt, embedding: {file: d/e.npz}}"
    text = dump(load_text(f"cell: rnn\ninputs: {inputs}\n").config, Path.cwd() / "results")
    data = yaml.safe_load(text)["inputs"]
    assert (data["path"], data["vocabulary"]) == ("../b.txt", "../v.txt")
    assert data["embedding"] == {"file": "../d/e.npz", "name": "embedding.weight"}
