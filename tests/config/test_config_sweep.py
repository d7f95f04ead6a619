"""Sweeps: axes from the config and the command line, and the points that they make.

- each form of an axis gives exactly its values; an override takes the place of an axis
- points come in order, and are the configs that overrides with their values would give
- the dump of a sweep has the same points
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradlab.config import (
    Config,
    Sweep,
    dump_sweep,
    from_mapping,
    load_sweep,
    schema,
    sweep_from_mapping,
)
from gradlab.errors import GradlabError, Problem

SweepText = Callable[..., Sweep]

TOGETHER = "init.recurrent, init.forget_bias"
RELU = {"type": "rnn", "activation": "relu"}
ROWS = [("normal", 1.0), ("orthogonal", 0.0)]
TEXT = f"""\
cell: rnn
sweep:
  cell: [rnn, lstm]
  weight_scale: {{linear: [0.5, 1.5], num: 3}}
  "{TOGETHER}": [[normal, 1.0], [orthogonal, 0.0]]
"""


def columns(sweep: Sweep) -> dict[str, list[Any]]:
    """The values of each axis by its name; those of one key alone without their tuple."""
    return {
        axis.name: [v[0] if len(axis.keys) == 1 else v for v in axis.values] for axis in sweep.axes
    }


SECTION = [
    ("weight_scale: [0.5, 1, 2e0]", "weight_scale", [0.5, 1, 2.0]),
    ("weight_scale: [-0.0]", "weight_scale", [0.0]),
    ("weight_scale: {linear: [0.1, 0.3], num: 3}", "weight_scale", [0.1, 0.2, 0.3]),
    ("weight_scale: {num: 3.0, linear: [0, 1]}", "weight_scale", [0.0, 0.5, 1.0]),
    ("weight_scale: {log: [0.01, 10], num: 4}", "weight_scale", [0.01, 0.1, 1.0, 10.0]),
    ("weight_scale: {range: [0.1, 0.3, 0.1]}", "weight_scale", [0.1, 0.2, 0.3]),
    ("weight_scale: {range: [0.1, 0.35, 0.1]}", "weight_scale", [0.1, 0.2, 0.3]),
    ("seq_len: {range: [20, 100, 40]}", "seq_len", [20, 60, 100]),
    ("seq_len: {range: [5, 5, 1]}", "seq_len", [5]),
    ("cell: [rnn, {type: linear}]", "cell", ["rnn", {"type": "linear"}]),
    ("loss.at: [[1, 5], last]", "loss.at", [[1, 5], "last"]),
    ("clip: [none, 5]", "clip", ["none", 5]),
    ("' init . bias': [1]", "init.bias", [1]),
    (f"'{TOGETHER}': [[normal, 1.0], [orthogonal, 0.0]]", TOGETHER, ROWS),
]


@pytest.mark.parametrize(("line", "name", "values"), SECTION)
def test_forms_in_the_section(
    line: str, name: str, values: list[Any], sweep_text: SweepText
) -> None:
    """Exactly these values, ints as ints."""
    assert repr(columns(sweep_text(f"cell: rnn\nsweep:\n  {line}\n"))) == repr({name: values})


COMMAND_LINE = [
    ("weight_scale=0.1:0.3:3", "weight_scale", [0.1, 0.2, 0.3]),
    ("weight_scale= 2 : 0 : 3", "weight_scale", [2, 1, 0]),
    ("weight_scale=0.1:3.0:30", "weight_scale", [float(f"{i / 10:.1f}") for i in range(1, 31)]),
    ("seq_len={range: [20, 60, 20]}", "seq_len", [20, 40, 60]),
    ("weight_scale={log: [0.1, 10], num: 3}", "weight_scale", [0.1, 1.0, 10.0]),
    ("cell=rnn,lstm", "cell", ["rnn", "lstm"]),
    ("cell={type: rnn, activation: relu}, lstm", "cell", [RELU, "lstm"]),
    ("loss.at=[1,2],all", "loss.at", [[1, 2], "all"]),
    ("init.file='a,b.npz',\"c,d.npz\",it's", "init.file", ["a,b.npz", "c,d.npz", "it's"]),
    ("clip=none,1e0", "clip", ["none", 1.0]),
    ("init.recurrent,init.forget_bias=[normal,1.0],[orthogonal,0.0]", TOGETHER, ROWS),
    ("init.recurrent, init.forget_bias=[normal,1.0]", TOGETHER, ROWS[:1]),
]


@pytest.mark.parametrize(("override", "name", "values"), COMMAND_LINE)
def test_forms_on_the_command_line(
    override: str, name: str, values: list[Any], sweep_text: SweepText
) -> None:
    """The same, without a section."""
    assert repr(columns(sweep_text("cell: rnn\n", override))) == repr({name: values})


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seq_len=50", "seq_len", 50),
        ("loss.at=[5, 10]", "loss", {"at": [5, 10]}),
        ("cell={type: rnn, activation: relu}", "cell", {"type": "rnn", "activation": "relu"}),
        ("seeds=[1,2]", "seeds", [1, 2]),
        ("inputs={type: file, path: 'a:b:c'}", "inputs", {"type": "file", "path": "a:b:c"}),
        ("init.file=C:1:x", "init", {"file": "C:1:x"}),
        ("init.file='a,b'", "init", {"file": "a,b"}),
        ("name=a,b", "name", "a,b"),
        ("figures.formats=[png,svg]", "figures", {"formats": ["png", "svg"]}),
    ],
)
def test_a_single_value_is_an_ordinary_override(
    override: str, key: str, value: Any, sweep_text: SweepText
) -> None:
    """It changes what is common, and no axis."""
    sweep = sweep_text(TEXT.partition("  cell")[0] + "  weight_scale: [1, 2]\n", override)
    assert sweep.base == {"cell": "rnn", key: value}
    assert sweep.keys == ("weight_scale",)


NAMES = ["cell", "weight_scale", TOGETHER]

# overrides of TEXT -> names of the axes and what is common
REPLACED = [
    (["weight_scale=1,2"], NAMES, {"cell": "rnn"}),
    (["weight_scale=2"], ["cell", TOGETHER], {"cell": "rnn", "weight_scale": 2}),
    (["cell=lstm"], ["weight_scale", TOGETHER], {"cell": "lstm"}),
    (["cell.type=lstm"], ["weight_scale", TOGETHER], {"cell": {"type": "lstm"}}),
    (["cell.type=lstm,gru"], ["cell.type", "weight_scale", TOGETHER], {"cell": "rnn"}),
    (["init=zeros"], ["cell", "weight_scale"], {"cell": "rnn", "init": "zeros"}),
    (["init=zeros,normal"], ["cell", "weight_scale", "init"], {"cell": "rnn"}),
    (
        ["init.forget_bias,init.recurrent=[0,zeros],[1,zeros]"],
        ["cell", "weight_scale", "init.forget_bias, init.recurrent"],
        {"cell": "rnn"},
    ),
    (["batch_size=5,6", "batch_size=7"], NAMES, {"cell": "rnn", "batch_size": 7}),
    (["seq_len=7", "seq_len=5,6"], [*NAMES, "seq_len"], {"cell": "rnn", "seq_len": 7}),
]


@pytest.mark.parametrize(("overrides", "names", "base"), REPLACED)
def test_an_override_takes_the_place_of_an_axis(
    overrides: list[str], names: list[str], base: dict[str, Any], sweep_text: SweepText
) -> None:
    """Of the same key, or of keys inside it; the last one wins."""
    sweep = sweep_text(TEXT, *overrides)
    assert [axis.name for axis in sweep.axes] == names
    assert sweep.base == base
    whole = overrides[0].startswith("init=")
    note = f"command line, {overrides[0]}: replaces the axis {TOGETHER}"
    assert sweep.notes == ((note,) if whole else ())


def test_a_single_value_inside_what_is_swept_comes_after_it(sweep_text: SweepText) -> None:
    """cell.activation=relu is not lost when the cell itself is swept; whole sections come first."""
    text = "cell: rnn\nsweep:\n  clip.by: [value, step_norm]\n"
    sweep = sweep_text(text, "cell=rnn,{type: rnn}", "cell.activation=relu", "clip.threshold=2")
    assert columns(sweep)["cell.activation"] == ["relu"]
    configs = [sweep.config(i) for i in range(sweep.size)]
    assert [c.cell.options() for c in configs] == [{"activation": "relu"}] * 2
    assert [c.clip.by for c in configs if c.clip] == ["value", "step_norm"]


def test_points_are_ordered_with_the_last_axis_fastest(sweep_text: SweepText) -> None:
    """Values, positions and labels of all points; nothing beyond them."""
    sweep = sweep_text(TEXT)
    assert sweep.size == 12
    assert sweep.keys == ("cell", "weight_scale", "init.recurrent", "init.forget_bias")
    wanted = itertools.product(["rnn", "lstm"], [0.5, 1.0, 1.5], ROWS)
    for i, (cell, scale, (recurrent, bias)) in enumerate(wanted):
        assert list(sweep.values(i).items()) == [
            ("cell", cell),
            ("weight_scale", scale),
            ("init.recurrent", recurrent),
            ("init.forget_bias", bias),
        ]
        config = sweep.config(i)
        assert (config.cell.type, config.weight_scale) == (cell, scale)
        assert (config.init.recurrent, config.init.forget_bias) == (recurrent, bias)
    assert [sweep.positions(i) for i in (0, 1, 2, 6)] == [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 0),
    ]
    for index in (-1, 12):
        with pytest.raises(IndexError, match=f"point {index} of 12"):
            sweep.config(index)


def test_points_do_not_share_what_one_of_them_changes(sweep_text: SweepText) -> None:
    """In any order, and again, each point is the same."""
    text = "cell: {type: rnn, activation: relu}\ninit: {bias: 1}\nsweep:\n"
    text += "  cell.activation: [tanh, sigmoid]\n  init.recurrent: [zeros, normal]\n"
    sweep = sweep_text(text)
    there = [sweep.config(i) for i in range(4)]
    assert [sweep.config(i) for i in reversed(range(4))] == there[::-1]
    assert sweep.base == {"cell": {"type": "rnn", "activation": "relu"}, "init": {"bias": 1}}
    assert {c.init.bias for c in there} == {1.0}


@pytest.mark.fault("sweep: 1 and 1.0, -0.0", "the same point")
def test_the_same_value_in_another_writing_is_the_same_point() -> None:
    """1 and 1.0, 0.0 and -0.0, rnn and {type: rnn}: kept once, said once; true is not 1."""
    mapping = {
        "cell": "rnn",
        "sweep": {
            "weight_scale": [1, 0.0, 1.0, -0.0, True],
            "cell": ["rnn", {"type": "rnn"}],
            "clip": ["none", None, 5, {"threshold": 5.0}],
            "loss.at": [[1, 2], [1.0, 2], [2, 1]],
        },
    }
    sweep = sweep_from_mapping(mapping)
    assert columns(sweep) == {
        "weight_scale": [1, 0.0, True],
        "cell": ["rnn"],
        "clip": ["none", 5],
        "loss.at": [[1, 2], [2, 1]],
    }
    assert sweep.notes == (
        "weight_scale=1.0 and weight_scale=0.0: given more than once, computed once",
        "cell={type: rnn}: given more than once, computed once",
        "clip=none and clip={threshold: 5.0}: given more than once, computed once",
        "loss.at=[1.0, 2]: given more than once, computed once",
    )
    one, other = (sweep_from_mapping({"cell": "rnn", "sweep": {"seq_len": [x]}}) for x in (5, 5.0))
    assert repr(one.config(0)) == repr(other.config(0))


@pytest.mark.fault("sweep: a point given twice", "computed once, and said")
def test_repeated_values_are_said_at_their_place(sweep_text: SweepText) -> None:
    """Three of them, and how many others; keys that vary together repeat together."""
    sweep = sweep_text(
        f"cell: rnn\nsweep:\n  '{TOGETHER}': [[normal, 1], [zeros, 1], [normal, 1.0]]\n",
        "seq_len=1,2,3,4,5,1,2,3,4,4",
    )
    assert [len(axis.values) for axis in sweep.axes] == [2, 5]
    assert sweep.notes == (
        (
            "run.yaml:3:3: init.recurrent=normal, init.forget_bias=1.0: given more than once, "
            "computed once"
        ),
        (
            "command line, seq_len=1,2,3,4,5,1,2,3,4,4: seq_len=1 and seq_len=2 and seq_len=3 and "
            "1 others: given more than once, computed once"
        ),
    )


def test_names_and_paths_are_those_of_a_config(sweep_text: SweepText) -> None:
    """File's stem and overrides, or the config's own name; paths start at the file."""
    assert sweep_text(TEXT).name == "run"
    assert sweep_text(TEXT, "cell=rnn,gru", "seq_len=5").name == "run-cell=rnn,gru-seq_len=5"
    assert sweep_text(f"name: mine\n{TEXT}").name == "mine"
    assert sweep_text(TEXT, "name=yours", "seq_len=5").name == "yours"
    config = sweep_text("cell: rnn\n", "init.file=a.npz,b.npz").config(1)
    assert config.init.file == str(Path.cwd() / "b.npz")
    mapping = {"cell": "rnn", "sweep": {"init.file": ["a.npz"]}}
    assert sweep_from_mapping(mapping, folder="/data").config(0).init.file == "/data/a.npz"


def test_an_error_about_a_point_gets_its_values_and_place(sweep_text: SweepText) -> None:
    """What is found out later, such as that a file is missing."""
    sweep = sweep_text("cell: rnn\nseq_len: 5\nsweep: {init.bias: [0, 1], seeds: [2, 3]}\n")
    error = GradlabError(Problem("no", ("init", "bias")), Problem("odd", ("seq_len",)), exit_code=1)
    found = sweep.about(3, error)
    assert found.exit_code == 1
    assert str(found).split("\n") == [
        "run.yaml:2:1: point init.bias=1, seeds=3: odd",
        "run.yaml:3:9: point init.bias=1, seeds=3: no",
    ]


def test_the_schema_has_the_section() -> None:
    """Lists and the three forms, for every key; lists of lists for keys that vary together."""
    document = schema()
    section = document["properties"]["sweep"]
    for axis in section["properties"].values():
        listed, *forms = axis["anyOf"]
        assert listed["type"] == "array"
        names = [form["$ref"].rpartition("/")[2] for form in forms]
        assert [document["$defs"][name]["required"] for name in names] == [
            ["linear", "num"],
            ["log", "num"],
            ["range"],
        ]
    assert section["patternProperties"][","]["items"] == {"type": "array"}
    assert section["description"]


VALUES: dict[str, list[Any]] = {
    "cell": ["rnn", "lstm", {"type": "rnn", "activation": "relu"}],
    "cell.type": ["rnn", "lstm"],
    "cell.activation": ["relu", "tanh"],
    "weight_scale": [0.1, 1, 1e-30, 1e300],
    "init": ["zeros", {"bias": 2}, {"file": "a.npz"}],
    "init.recurrent": ["normal", "identity"],
    "init.bias": [0, 0.1 + 0.2],
    "init.file": [None, "../w.npz", "~/x", "/abs.npz"],
    "seq_len": [5, 100],
    "loss.at": ["last", [1, 5], "all"],
    "inputs": ["zeros", {"type": "file", "path": "x.npy"}, {"std": 3}],
    "inputs.type": ["zeros", "onehot", "normal"],
    "inputs.std": [0, 2.5],
    "initial_state.type": ["zeros", "normal"],
    "clip": ["none", 5, {"threshold": 1, "by": "value"}],
    "clip.by": ["value", "step_norm"],
    "spectrum": ["none", {"values": "all"}],
    "seeds": [3, [1, 2]],
}
BASES: dict[str, list[Any]] = {
    "init": ["orthogonal", {"bias": 1}, {"file": "sub/b.npz", "prefix": "rnn."}],
    "inputs": [{"std": 2}, {"type": "file", "path": "../in.npy"}, "constant"],
    "seq_len": [50],
    "clip": [3, "none"],
    "name": ["no"],
}


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """A sweep over up to four keys, two of them together at times."""
    keys = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4, unique=True))
    lists = {
        key: draw(st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3)) for key in keys
    }
    if len(keys) > 1 and draw(st.booleans()):
        one, other = keys[:2]
        lists[f"{one}, {other}"] = [
            list(pair) for pair in zip(lists.pop(one), lists.pop(other), strict=False)
        ]
    base = draw(
        st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in BASES.items()})
    )
    try:
        return sweep_from_mapping({"cell": "rnn", **base, "sweep": lists}, folder="/data/deep")
    except GradlabError as error:  # cell beside cell.type
        assume("same key" not in str(error))
        raise


@settings(deadline=None, max_examples=200)
@given(sweeps())
def test_loading_a_dump_gives_the_same_points(
    tmp_path_factory: pytest.TempPathFactory, sweep: Sweep
) -> None:
    """Through a file in another folder: values but for paths, configs, names; and once more."""
    assume(sweep.check() is None)
    base = tmp_path_factory.getbasetemp()
    target = base / "sweep.yaml"
    target.write_text(dump_sweep(sweep, base), encoding="utf-8")
    again = load_sweep(target)
    assert again.check() is None
    assert (again.size, again.keys, again.name) == (sweep.size, sweep.keys, sweep.name)
    named = {"name": sweep.name}
    for i in range(sweep.size):
        before, after = sweep.config(i).model_copy(update=named), again.config(i)
        assert after == before
        assert {"seq_len", "batch_size"} & after.model_fields_set >= (
            {"seq_len", "batch_size"} & before.model_fields_set
        )
        if before.inputs.type == "file":
            assert ("seq_len" in after.model_fields_set) == ("seq_len" in before.model_fields_set)
    assert dump_sweep(again, base) == dump_sweep(sweep, base)


def test_a_dump_has_every_key_but_the_swept_ones(sweep_text: SweepText) -> None:
    """In the documented order, the section last, its values as lists."""
    data = yaml.safe_load(dump_sweep(sweep_text(TEXT, "seq_len=7", "clip=5")))
    left = [key for key in Config.model_fields if key not in {"cell", "weight_scale", "init"}]
    assert list(data) == [*left, "init", "sweep"]
    assert data["name"] == "run-seq_len=7-clip=5"
    assert data["clip"] == {"threshold": 5.0, "by": "global_norm"}
    assert data["init"] == {"input": "normal", "bias": 0.0, "input_scale": 1.0, "biases": None}
    assert data["sweep"] == {
        "cell": ["rnn", "lstm"],
        "weight_scale": [0.5, 1.0, 1.5],
        TOGETHER: [["normal", 1.0], ["orthogonal", 0.0]],
    }


def test_very_many_values_are_dumped_as_they_were_written(
    sweep_text: SweepText, tmp_path: Path
) -> None:
    """A list of 100,000 values is more than a config may hold."""
    sweep = sweep_text("cell: rnn\n", "weight_scale=0:1:100001")
    text = dump_sweep(sweep)
    assert text.endswith("sweep:\n  weight_scale:\n    linear: [0, 1]\n    num: 100001\n")
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")
    assert load_sweep(tmp_path / "again.yaml").axes == sweep.axes


def test_a_point_is_what_a_run_with_its_values_would_be(sweep_text: SweepText) -> None:
    """`gradlab run` with the values of a point as overrides has the same config."""
    sweep = sweep_text(TEXT, "loss.at=[1],all", "clip=none,2")
    for i in range(sweep.size):
        overrides = [f"{key}={value}" for key, value in sweep.values(i).items()]
        assert from_mapping({"cell": "rnn"}, overrides).config == sweep.config(i)
