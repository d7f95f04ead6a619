"""ONNX: what is read, held against other programs that run the same file.

Claims:
- outputs of a layer that was read are those of the standard's reference evaluator in float64, and
  of onnxruntime in float32, for every operator, direction and set of biases and peepholes;
- weights may be initialisers, Constant nodes, parts of either, in sixteen bits, beside the model;
- nodes that feed each other are one stack; whatever lies between keeps them apart;
- what no cell here is, is refused in one line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import layers, onnxfile
from gradlab.weights.sound import sound
from tests.weights.running import outputs

onnx = pytest.importorskip("onnx", reason="needs the extra [onnx]")

from tests.weights import onnxmodels as made  # noqa: E402 - it imports onnx

DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
# operator, attributes, peepholes -> the cell that it is
VARIANTS: dict[str, tuple[str, dict[str, Any], bool, str]] = {
    "rnn": ("RNN", {}, False, "rnn"),
    "lstm": ("LSTM", {}, False, "lstm"),
    "lstm-peepholes": ("LSTM", {}, True, "lstm_peephole"),
    "gru-after": ("GRU", {"linear_before_reset": 1}, False, "gru"),
    "gru-before": ("GRU", {"linear_before_reset": 0}, False, "gru_2014"),
}
SINGLE = 2e-6  # six steps of float32 sums of at most nine terms of order one: some ten roundings
DOUBLE = (
    1e-13  # the same in float64; sigmoid and tanh are good to one or two units in the last place
)


def drawn(seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=(made.T, made.B, made.I))


def flat(y: Array) -> Array:
    """Y (T, D, B, H) as (T, B, D H)."""
    return y.swapaxes(1, 2).reshape(len(y), y.shape[2], -1)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_those_of_the_reference(
    variant: str, direction: str, bias: bool, tmp_path: Path
) -> None:
    op, attributes, peepholes, cell = VARIANTS[variant]
    own = made.weights(op, DIRECTIONS[direction], bias, peepholes, np.float64)
    proto = made.checked(made.single(op, own, direction=direction, **attributes))
    [layer] = layers(made.saved(proto, tmp_path))
    assert sound(layer, "m").keys() == layer.tensors.keys()
    assert (layer.cell, layer.prefix, layer.hidden_size, layer.input_size) == (cell, "net", 4, 3)
    assert ("bias_ih_l0" in layer.tensors, "bias_hh_l0" in layer.tensors) == (bias, bias)
    from onnx.reference import ReferenceEvaluator

    x = drawn()
    [y] = ReferenceEvaluator(proto).run(None, {"x": x})
    turn = slice(None, None, -1 if direction == "reverse" else 1)
    assert np.abs(outputs(layer, x[turn])[turn] - flat(y)).max() < DOUBLE
    assert ("last input to the first" in layer.note) == (direction == "reverse")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("variant", [*VARIANTS, "rnn-Relu", "rnn-Sigmoid"])
def test_outputs_are_those_of_onnxruntime(variant: str, direction: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    D = DIRECTIONS[direction]
    kind, _, activation = variant.partition("-") if variant.startswith("rnn") else (variant, "", "")
    op, attributes, peepholes, _ = VARIANTS[kind]
    if activation:
        attributes = {"activations": [activation] * D}
    own = made.weights(op, D, True, peepholes, np.float32)
    path = made.saved(made.single(op, own, direction=direction, **attributes), tmp_path)
    [layer] = layers(path)
    x = drawn().astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [y] = session.run(None, {"x": x})
    turn = slice(None, None, -1 if direction == "reverse" else 1)
    assert np.abs(outputs(layer, x[turn])[turn] - flat(y)).max() < SINGLE


def test_weights_in_constants_and_parts_of_them(tmp_path: Path) -> None:
    own = made.weights("GRU", 1, True, False, np.float32)
    [plain] = layers(made.saved(made.single("GRU", own), tmp_path))
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    half = own["R"][0, :6], own["R"][0, 6:]
    nodes = [
        node("Constant", [], ["W"], value=tensor(own["W"])),
        node("Concat", ["top", "rest"], ["rows"], axis=0),
        node("Unsqueeze", ["rows", "zero"], ["R"]),
        node("Transpose", ["wide"], ["tall"], perm=[1, 0]),
        node("Slice", ["tall", "zero", "one", "zero"], ["cut"]),
        node("Identity", ["cut"], ["B"]),
        made.node("GRU", {"W": "W", "R": "R", "B": "B"}, name="net"),
    ]
    wide = np.stack([own["B"][0], own["B"][0] + 1], axis=1)
    held = {"top": half[0], "rest": half[1], "wide": wide}
    proto = made.model(nodes, held | {"zero": np.array([0]), "one": np.array([1])})
    [layer] = layers(made.saved(made.checked(proto), tmp_path))
    assert layer.tensors.keys() == plain.tensors.keys()
    for name, array in plain.tensors.items():
        assert np.array_equal(layer.tensors[name], array), name


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float_data", "bits"])
def test_sixteen_bits_and_typed_fields(kind: str, tmp_path: Path) -> None:
    """Weights that are multiples of 1/8 below 2 are exact in every one of these types."""
    own = made.weights("RNN", 1, False, False, np.float32)
    own = {name: np.round(array * 8).clip(-15, 15) / 8 for name, array in own.items()}
    proto = made.single("RNN", own)
    for tensor in proto.graph.initializer:
        exact = own[tensor.name].astype(np.float32)
        bits = (exact.view(np.uint32) >> 16).astype(np.uint16)
        tensor.ClearField("raw_data")
        if kind == "float16":
            tensor.data_type, tensor.raw_data = 10, exact.astype("<f2").tobytes()
        elif kind == "bfloat16":
            tensor.data_type, tensor.raw_data = 16, bits.astype("<u2").tobytes()
        elif kind == "bits":
            tensor.data_type = 16
            tensor.int32_data.extend(bits.ravel().tolist())
        else:
            tensor.data_type = 1
            tensor.float_data.extend(exact.ravel().tolist())
    [layer] = layers(made.saved(proto, tmp_path))
    assert np.array_equal(layer.tensors["weight_ih_l0"], own["W"][0])
    assert np.array_equal(layer.tensors["weight_hh_l0"], own["R"][0])
    assert layer.tensors["weight_hh_l0"].dtype == np.float32


def test_a_node_within_a_subgraph_sees_the_weights_outside(tmp_path: Path) -> None:
    own = made.weights("LSTM", 1, True, False, np.float32)
    [plain] = layers(made.saved(made.single("LSTM", own), tmp_path))
    inner = onnx.helper.make_graph(
        [made.node("LSTM", {name: name for name in own}, name="net")],
        "branch",
        [],
        [onnx.helper.make_tensor_value_info("y", 1, [None] * 4)],
    )
    branch = onnx.helper.make_node("If", ["yes"], ["z"], then_branch=inner, else_branch=inner)
    proto = made.model([branch], own | {"yes": np.array(True)}, y="z")
    found = layers(made.saved(proto, tmp_path))
    assert [layer.prefix for layer in found] == ["net", "net#2"]  # one in either branch
    assert np.array_equal(found[1].tensors["weight_hh_l0"], plain.tensors["weight_hh_l0"])


def two(between: list[Any], D: int = 1, second: str = "mid", **attributes: Any) -> Any:
    """Two LSTM nodes, and what lies between y of the first and `mid`, input of the second."""
    direction = {1: "forward", 2: "bidirectional"}[D]
    lower = made.weights("LSTM", D, True, False, np.float64, 3)
    upper = made.weights("LSTM", D, True, False, np.float64, 4, width=D * made.H)
    held = {f"{k}_{name}": a for k, own in (("a", lower), ("b", upper)) for name, a in own.items()}
    held |= {"one": np.array([1]), "flat": np.array([0, 0, -1]), "half": np.array(0.5)}
    a, b = ({name: f"{k}_{name}" for name in lower} for k in "ab")
    nodes = [
        made.node("LSTM", a, y="low", name="lower", direction=direction),
        *between,
        made.node("LSTM", b, x=second, name="upper", direction=direction, **attributes),
    ]
    return made.model(nodes, held)


def step(op: str, before: list[str], after: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(op, before, [after], **attributes)


STACKED = {
    "squeezed": (1, [("Squeeze", ["low", "one"], "mid", {})]),
    "moved": (
        2,
        [
            ("Transpose", ["low"], "turned", {"perm": [0, 2, 1, 3]}),
            ("Reshape", ["turned", "flat"], "mid", {}),
        ],
    ),
}
APART = {
    "scaled": (1, [("Squeeze", ["low", "one"], "s", {}), ("Mul", ["s", "half"], "mid", {})]),
    "not turned": (2, [("Reshape", ["low", "flat"], "mid", {})]),
    "turned otherwise": (
        2,
        [
            ("Transpose", ["low"], "turned", {"perm": [2, 0, 1, 3]}),
            ("Reshape", ["turned", "flat"], "mid", {}),
        ],
    ),
}


@pytest.mark.parametrize("case", STACKED)
def test_nodes_that_feed_each_other_are_one_stack(case: str, tmp_path: Path) -> None:
    D, between = STACKED[case]
    proto = two([step(op, ins, out, **given) for op, ins, out, given in between], D)
    [layer] = layers(made.saved(made.checked(proto), tmp_path))
    assert sound(layer, "m").keys() == layer.tensors.keys()
    assert (layer.layers, layer.bidirectional, layer.prefix) == (2, D == 2, "lower")
    from onnx.reference import ReferenceEvaluator

    [y] = ReferenceEvaluator(proto).run(None, {"x": drawn()})
    assert np.abs(outputs(layer, drawn()) - flat(y)).max() < DOUBLE


@pytest.mark.parametrize("case", APART)
def test_whatever_else_lies_between_keeps_them_apart(case: str, tmp_path: Path) -> None:
    D, between = APART[case]
    proto = two([step(op, ins, out, **given) for op, ins, out, given in between], D)
    found = layers(made.saved(proto, tmp_path))
    assert [(layer.prefix, layer.layers) for layer in found] == [("lower", 1), ("upper", 1)]


def test_a_node_that_feeds_two_is_a_stack_of_its_own(tmp_path: Path) -> None:
    proto = two([step("Squeeze", ["low", "one"], "mid")])
    twin = onnx.NodeProto()
    twin.CopyFrom(proto.graph.node[-1])
    twin.name, twin.output[0] = "twin", "other"
    proto.graph.node.append(twin)
    found = layers(made.saved(proto, tmp_path))
    assert [(layer.prefix, layer.layers) for layer in found] == [
        ("lower", 1),
        ("upper", 1),
        ("twin", 1),
    ]


@pytest.mark.parametrize("outputs", [[], ["", "last"]])
def test_a_node_without_its_sequence_of_outputs(outputs: list[str], tmp_path: Path) -> None:
    """Y is optional: `last` is only the final state, which feeds nothing here."""
    proto = two([])
    del proto.graph.node[0].output[:]
    proto.graph.node[0].output.extend(outputs)
    proto.graph.node[1].input[0] = ""
    found = layers(made.saved(proto, tmp_path))
    assert [(layer.prefix, layer.layers) for layer in found] == [("lower", 1), ("upper", 1)]


def test_a_state_to_start_from_is_told(tmp_path: Path) -> None:
    own = made.weights("RNN", 1, False, False, np.float32)
    for value, told in ((0.0, False), (1.0, True)):
        proto = made.single("RNN", own)
        start = onnx.numpy_helper.from_array(np.full((1, 2, 4), value, np.float32), "start")
        proto.graph.initializer.append(start)
        proto.graph.node[0].input.extend(["", "", "start"])
        [layer] = layers(made.saved(proto, tmp_path))
        assert ("starts from a state" in layer.note) == told


REFUSED = {
    "clip": ("LSTM", {"clip": 3.0}, "clips its pre-activations"),
    "coupled": ("LSTM", {"input_forget": 1}, "does not say which of the two gates"),
    "hard gates": (
        "LSTM",
        {"activations": ["HardSigmoid", "Tanh", "Tanh"]},
        "has the activations hardsigmoid, tanh, tanh; known is sigmoid, tanh, tanh",
    ),
    "affine": ("RNN", {"activations": ["Affine"]}, "known is one of tanh, relu, sigmoid"),
    "mixed": (
        "RNN",
        {"activations": ["Tanh", "Relu"], "direction": "bidirectional"},
        "has the activations tanh, relu",
    ),
    "direction": ("GRU", {"direction": "sideways"}, "direction 'sideways'; known are forward"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_cell_here_is_is_refused(case: str, tmp_path: Path) -> None:
    op, attributes, told = REFUSED[case]
    D = DIRECTIONS.get(attributes.get("direction", "forward"), 1)
    path = made.saved(
        made.single(op, made.weights(op, D, True, False, np.float32), **attributes), tmp_path
    )
    with pytest.raises(GradlabError, match=told) as caught:
        layers(path)
    assert str(caught.value).startswith(f"model.onnx: {op} 'net'") and "\n" not in str(caught.value)


def test_weights_that_the_graph_computes_are_refused(tmp_path: Path) -> None:
    own = made.weights("RNN", 1, False, False, np.float32)
    nodes = [step("Mul", ["W", "W"], "W2"), made.node("RNN", {"W": "W2", "R": "R"}, name="net")]
    with pytest.raises(GradlabError, match="'W2' is computed by the graph"):
        layers(made.saved(made.model(nodes, own), tmp_path))


def test_shapes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    own = made.weights("LSTM", 1, True, False, np.float32)
    own["B"] = own["B"][:, 1:]
    with pytest.raises(GradlabError, match=r"B has shape \(1, 31\).* want \(1, 32\)"):
        layers(made.saved(made.single("LSTM", own), tmp_path))


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    own = made.weights("RNN", 1, False, False, np.int64)
    with pytest.raises(GradlabError, match="is int64, not floating point"):
        layers(made.saved(made.single("RNN", own), tmp_path))


def test_a_model_without_recurrent_nodes_is_told(tmp_path: Path) -> None:
    proto = made.model([step("Relu", ["x"], "y")], {"unused": np.ones(1, np.float32)}, rank=3)
    with pytest.raises(GradlabError, match="has no RNN, LSTM or GRU nodes"):
        layers(made.saved(proto, tmp_path))


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made.saved(
        made.single("RNN", made.weights("RNN", 1, False, False, np.float32)), tmp_path
    )
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(GradlabError, match=r"pip install 'gradlab-rnn\[onnx\]'"):
        onnxfile.layers(path)


def beside(tmp_path: Path, **entries: str) -> Path:
    """A model whose W (1, 4, 3) is said to be in another file; R is within."""
    own = made.weights("RNN", 1, False, False, np.float32)
    proto = made.single("RNN", own)
    [index] = [k for k, t in enumerate(proto.graph.initializer) if t.name == "W"]
    proto.graph.initializer[index].CopyFrom(made.external("W", [1, 4, 3], **entries))
    folder = tmp_path / "folder"
    folder.mkdir()
    return made.saved(proto, folder)


def test_numbers_beside_the_model_are_read(tmp_path: Path) -> None:
    path = beside(tmp_path, location="w.bin", offset="8", length="48")
    W = np.arange(12, dtype="<f4")
    (path.parent / "w.bin").write_bytes(b"12345678" + W.tobytes())
    [layer] = layers(path)
    assert np.array_equal(layer.tensors["weight_ih_l0"], W.reshape(4, 3))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"location": "../w.bin"}, "outside the model's folder"),
        ({"location": "ABSOLUTE"}, "outside the model's folder"),
        ({"location": "link"}, "outside the model's folder"),
        ({"location": "none.bin"}, "there is no file"),
        ({"location": ""}, "is a directory"),
        ({"location": "w.bin", "offset": "1"}, "claims bytes 1 to 49 of w.bin, which has 48"),
        ({"location": "w.bin", "length": "-1"}, "claims bytes"),
        ({"location": "w.bin", "length": "9" * 15}, "claims bytes"),
        ({"location": "w.bin", "offset": "x"}, "the file is damaged"),
        ({"location": "w.bin", "length": "44"}, "claims shape .* 48 bytes, and has 44"),
    ],
)
def test_numbers_elsewhere_are_not(entries: dict[str, str], told: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(48))
    if entries["location"] == "ABSOLUTE":
        entries = {"location": str(tmp_path / "w.bin")}
    if entries.get("offset") == "1":
        entries = {**entries, "length": "48"}
    path = beside(tmp_path, **entries)
    (path.parent / "w.bin").write_bytes(bytes(48))
    (path.parent / "link").symlink_to(tmp_path / "w.bin")
    with pytest.raises(GradlabError, match=told):
        layers(path)
