"""Recurrent layers from the names and shapes of a state dict.

Claims:
- every kind, with 1 to 3 layers, one or both directions, two, one or no biases, any prefix, with
  and without _l0, is recognised with all its sizes, and every array comes back unchanged;
- what the shapes do not tell is in the note, and an LSTM needs none;
- several layers of a file are told apart by their prefixes, numbers in their order; what is
  beside them is passed over;
- what has the names and is no layer of ours is refused with the tensor's name, and the rest of the
  file stands;
- whatever the names, shapes and types are: layers or reasons, never another error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradlab.cells import CELLS
from gradlab.weights.recognise import KINDS, layers_of, recognised
from tests.weights.state_dicts import BLOCKS, Arrays, Made

PREFIXES = ["", "lstm.", "encoder.rnn.", "module.cells.0.", "a_b_", "weight_hh_l0."]
TWO, ONE, NONE = ("bias_ih", "bias_hh"), ("bias_hh",), ()


@pytest.mark.parametrize("kind", ["rnn", "gru_minimal", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("biases", [TWO, ONE, NONE], ids=len)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_layers_with_pytorchs_names(
    kind: str, layers: int, both: bool, biases: tuple[str, ...], prefix: str
) -> None:
    made = Made(kind, 3, 2, layers, both, biases, prefix)
    arrays = made.arrays()
    (found,) = layers_of(arrays)
    assert (found.cell, found.prefix, found.hidden_size) == (kind, prefix, 3)
    assert (found.input_size, found.layers, found.bidirectional) == (2, layers, both)
    assert {prefix + name for name in found.tensors} == arrays.keys()
    assert all(array is arrays[prefix + name] for name, array in found.tensors.items())


@pytest.mark.parametrize("kind", ["rnn", "gru_minimal", "gru", "lstm"])
@pytest.mark.parametrize("biases", [TWO, ONE, NONE], ids=len)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_cells_have_no_suffix(kind: str, biases: tuple[str, ...], prefix: str) -> None:
    arrays = Made(kind, 4, 5, biases=biases, prefix=prefix, bare=True).arrays()
    (found,) = layers_of(arrays)
    assert (found.cell, found.prefix, found.hidden_size, found.input_size) == (kind, prefix, 4, 5)
    assert {prefix + name.removesuffix("_l0") for name in found.tensors} == arrays.keys()


@pytest.mark.parametrize("gates", ["i", "if", "ifo", "o"])
@pytest.mark.parametrize(("layers", "bare"), [(1, True), (1, False), (2, False)])
def test_peepholes(gates: str, layers: int, bare: bool) -> None:
    made = Made("lstm_peephole", layers=layers, bare=bare, peepholes=gates, prefix="p.")
    (found,) = layers_of(made.arrays())
    assert (found.cell, found.note) == ("lstm_peephole", "")
    assert found.options == {"peepholes": tuple(gates)}


def test_the_table_of_kinds_is_that_of_the_cells() -> None:
    """A kind has as many blocks as its cell; where several cells have as many, there is a note."""
    for blocks, (cell, note) in KINDS.items():
        assert len(CELLS[cell].GATES) == blocks
        alike = [name for name, other in CELLS.items() if len(other.GATES) == blocks]
        assert cell in alike
        # peepholes are told by their own tensors
        assert bool(note) == (alike not in (["lstm", "lstm_peephole"], ["lstm"]))
    assert all(other in KINDS[3][1] for other in ("gru_2014", "lstm_coupled"))
    assert "tanh" in KINDS[1][1]


def test_several_layers_and_what_is_beside_them() -> None:
    arrays: Arrays = {
        "weight_out": np.ones((2, 3)),
        "bias_out": np.ones(2),
        "conv.weight": np.ones(1),
    }
    sizes = {"cells.10.": 5, "cells.2.": 4, "": 3, "dec.": 2}
    for prefix, H in sizes.items():
        arrays |= Made("gru", H, 2, prefix=prefix, bare=prefix.startswith("cells")).arrays()
    found = recognised(arrays)
    assert [layer.prefix for layer in found.layers] == ["", "cells.2.", "cells.10.", "dec."]
    assert all(layer.hidden_size == sizes[layer.prefix] for layer in found.layers)
    assert found.others == {}
    assert found.shapes == {name: array.shape for name, array in arrays.items()}


def with_changes(made: Made, **changes: Any) -> Arrays:
    """The arrays with some replaced; None removes one. `__` stands for a dot."""
    arrays = made.arrays() | {name.replace("__", "."): a for name, a in changes.items()}
    return {name: a for name, a in arrays.items() if a is not None}


LSTM = Made(prefix="x.")
REFUSED: dict[str, tuple[Arrays, str]] = {
    "projection": (with_changes(LSTM, x__weight_hr_l0=np.ones((2, 3))), "x.weight_hr_l0 projects"),
    "five blocks": (
        with_changes(
            LSTM,
            x__weight_hh_l0=np.ones((15, 3)),
            x__weight_ih_l0=np.ones((15, 2)),
            x__bias_ih_l0=None,
            x__bias_hh_l0=None,
        ),
        "5 blocks",
    ),
    "no whole blocks": (
        with_changes(LSTM, x__weight_hh_l0=np.ones((11, 3))),
        "x.weight_hh_l0 has shape (11, 3)",
    ),
    "input weights missing": (with_changes(LSTM, x__weight_ih_l0=None), "no x.weight_ih_l0"),
    "input weights of other rows": (
        with_changes(LSTM, x__weight_ih_l0=np.ones((9, 2))),
        "must have (12, 2)",
    ),
    "bias of another length": (
        with_changes(LSTM, x__bias_hh_l0=np.ones(3)),
        "x.bias_hh_l0 has shape (3,)",
    ),
    "bias that is a matrix": (
        with_changes(LSTM, x__bias_hh_l0=np.ones((12, 1))),
        "must have (12,)",
    ),
    "a layer is missing": (
        with_changes(
            LSTM, **{f"x__{n}_l2": a for n, a in Made(inputs=3, bare=True).arrays().items()}
        ),
        "no x.weight_hh_l1",
    ),
    "another size above": (
        with_changes(
            LSTM,
            **{f"x__{n}_l1": a for n, a in Made(hidden=4, inputs=3, bare=True).arrays().items()},
        ),
        "x.weight_hh_l1 has shape (16, 4)",
    ),
    "does not lie on the first": (
        with_changes(
            LSTM, **{f"x__{n}_l1": a for n, a in Made(inputs=5, bare=True).arrays().items()}
        ),
        "x.weight_ih_l1 has shape (12, 5)",
    ),
    "one direction above": (
        with_changes(
            Made(both=True, prefix="x."),
            **{f"x__{n}_l1": a for n, a in Made(inputs=6, bare=True).arrays().items()},
        ),
        "no x.weight_hh_l1_reverse",
    ),
    "the same twice": (
        with_changes(LSTM, x__weight_hh=np.ones((12, 3))),
        "x.weight_hh_l0 and x.weight_hh",
    ),
    "whole numbers": (with_changes(LSTM, x__weight_hh_l0=np.ones((12, 3), int)), "int64"),
    "complex": (with_changes(LSTM, x__weight_hh_l0=np.ones((12, 3), complex)), "complex128"),
    "no units": (with_changes(LSTM, x__weight_hh_l0=np.ones((0, 0))), "shape (0, 0)"),
    "a number": (with_changes(LSTM, x__weight_hh_l0=np.float64(1).reshape(())), "shape ()"),
    "three axes": (with_changes(LSTM, x__weight_ih_l0=np.ones((12, 2, 1))), "shape (12, 2, 1)"),
    "not a number": (
        with_changes(LSTM, x__weight_hh_l0=np.full((12, 3), np.nan)),
        "x.weight_hh_l0 holds NaN",
    ),
    "peepholes of a GRU": (
        with_changes(Made("gru", prefix="x."), x__peephole_i_l0=np.ones(3)),
        "peepholes",
    ),
    "peepholes of one layer": (
        with_changes(Made(layers=2, prefix="x."), x__peephole_i_l1=np.ones(3)),
        "peepholes",
    ),
    "a long peephole": (
        with_changes(LSTM, x__peephole_i_l0=np.ones(4)),
        "x.peephole_i_l0 has shape (4,)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_layer_of_ours_says_why(name: str) -> None:
    arrays, word = REFUSED[name]
    beside = Made("gru", prefix="good.").arrays()
    found = recognised(arrays | beside)
    assert [layer.prefix for layer in found.layers] == ["good."]
    assert found.others.keys() == {"x."}
    assert word in found.others["x."]
    assert "\n" not in found.others["x."]


PIECES = ["weight_hh", "weight_ih", "weight_hr", "bias_ih", "bias_hh", "peephole_f", "weight_out"]
ENDS = [
    "",
    "_l0",
    "_l1",
    "_l0_reverse",
    "_l1_reverse",
    "_reverse",
    "_l01",
    "_l99999999999",
    "_l",
    "\n",
]
NAMES = st.one_of(
    st.text(max_size=8),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["", "a.", "ü.", "\n", "weight_hh."]),
            st.sampled_from(PIECES),
            st.sampled_from(ENDS),
        ),
    ),
)
SHAPES = st.one_of(
    st.sampled_from([(4, 1), (4, 4), (2, 2), (6, 2), (3, 1), (4,), (2,), (1,), (8, 2), (8, 4)]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=8),
)
TYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.bool_, "c8", "<U2", "O"])
ARRAYS = st.builds(np.ones, SHAPES, TYPES)
MADE = st.tuples(
    st.sampled_from(["rnn", "gru", "lstm"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from([TWO, ONE, NONE]),
)


# a layer that is whole, some of its arrays replaced, and others beside it
@settings(max_examples=300, deadline=None)
@given(MADE, st.dictionaries(NAMES, ARRAYS, max_size=3), st.data())
def test_any_arrays_are_layers_or_reasons(
    made: tuple[Any, ...], others: dict[str, Any], data: st.DataObject
) -> None:
    whole = Made(*made).arrays()
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(whole)), ARRAYS, max_size=1))
    arrays = whole | others | changed
    found = recognised(arrays)
    assert not {layer.prefix for layer in found.layers} & found.others.keys()
    given_arrays = {id(array) for array in arrays.values()}
    for layer in found.layers:
        own = layer.tensors["weight_hh_l0"]
        assert own.shape == (BLOCKS[layer.cell] * layer.hidden_size, layer.hidden_size)
        assert all(id(array) in given_arrays for array in layer.tensors.values())
    if arrays.keys() == whole.keys() and not (others or changed):
        assert len(found.layers) == 1
