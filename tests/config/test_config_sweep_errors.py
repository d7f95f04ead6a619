"""What is wrong in a sweep, in our words.

- the section, its keys and forms: all at once, each at its place
- points: found without trying all of them, and none is missed
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradlab.cells import CELLS
from gradlab.config import Config, Sweep, load_sweep, sweep, sweep_from_mapping
from gradlab.errors import GradlabError, Problem

SweepText = Callable[..., Sweep]
Refusal = Callable[..., list[str]]

FORMS = (
    "a list of values, {linear: [first, last], num: how many}, {log: [first, last], num: how many} "
    "or {range: [first, last, step]}"
)
NOTHING = (
    "nothing is swept here: add a 'sweep' section or values such as weight_scale=0.5,1.0; "
    "a single experiment is for `gradlab run`"
)
PAIR = "init.recurrent, init.forget_bias"

# a line of the section -> what is said about it, at its place
LINES = [
    ("weigth_scale: [1]", "unknown key 'weigth_scale' (did you mean 'weight_scale'?)"),
    ("init.bais: [1]", "unknown key 'init.bais' (did you mean 'bias'?)"),
    ("cell.activaton: [1]", "unknown key 'cell.activaton' (did you mean 'activation'?)"),
    ("loss.xyz: [1]", "unknown key 'loss.xyz'; known here: type, value, at, targets, outputs"),
    ("seq_len.x: [1]", "'seq_len' is not a section, so it has no key 'x'"),
    ("init.bias.x: [1]", "'init.bias' is not a section, so it has no key 'x'"),
    ("name: [a]", "'name' cannot be swept: it names the results, so all points share it"),
    (
        "figures.dpi: [100]",
        "'figures.dpi' cannot be swept: it says what is drawn, and changes no number",
    ),
    ("expect: [1]", "'expect' cannot be swept: it is for `gradlab check`"),
    (
        "checkpoint: [1, 2]",
        "'checkpoint' cannot be swept: it changes no number: all points would be the same",
    ),
    ("seq_len: 5", f"seq_len needs {FORMS}, not 5"),
    ("seq_len: 1:5:3", f"seq_len needs {FORMS}, not '1:5:3'"),
    ("seq_len:", f"seq_len needs {FORMS}, not nothing"),
    ("seq_len: []", "seq_len has an empty list, so there would be no points"),
    ("init: {bias: [1]}", f"init needs {FORMS}; a key inside it is written init.bias"),
    ("seq_len: {linear: [1, 2], log: [1, 2], num: 2}", f"seq_len needs {FORMS}"),
    (
        "seq_len: {linear: [1, 2]}",
        "seq_len needs {linear: [first, last], num: how many}; it has linear",
    ),
    (
        "seq_len: {range: [1, 2, 1], num: 3}",
        "seq_len needs {range: [first, last, step]}; it has range, num",
    ),
    (
        "seq_len: {range: [1, 2]}",
        "seq_len needs {range: [first, last, step]}, not range: [1, 2]",
    ),
    (
        "seq_len: {linear: [1, 2, 3], num: 3}",
        "seq_len needs {linear: [first, last], num: how many}, not linear: [1, 2, 3]",
    ),
    ("seq_len: {linear: [1, a], num: 3}", "seq_len: linear needs finite numbers, not 1, a"),
    ("seq_len: {log: [1, .inf], num: 3}", "seq_len: log needs finite numbers, not 1, inf"),
    ("seq_len: {log: [0, 1], num: 3}", "seq_len: log needs two numbers above 0, not 0 and 1"),
    (
        "seq_len: {linear: [1, 2], num: 1}",
        "seq_len: num must be a whole number of at least 2, not 1",
    ),
    (
        "seq_len: {linear: [1, 2], num: 2.5}",
        "seq_len: num must be a whole number of at least 2, not 2.5",
    ),
    (
        "seq_len: {range: [1, 2, 0]}",
        "seq_len: the step of a range must be more than 0, not 0",
    ),
    (
        "seq_len: {range: [2, 1, 1]}",
        "seq_len: the range begins at 2, after its end 1; exchange them",
    ),
    (
        f"'{PAIR}': [[normal, 1.0], [zeros]]",
        f"{PAIR} vary together, so each position has 2 values; position 2 has 1: ['zeros']",
    ),
    (
        f"'{PAIR}': [normal, 1.0]",
        (f"{PAIR} vary together, so each position is a list of 2 values; position 1 is 'normal'"),
    ),
    (
        f"'{PAIR}': {{linear: [1, 2], num: 2}}",
        (
            f"{PAIR} vary together, so their values are a list, "
            "not {linear: [first, last], num: how many}"
        ),
    ),
    ("'init.bias, init.bias': [[1, 2]]", "'init.bias, init.bias' names 'init.bias' twice"),
    (
        "'seq_len,': [[1, 2]]",
        "'seq_len,' is not a key; keys that vary together are written 'one.key, another'",
    ),
]


@pytest.mark.fault(
    "sweep: step 0, start beyond stop, empty list, zip of different lengths",
    "exit 2; both axes named",
)
@pytest.mark.parametrize(("line", "message"), LINES)
def test_each_line_is_refused_in_our_words(line: str, message: str, sweep_refusal: Refusal) -> None:
    """At the line's place, and once."""
    assert sweep_refusal(f"cell: rnn\nsweep:\n  {line}\n") == [f"run.yaml:3:3: {message}"]


OVERRIDES = [
    ("cell=rnn,,lstm", "the list 'rnn,,lstm' has an empty place; remove a comma"),
    ("cell=rnn,", "the list 'rnn,' has an empty place; remove a comma"),
    ("weigth_scale=1,2", "unknown key 'weigth_scale' (did you mean 'weight_scale'?)"),
    ("cell=[rnn", "not valid YAML: ..."),
    ("cell=rnn,!x y", "the tag '!x' is not allowed; a config is plain data"),
    ("seq_len=1:5:1", "seq_len: num must be a whole number of at least 2, not 1"),
    (
        "weight_scale=0.1:3.0:0.5",
        (
            "0.1:3.0:0.5 is first:last:number of points, and 0.5 is no such number; "
            "for a step write weight_scale={range: [0.1, 3.0, 0.5]}"
        ),
    ),
    (
        "sweep.weight_scale=[1,2]",
        "the values of a swept key are given as weight_scale=0.1:3.0:30, without 'sweep'",
    ),
    (
        "seq_len,batch_size=[1,2],[3]",
        ("seq_len, batch_size vary together, so each position has 2 values; position 2 has 1: [3]"),
    ),
    (
        "init.recurrent=zeros",
        (
            f"{PAIR} vary together in the sweep: override them together with "
            '"init.recurrent,init.forget_bias=[...],[...]"'
        ),
    ),
    ("seq_len", "an override is key=value, for example seq_len=50; there is no '='"),
    ("=1,2", "an override is key=value, for example loss.at=all; the key is empty"),
    ("seq_len=0", "seq_len must be at least 1, not 0"),
    ("init=[a]", "init must be a name or a mapping, not ['a']"),  # it takes the axis's place
]


@pytest.mark.parametrize(("override", "message"), OVERRIDES)
def test_each_override_is_refused_in_our_words(
    override: str, message: str, sweep_refusal: Refusal
) -> None:
    """At the override."""
    text = f"cell: rnn\nsweep: {{'{PAIR}': [[normal, 1], [zeros, 2]], seeds: [1]}}\n"
    line = sweep_refusal(text, override)[0]
    wanted = f"command line, {override}: {message}"
    assert line.startswith(wanted[:-3]) if message.endswith("...") else line == wanted


@pytest.mark.fault("sweep: many mistakes in one file", "all of them, sorted by line")
def test_all_problems_come_at_once(sweep_refusal: Refusal) -> None:
    """Of the section, of the rest of the file, of the command line; nothing about what is swept."""
    text = (
        "seqlen: 3\nloss: {at: [200]}\nsweep:\n  seq_len: [50, 300]\n  cel: [rnn]\n  seq_len: [1]\n"
        "  batch_size: 010\n  cell.type: [rnn]\ndtype: half\n"
    )
    assert sweep_refusal(text, "cell=rnn,", "record_every=0", "init,=3") == [
        "run.yaml:1:1: unknown key 'seqlen' (did you mean 'seq_len'?)",
        "run.yaml:5:3: unknown key 'cel' (did you mean 'cell'?)",
        "run.yaml:6:3: 'seq_len' is given twice, first in line 4; remove one",
        "run.yaml:7:15: 010 is ambiguous: write 10 (decimal), 0o10 (octal) or '010' (text)",
        "run.yaml:9:1: dtype must be float64 or float32, not 'half'",
        "command line, cell=rnn,: the list 'rnn,' has an empty place; remove a comma",
        (
            "command line, record_every=0: "
            "record_every must be auto or a whole number of at least 1, not 0"
        ),
        (
            "command line, init,=3: 'init,' is not a key; "
            "keys that vary together are written 'one.key, another'"
        ),
    ]


def test_a_key_is_swept_once(sweep_refusal: Refusal) -> None:
    """Under its own name, and under that of its section's short form."""
    text = f"cell: rnn\nsweep:\n  '{PAIR}': [[normal, 1]]\n  init.forget_bias: [1]\n"
    text += "  clip: [1]\n  clip.threshold: [2]\n"
    assert sweep_refusal(text) == [
        "run.yaml:4:3: 'init.forget_bias' is swept twice, first at run.yaml:3:3; remove one",
        "run.yaml:6:3: 'clip.threshold' and 'clip' are the same key; sweep one of them",
    ]


@pytest.mark.parametrize("text", ["cell: rnn\n", "cell: rnn\nsweep: {}\n", "cell: rnn\nsweep:\n"])
def test_without_an_axis_it_is_a_single_experiment(text: str, sweep_refusal: Refusal) -> None:
    """Nor is it a sweep when overrides have taken the place of every axis."""
    assert sweep_refusal(text) == [f"run.yaml: {NOTHING}"]
    assert sweep_refusal(text, "seq_len=5") == [f"run.yaml: {NOTHING}"]
    swept = "cell: rnn\nsweep: {cell: [rnn, lstm]}\n"
    assert sweep_refusal(swept, "cell=gru") == [f"run.yaml: {NOTHING}"]


def test_a_training_that_is_not_swept_is_sent_to_train(sweep_refusal: Refusal) -> None:
    (said,) = sweep_refusal("cell: rnn\ntrain: {task: adding}\n")
    assert "`gradlab train`" in said and "gradlab run" not in said
    assert "train.learning_rate=0.01,0.1" in said


def test_the_section_must_be_a_mapping(sweep_refusal: Refusal) -> None:
    """Not a list, nor anything that cannot be read."""
    mapping = "sweep must be a mapping of keys to their values"
    assert sweep_refusal("cell: rnn\nsweep: [cell]\n") == [f"run.yaml:2:1: {mapping}, not ['cell']"]
    assert sweep_refusal("cell: rnn\nsweep: !x 1\n") == [
        "run.yaml:2:8: the tag '!x' is not allowed; a config is plain data"
    ]
    with pytest.raises(GradlabError, match="a config is a mapping or a path, not of type list"):
        sweep_from_mapping([1])  # type: ignore[arg-type]


@pytest.mark.fault("sweep: 10^9 points", "refused with their number; `--max-points`")
def test_too_many_points_are_refused_before_they_are_made(
    sweep_refusal: Refusal, sweep_text: SweepText
) -> None:
    """With their count, also one that no memory would hold; the bound can be raised."""
    text = "cell: rnn\nsweep:\n  weight_scale: {linear: [0, 1], num: 1000000000}\n"
    more = "more than the 1000000 that are allowed; take fewer values or raise --max-points"
    assert sweep_refusal(text) == [f"run.yaml:2:1: the sweep has 1000000000 points, {more}"]
    assert sweep_refusal(text, "init.bias={range: [0, 1e300, 1e-300]}", "cell=rnn,gru") == [
        (f"run.yaml:2:1: the sweep has about 10^609 points (1000000000 x about 10^600 x 2), {more}")
    ]
    seven = "cell: rnn\nsweep: {weight_scale: [1, 2, 3, 4, 5, 6, 7]}\n"
    assert "7 points, more than the 6 that" in sweep_refusal(seven, max_points=6)[0]
    assert sweep_text(seven, max_points=7).size == 7


def lines(wanted: GradlabError | None) -> list[str]:
    """The lines of what a check has found."""
    assert wanted is not None
    return str(wanted).split("\n")


def test_invalid_points_are_shown_with_the_values_that_matter(sweep_text: SweepText) -> None:
    """Those of the keys concerned, at the axis, or where the fixed key stands."""
    text = (
        "cell: rnn\nloss: {at: [60]}\nsweep:\n  seq_len: [50, 100]\n  weight_scale: [1, -1]\n"
        "  cell: [rnn, gru]\n  init.bias: [x, 1]\n  init.recurrent: [zeros, orthogonal]\n"
    )
    beyond = "loss.at has step 60, but the last step (seq_len) is 50"
    gru = "unknown key 'cell.activation': gru has no such option, rnn has"
    assert lines(sweep_text(text, "cell.activation=relu,tanh").check()) == [
        f"run.yaml:2:8: points with seq_len=50: {beyond}",
        "run.yaml:5:3: points with weight_scale=-1: weight_scale must be at least 0, not -1",
        (
            "run.yaml:7:3: points with init.bias=x, init.recurrent=zeros: "
            "init.bias must be a number, not the text 'x'"
        ),
        *(
            f"command line, cell.activation=relu,tanh: points with cell=gru, {key}: {gru}"
            for key in ("cell.activation=relu", "cell.activation=tanh")
        ),
    ]


def test_a_point_that_is_invalid_says_its_values(sweep_text: SweepText) -> None:
    """Its config is refused with all of them; a sweep over one axis calls its points by it."""
    found = sweep_text("cell: rnn\nsweep: {weight_scale: [1, -1], cell: [rnn, lstm]}\n")
    with pytest.raises(GradlabError) as caught:
        found.config(3)
    assert lines(caught.value) == [
        ("run.yaml:2:9: point weight_scale=-1, cell=lstm: weight_scale must be at least 0, not -1")
    ]
    one = sweep_text("cell: rnn\n", "cell=rnn,lsmt")
    assert lines(one.check()) == [
        (
            "command line, cell=rnn,lsmt: point cell=lsmt: unknown cell 'lsmt' "
            f"(did you mean 'lstm'?); known: {', '.join(CELLS)}"
        )
    ]


def test_a_swept_key_needs_a_section_around_it(sweep_text: SweepText) -> None:
    """In the file, or among the values of another axis."""
    found = sweep_text("cell: rnn\nloss: [5]\nsweep: {loss.at: [all], seeds: [1, 2]}\n")
    assert lines(found.check()) == [
        "run.yaml:3:9: points with loss.at=all: 'loss' is not a section, so it has no key 'at'"
    ]


def test_what_is_wrong_in_every_point_is_said_once(sweep_text: SweepText) -> None:
    """Without a point's values, even beside a swept key."""
    found = sweep_text(
        "cell: rnn\ninit: {bais: 1}\nsweep: {init.recurrent: [normal, zeros], init.bias: [0, 1]}\n"
    )
    assert lines(found.check()) == ["run.yaml:2:8: unknown key 'init.bais' (did you mean 'bias'?)"]
    found = sweep_text(
        "cell: rnn\ninit: {file: a.npz, bias: 1}\nsweep: {init.forget_bias: [0, 1], seeds: [2]}\n"
    )
    assert lines(found.check()) == [
        (
            "run.yaml:2:21: init.bias cannot be given with init.file, which has the weights; "
            "remove bias, forget_bias"
        )
    ]


def test_twenty_problems_are_listed_and_the_others_counted(sweep_text: SweepText) -> None:
    """In the order of the points."""
    found = lines(sweep_text("cell: rnn\n", "weight_scale=-50:-1:50").check())
    assert len(found) == 21
    assert "point weight_scale=-50: " in found[0]
    assert "point weight_scale=-31: " in found[19]
    assert found[20] == "and 30 more problems of this kind"


def test_a_million_points_are_checked_by_the_values_of_each_axis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many configs are made as there are values, and a few."""
    mapping = {
        "cell": "rnn",
        "sweep": {
            "weight_scale": {"linear": [0, 1], "num": 100},
            "init.bias": {"linear": [0, 1], "num": 100},
            "init.input_scale": {"linear": [0, 1], "num": 10},
            "cell": ["rnn", "lstm"],
            "seq_len, loss.at": [[5, [5]], [6, [6]], [7, [7]], [8, [8]], [9, [9]]],
        },
    }
    found = sweep_from_mapping(mapping)
    assert found.size == 10**6
    tried = 0
    original = sweep.validated

    def counted(data: Mapping[str, Any], folder: str) -> Config | tuple[Problem, ...]:
        nonlocal tried
        tried += 1
        return original(data, folder)

    monkeypatch.setattr(sweep, "validated", counted)
    assert found.check() is None
    assert tried <= 100 + 100 + 10 + 2 + 5 + 5


def test_the_rules_across_keys_are_those_that_the_check_knows() -> None:
    """A new validator of Config must be told to gradlab.config.swept: in TOGETHER or not."""
    rules = Config.__pydantic_decorators__
    assert set(rules.field_validators) == {
        "_nobody_asks_for_gradients",
        "_there_is_what_is_split",
        "_loss_within_sequence",
        "_spectrum_within_batch",
        "_fresh_weights_for_one_layer",
        "_block_has_a_skip",
        "_both_directions",
        "_whole_blocks",
        "_one_chain",
        "_one_way_back",
        "_cell_of_a_file",
    }
    assert set(rules.model_validators) == {"_phases_set_the_length", "_cell_may_be_in_a_file"}


VALUES: dict[str, list[Any]] = {
    "cell": ["rnn", "lstm", "lsmt", {"type": "rnn", "activation": "relu"}],
    "cell.type": ["rnn", "lstm"],
    "cell.activation": ["relu", "elu"],
    "weight_scale": [1, -1],
    "init": ["zeros", {"bias": 2}, {"file": "a.npz"}, 3],
    "init.recurrent": ["normal", "none"],
    "init.bias": [0, "x"],
    "init.forget_bias": [0, 1],
    "init.file": [None, "w.npz", ""],
    "init.prefix": ["", "a."],
    "seq_len": [5, 100, 0],
    "loss": ["upstream", {"at": [50]}],
    "loss.at": ["last", [5], [100], [0]],
    "batch_size": [1, 8],
    "spectrum": ["none", {"sequences": 2}],
    "spectrum.sequences": [1, 2],
    "inputs.type": ["zeros", "constant", "normal", "file"],
    "inputs.std": [0, -2.5],
    "inputs.value": [0, 1],
    "inputs.path": ["a.npy", ""],
    "clip": ["none", 5, -1],
    "clip.threshold": [1, 0],
    "clip.by": ["value", "norm", "step_norm"],
    "weight_gradients": ["all", "none"],
    "lag_split": ["auto", "all"],
    "seeds": [3, [1, 1]],
}
BASES: dict[str, list[Any]] = {
    "init": ["orthogonal", {"bias": 1}, {"file": "b.npz"}, {"bais": 1}],
    "inputs": [{"std": 2}, {"type": "file", "path": "in.npy"}],
    "loss": [{"at": [50]}],
    "spectrum": [{"sequences": 4}],
    "seq_len": [50],
    "clip": [3, {"by": "value"}],
    "weight_gradients": ["none"],
}


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_the_check_finds_what_trying_every_point_finds(data: st.DataObject) -> None:
    """Something is wrong with the check exactly when a point is invalid."""
    keys = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4, unique=True))
    lists = {
        key: data.draw(st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3))
        for key in keys
    }
    if len(keys) > 1 and data.draw(st.booleans()):
        rows = zip(lists.pop(keys[0]), lists.pop(keys[1]), strict=False)
        lists[", ".join(keys[:2])] = [list(row) for row in rows]
    optional = {key: st.sampled_from(values) for key, values in BASES.items()}
    base = data.draw(st.fixed_dictionaries({}, optional=optional))
    cell = {"cell": "rnn"} if data.draw(st.integers(0, 3)) else {}
    try:
        found = sweep_from_mapping({**cell, **base, "sweep": lists})
    except GradlabError as error:
        message = str(error)
        assume("same key" not in message)
        known = "bais|clip.threshold is missing|cell is missing|clip or weight_gradients"
        assert re.search(known, message)
        return
    invalid = 0
    for i in range(found.size):
        try:
            found.config(i)
        except GradlabError:
            invalid += 1
    assert (found.check() is not None) == (invalid > 0)


def test_a_missing_file_is_refused_as_for_a_run(tmp_path: Path) -> None:
    """Reading is that of a config."""
    with pytest.raises(GradlabError, match="there is no such file"):
        load_sweep(tmp_path / "none.yaml")
