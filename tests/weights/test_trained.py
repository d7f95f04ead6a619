"""init.file: the network of a weights file.

Claims:
- a config that names the file alone has the file's cell, sizes, layers and directions, and computes
  with exactly the file's numbers, weight_scale times the recurrent ones of every layer, direction
  and peephole; the resolved config says all of it and is the same experiment;
- the only layer of a file needs no prefix, and is the same experiment with it; of several the
  error lists the prefixes, and so does one that does not fit;
- what the config gives and the file contradicts is an error that names both; what the file does
  not tell (activation, coupled gates) is taken from the config;
- cells without recurrent weights, and a user's own, are found by the names that they have;
- networks of which a file has not the weights are refused; without cell and file there is nothing;
- any cell with any file is a plan, or a line that says why not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.cells import CELLS
from gradlab.config import Config, dump, from_mapping, load
from gradlab.drawn import Drawing, Member
from gradlab.errors import GradlabError
from gradlab.plan import settle
from gradlab.spec import Spec
from tests.weights.state_dicts import Arrays, Made


def settled(file: Path, arrays: Arrays, **config: Any) -> tuple[Config, Spec]:
    """The plan of a config with these weights; `prefix` is that of init."""
    np.savez(file, **arrays)
    init = {"file": str(file), **({"prefix": config.pop("prefix")} if "prefix" in config else {})}
    return settle(from_mapping({"seq_len": 4, "batch_size": 2, "init": init, **config}).config)


def weights(spec: Spec) -> Arrays:
    """What one member has, under the names of the file's layer."""
    drawing = Drawing([Member(0, spec, 0)])
    found = {}
    for direction, end in zip(range(len(spec.entries)), ("", "_reverse"), strict=False):
        for name, array in drawing.weights(direction).items():
            layer = "" if spec.topology.layers > 1 else "_l0"
            found[f"{name}{layer}{end}"] = array[0, 0]
    return found


NETWORKS = [
    Made("rnn"),
    Made("gru_minimal", 4, 4, biases=("bias_ih",), prefix="a.b."),
    Made("gru", layers=3, prefix="encoder.rnn."),
    Made("lstm", layers=2, biases=()),
    Made("gru", biases=("bias_hh",)),
    Made("gru", both=True, prefix="x."),
    Made("lstm", 5, 2, both=True, biases=()),
    Made("lstm", 4, 3, layers=3, both=True, prefix="rnn."),
    Made("lstm", bare=True, prefix="lstm_cell."),
    Made("lstm_peephole", peepholes="if"),
    Made("lstm_peephole", layers=2, peepholes="o"),
]


@pytest.mark.parametrize("made", NETWORKS, ids=str)
def test_the_network_is_the_files(made: Made, tmp_path: Path) -> None:
    arrays = made.arrays()
    config, spec = settled(tmp_path / "w.npz", arrays, weight_scale=0.5)
    assert (config.cell.type, config.hidden_size, config.input_size) == made[:3]
    assert (config.layers, config.bidirectional, config.init.prefix) == (*made[3:5], made.prefix)
    wanted = {f"{name}_l0" if made.bare else name: a for name, a in arrays.items()}
    found = {made.prefix + name: a for name, a in weights(spec).items()}
    assert found.keys() == wanted.keys()
    for name, array in found.items():
        recurrent = any(
            word in name.removeprefix(made.prefix) for word in ("weight_hh", "peephole")
        )
        # a product with a power of two is exact
        assert np.array_equal(array, wanted[name] * (0.5 if recurrent else 1.0))


@pytest.mark.parametrize("made", NETWORKS, ids=str)
def test_the_resolved_config_is_the_same_experiment(made: Made, tmp_path: Path) -> None:
    config, spec = settled(tmp_path / "w.npz", made.arrays())
    resolved = tmp_path / "c.yaml"
    resolved.write_text(dump(config, tmp_path), encoding="utf-8")
    again = load(resolved).config
    assert again.cell.type == made.kind and again.layers == made.layers
    assert settle(again)[1].identity == spec.identity


def test_the_prefix_of_the_only_layer_may_be_left_out(tmp_path: Path) -> None:
    arrays = Made(prefix="lstm.").arrays()
    left_out, given = (
        settled(tmp_path / "w.npz", arrays, **p)[1] for p in ({}, {"prefix": "lstm."})
    )
    assert left_out.identity == given.identity
    with pytest.raises(GradlabError, match=r"of the prefix ''; it has 'lstm\.'"):
        settled(tmp_path / "w.npz", arrays, prefix="")


TWO = {**Made(prefix="enc.").arrays(), **Made("gru", 4, prefix="dec.").arrays(1)}


def test_of_several_layers_one_is_chosen(tmp_path: Path) -> None:
    with pytest.raises(GradlabError) as caught:
        settled(tmp_path / "w.npz", TWO)
    assert "2 recurrent layers" in str(caught.value)
    assert "'dec.' (gru, H=4), 'enc.' (lstm, H=3)" in str(caught.value)
    for prefix, cell in (("enc.", "lstm"), ("dec.", "gru")):
        assert settled(tmp_path / "w.npz", TWO, prefix=prefix)[0].cell.type == cell
    with pytest.raises(GradlabError, match=r"prefix 'encc\.' \(did you mean 'enc\.'\?\); it has"):
        settled(tmp_path / "w.npz", TWO, prefix="encc.")


def test_a_layer_that_cannot_be_run_is_no_second_choice(tmp_path: Path) -> None:
    """It counts, so that the other one is not run in its place; chosen, it says why it is none."""
    arrays = {**TWO, "enc.weight_hr_l0": np.ones((2, 3))}
    with pytest.raises(GradlabError, match=r"'enc\.' \(none that gradlab can run\)"):
        settled(tmp_path / "w.npz", arrays)
    with pytest.raises(GradlabError, match=r"enc\.weight_hr_l0 projects h"):
        settled(tmp_path / "w.npz", arrays, prefix="enc.")
    alone = {name: a for name, a in arrays.items() if name.startswith("enc.")}
    with pytest.raises(GradlabError, match=r"enc\.weight_hr_l0 projects h"):
        settled(tmp_path / "w.npz", alone)


CONTRADICTIONS: dict[str, tuple[Made, dict[str, Any], str]] = {
    "hidden_size": (Made(), {"hidden_size": 4}, "hidden_size is 4, but the weights file has 3"),
    "input_size": (Made(), {"input_size": 4}, "input_size is 4, but the weights file has 2"),
    "layers": (Made(layers=2), {"layers": 1}, "layers is 1, but the weights file has 2"),
    "bidirectional": (
        Made(both=True),
        {"bidirectional": False},
        "bidirectional is false, but the weights file has true",
    ),
    "cell": (Made(), {"cell": "gru"}, "cell is gru, but w.npz has lstm (4 blocks of 3 rows)"),
    "blocks": (
        Made("rnn"),
        {"cell": "lstm"},
        "cell is lstm, but w.npz has rnn (1 block of 3 rows)",
    ),
    "peepholes not there": (Made(), {"cell": "lstm_peephole"}, "w.npz has lstm "),
    "peepholes left out": (
        Made("lstm_peephole", peepholes="if"),
        {"cell": "lstm"},
        "w.npz has lstm_peephole",
    ),
    "other peepholes": (
        Made("lstm_peephole", peepholes="if"),
        {"cell": {"type": "lstm_peephole", "peepholes": ["i"]}},
        "cell.peepholes is [i], but w.npz has [i, f]",
    ),
    "steps of their own": (Made(), {"tied": False}, "tied: false"),
    "blocks of steps": (Made("rnn"), {"residual": True, "block": 2}, "block has a skip"),
    "phases": (
        Made(),
        {"encoder_decoder": {"encoder": 2, "decoder": 2}},
        "encoder_decoder has two sets",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_the_file_is_told(name: str, tmp_path: Path) -> None:
    made, config, message = CONTRADICTIONS[name]
    with pytest.raises(GradlabError) as caught:
        settled(tmp_path / "w.npz", made.arrays(), **config)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.key[0] == next(reversed(config))


@pytest.mark.parametrize(
    ("made", "cell", "options"),
    [
        (Made("rnn"), {"type": "rnn", "activation": "relu"}, {"activation": "relu"}),
        (Made("rnn"), "linear", {}),
        (Made("gru", layers=2), "gru_2014", {}),
        (Made("gru", biases=("bias_ih",)), "lstm_coupled", {}),
        (Made("lstm_peephole", peepholes="f"), "lstm_peephole", {"peepholes": ("f",)}),
        (Made(), "lstm", {}),
    ],
    ids=str,
)
def test_what_the_file_does_not_tell_is_the_configs(
    made: Made, cell: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    config, spec = settled(tmp_path / "w.npz", made.arrays(), cell=cell)
    assert config.cell.type == (cell if isinstance(cell, str) else cell["type"])
    assert config.cell.options() == options
    assert weights(spec).keys() == made.arrays().keys()


def test_a_cell_without_recurrent_weights_is_found_by_its_names(tmp_path: Path) -> None:
    arrays = {"x.weight_ih": np.ones((6, 3)), "x.bias_ih": np.ones(6)}
    config, spec = settled(tmp_path / "w.npz", arrays, cell="lstm_simple", prefix="x.")
    assert (config.hidden_size, config.input_size) == (3, 3)
    assert spec.tensors == ("weight_ih", "bias_ih")
    with pytest.raises(GradlabError, match="layers: weights of lstm_simple from a file are of one"):
        settled(tmp_path / "w.npz", arrays, cell="lstm_simple", prefix="x.", layers=2)
    with pytest.raises(GradlabError, match="has no weight_ih"):
        settled(tmp_path / "w.npz", arrays, cell="lstm_simple")


def test_an_own_cell_has_the_file_under_its_own_names(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        "import numpy as np\n"
        "def step(p, s, x):\n"
        "    return np.tanh(p.weight_hh @ s + p.weight_ih @ x + p.bias_ih)\n",
        encoding="utf-8",
    )
    arrays = Made("rnn", biases=("bias_ih",), prefix="rnn.").arrays()
    config, spec = settled(tmp_path / "w.npz", arrays, cell=str(own))
    assert (config.init.prefix, config.hidden_size, config.input_size) == ("rnn.", 3, 2)
    assert {f"rnn.{name}": True for name in weights(spec)}.keys() == arrays.keys()


def test_a_file_without_layers_tells_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match=r"no recurrent layer.*it has conv \(2, 3\)$"):
        settled(tmp_path / "w.npz", {"conv": np.ones((2, 3))})
    with pytest.raises(GradlabError, match=r"it has no arrays$"):
        settled(tmp_path / "w.npz", {})


@pytest.mark.parametrize("config", [{}, {"init": {"bias": 1}}, {"init": "zeros"}])
def test_a_cell_is_needed_without_a_file(config: dict[str, Any]) -> None:
    with pytest.raises(GradlabError, match="cell is missing; give one of linear, "):
        from_mapping(config)


SHAPES = st.sampled_from(
    [(), (0,), (3,), (12,), (0, 0), (0, 3), (3, 0), (3, 3), (6, 3), (12, 3), (12, 3, 1)]
)
ARRAYS = st.builds(np.ones, SHAPES, st.sampled_from(["f8", "f2", "i8", "?", "c16", "<U1"]))
PLAIN = st.sampled_from(["weight_ih", "weight_hh", "bias_ih", "peephole_i", "weight_hh_l1", "../x"])


# every kind of cell with every kind of file a few times
@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([None, *CELLS]),
    st.sampled_from([*NETWORKS[:4], None]),
    st.dictionaries(PLAIN, ARRAYS, max_size=3),
)
def test_any_file_is_a_plan_or_a_line_that_says_why(
    cell: str | None, made: Made | None, others: Arrays
) -> None:
    arrays = (made.arrays() if made else {}) | others
    config = {"cell": cell} if cell else {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            plan, spec = settled(Path(folder) / "w.npz", arrays, **config)
        except GradlabError as error:
            problems = error.problems
        else:
            problems = ()
            assert (plan.hidden_size, plan.input_size) == (spec.H, spec.I)
            assert cell in (None, plan.cell.type)
            assert weights(spec)
    assert all("\n" not in p.message and p.key for p in problems)
