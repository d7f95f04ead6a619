"""From YAML or a mapping to a Config: values, short forms, paths, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gradlab.cells import CELLS
from gradlab.config import Config, Loaded, Source, default_name, from_mapping
from gradlab.config.fields import flaw
from gradlab.config.kinds import CELL_KINDS, INPUT_KINDS, cell_kind
from gradlab.errors import GradlabError
from gradlab.inputs import INPUTS

LoadText = Callable[..., Loaded]

SHORT_AND_LONG = [
    ("cell: rnn", "cell: {type: rnn}"),
    ("init: zeros", "init: {recurrent: zeros}"),
    ("inputs: zeros", "inputs: {type: zeros}"),
    ("inputs: {std: 2}", "inputs: {type: normal, std: 2.0}"),
    ("initial_state: normal", "initial_state: {type: normal, std: 1}"),
    ("loss: upstream", "loss: {type: upstream, value: ones, at: last}"),
    ("loss: {at: all}", "loss: {type: upstream, at: all}"),
    ("clip: 5", "clip: {threshold: 5.0, by: global_norm}"),
    ("clip: none", "clip: null"),
    ("spectrum: none", "spectrum: {step: false, product: false, lyapunov: false}"),
    ("figures: none", "figures: {formats: []}"),
    ("seq_len: 100", "seq_len: 1e2"),
    ("weight_scale: 0", "weight_scale: -0.0"),
    ("seeds: [1, 2]", "seeds: [1.0, 2.0]"),
]


@pytest.mark.fault("config: short and long forms", "one config")
@pytest.mark.parametrize(("short", "long"), SHORT_AND_LONG)
def test_short_and_long_forms_are_one_config(short: str, long: str, load_text: LoadText) -> None:
    """Equal, and equal in their text too: 1 and 1.0, -0.0 and 0 leave no trace."""
    cell = "" if short.startswith("cell") else "cell: rnn\n"
    one, other = load_text(cell + short).config, load_text(cell + long).config
    assert repr(one) == repr(other)


def test_the_defaults(load_text: LoadText) -> None:
    """Those of the documentation's table."""
    data = load_text("cell: rnn\n").config.model_dump(exclude={"cell", "init"})
    assert data == {
        "name": None,
        "layers": 1,
        "tied": True,
        "residual": False,
        "block": None,
        "bidirectional": False,
        "hidden_size": None,
        "input_size": None,
        "weight_scale": 1.0,
        "seq_len": 100,
        "encoder_decoder": None,
        "batch_size": 16,
        "inputs": {"type": "normal", "std": 1.0},
        "initial_state": {"type": "zeros"},
        "loss": {
            "type": "upstream",
            "value": "ones",
            "at": "last",
            "targets": "random",
            "outputs": None,
        },
        "clip": None,
        "truncate": None,
        "train": None,
        "weight_gradients": "all",
        "lag_split": "auto",
        "checkpoint": "auto",
        "spectrum": {
            "step": True,
            "product": "auto",
            "lyapunov": "auto",
            "values": 8,
            "sequences": 1,
            "every": 1,
        },
        "gate_histogram": "auto",
        "theory": "auto",
        "seeds": 8,
        "record_every": "auto",
        "dtype": "float64",
        "generator": "pcg64",
        "figures": {"formats": ("png",), "dpi": 150},
        "expect": (),
    }


def test_a_config_is_immutable(load_text: LoadText) -> None:
    """At the top and within its sections."""
    config = load_text("cell: rnn\n").config
    for part, key in ((config, "seq_len"), (config.init, "bias"), (config.cell, "type")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, key, 1)


def test_members_are_the_seeds_one_by_one() -> None:
    """A count means 0, 1, ...; a list means itself."""
    assert from_mapping({"cell": "rnn", "seeds": 3}).config.members == (0, 1, 2)
    assert from_mapping({"cell": "rnn", "seeds": [7, 3]}).config.members == (7, 3)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_takes_exactly_its_own_options(name: str) -> None:
    """The options' names and defaults are those of the cell's Options."""
    options = from_mapping({"cell": name}).config.cell.options()
    assert options == dataclasses.asdict(CELLS[name].Options())


CHOICES = [(["o", "i"], ("i", "o")), (["f"], ("f",)), ([], ()), (None, ("i", "f", "o"))]


@pytest.mark.parametrize(("given", "kept"), CHOICES)
def test_a_list_of_names_is_a_choice(given: list[str] | None, kept: tuple[str, ...]) -> None:
    """In any order it is one choice, so one config; it may be empty."""
    cell = {"type": "lstm_peephole"} | ({} if given is None else {"peepholes": given})
    assert from_mapping({"cell": cell}).config.cell.options() == {"peepholes": kept}


def test_the_kinds_are_those_of_the_dicts() -> None:
    """A kind in one place and not in the other would be refused, or drawn by nobody."""
    assert list(CELL_KINDS) == list(CELLS)
    assert list(INPUT_KINDS) == list(INPUTS)


def test_options_of_a_new_cell_are_as_strict_as_our_own() -> None:
    """int, float and bool fields of Options take no text; a field without default is required."""

    @dataclasses.dataclass(frozen=True)
    class Options:
        leak: float
        layers: int = 1
        tied: bool = False

    model = cell_kind("new", SimpleNamespace(Options=Options).Options)
    assert model.model_validate({"type": "new", "leak": 1}).options() == {
        "leak": 1.0,
        "layers": 1,
        "tied": False,
    }
    for wrong in ({"leak": "1"}, {"leak": 1, "layers": True}, {"leak": 1, "tied": 1}, {}):
        with pytest.raises(ValidationError):
            model.model_validate({"type": "new", **wrong})


def test_relative_paths_start_at_the_config_file(load_text: LoadText) -> None:
    """init.file, inputs.path and initial_state.path; absolute ones stay."""
    text = (
        "cell: rnn\ninit: {file: ../w.npz}\ninputs: {type: file, path: x.npy}\n"
        "initial_state: {type: file, path: /data/s.npz}\n"
    )
    config = load_text(text).config
    here = Path.cwd()
    assert config.init.file == str(here.parent / "w.npz")
    assert config.inputs.options()["path"] == str(here / "x.npy")
    assert config.initial_state.options() == {"path": "/data/s.npz"}


def test_mappings_may_hold_what_python_has() -> None:
    """Tuples, ranges, paths and numpy's numbers are plain data too."""
    mapping: dict[str, Any] = {
        "cell": "rnn",
        "seq_len": np.int64(5),
        "weight_scale": np.float32(0.5),
        "seeds": range(2, 4),
        "loss": {"at": np.array([1, 5])},
        "spectrum": {"step": np.bool_(False)},
        "inputs": {"type": "file", "path": Path("x.npy")},
    }
    config = from_mapping(mapping, ["batch_size=3"], folder="/data").config
    assert (config.seq_len, config.weight_scale, config.batch_size) == (5, 0.5, 3)
    assert (config.seeds, config.loss.at, config.spectrum.step) == ((2, 3), (1, 5), False)
    assert config.inputs.options()["path"] == "/data/x.npy"


def test_mappings_are_refused_without_a_place() -> None:
    """The key says where; what is no data at all is refused by its type; a loop ends."""
    with pytest.raises(GradlabError) as caught:
        from_mapping({"cell": "rnn", "seq_len": 0, "clip": -1})
    assert str(caught.value).split("\n") == [
        "seq_len must be at least 1, not 0",
        "clip.threshold must be more than 0, not -1",
    ]
    with pytest.raises(GradlabError, match=r"'loss\.at' is of type set; a config holds plain"):
        from_mapping({"cell": "rnn", "loss": {"at": {1}}})
    with pytest.raises(GradlabError, match="a config is a mapping or a path, not of type list"):
        from_mapping([("cell", "rnn")])  # type: ignore[arg-type]
    loop: dict[str, Any] = {"cell": "rnn"}
    loop["init"] = loop
    with pytest.raises(GradlabError, match="'init' is nested more than 50 levels deep"):
        from_mapping(loop)


NAMES = [
    ("configs/rnn_exploding.yaml", [], "rnn_exploding"),
    ("configs/rnn_exploding.yaml", ["weight_scale=0.5"], "rnn_exploding-weight_scale=0.5"),
    ("a.yaml", ["cell=lstm", "loss.at=[5, 10]"], "a-cell=lstm-loss.at=_5,_10_"),
    ("a.yaml", ["init.file=../w.npz"], "a-init.file=_._w.npz"),
    ("größe.v2.yaml", ["name=b"], "größe.v2"),
    (".hidden.yaml", [], "hidden"),
    ("-a.yaml", [], "a"),
    ("con.yaml", [], "_con"),
    (None, [], "stdin"),
]


def loaded_from(path: str | None, overrides: list[str]) -> Loaded:
    """As if loaded from that path."""
    source = Source("stdin", None if path is None else Path(path), {})
    return Loaded(Config.model_validate({"cell": "rnn"}), source, tuple(overrides))


@pytest.mark.parametrize(("path", "overrides", "name"), NAMES)
def test_the_default_name(path: str | None, overrides: list[str], name: str) -> None:
    """The file's stem and the overrides but `name` itself, safe as the name of a folder."""
    assert default_name(loaded_from(path, overrides)) == name
    assert loaded_from(path, overrides).name == name


def test_a_long_default_name_ends_in_a_digest() -> None:
    """100 characters; what is cut off still tells two names apart."""
    names = [default_name(loaded_from("a.yaml", [f"name2={'x' * 200}{i}"])) for i in range(2)]
    assert [len(name) for name in names] == [100, 100]
    assert names[0][:92] == names[1][:92]
    assert names[0] != names[1]


@pytest.mark.fault(
    "config: a file named with spaces, emoji, 300 characters, leading `-`",
    "a default name that every file system takes",
)
@settings(deadline=None, max_examples=100)
@given(st.text(min_size=1, max_size=120).filter(lambda s: "/" not in s and "\0" not in s))
def test_any_default_name_can_name_a_folder(stem: str) -> None:
    """By the same rules as a name in the config."""
    assert flaw(default_name(loaded_from(f"{stem}.yaml", [f"name2={stem}"]))) is None
    assert flaw(default_name(loaded_from(f"{stem}.yaml", []))) is None


def test_the_configs_own_name_comes_first(load_text: LoadText) -> None:
    """A name in the file, or among the overrides."""
    assert load_text("cell: rnn\nname: mine\n").name == "mine"
    assert load_text("cell: rnn\nname: mine\n", "name=yours", "seq_len=5").name == "yours"
    assert load_text("cell: rnn\n", "seq_len=5").name == "run-seq_len=5"
    assert from_mapping({"cell": "rnn"}).name == "config"
