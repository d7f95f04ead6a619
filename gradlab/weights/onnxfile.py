"""ONNX: the nodes RNN, LSTM and GRU with their constant weights; a graph is never run.

Per direction W (G H, I), R (G H, H), B (2 G H) = [Wb, Rb], P (3 H), gates in the order of
`packing`. Equations of the standard, in gradlab's letters:

    GRU    n = tanh(U_n x + b_in + r (W_n h + b_hn))      linear_before_reset = 1: `gru`
           n = tanh(U_n x + b_in + W_n (r h) + b_hn)      linear_before_reset = 0: `gru_2014`
    LSTM   i, f see c_{t-1} through P, o sees c_t         with P: `lstm_peephole`

Numbers are bounded by the file's size before they are read. What protobuf itself makes of a file is
not: one of nothing but empty messages takes some 75 times its size in memory, then it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds
from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.onnxchain import Node, joined
from gradlab.weights.onnxgraph import Graph, Source, ints, text
from gradlab.weights.packing import ORDERS, PEEPHOLES, packed

USUAL = {
    "RNN": ("tanh",),
    "LSTM": ("sigmoid", "tanh", "tanh"),
    "GRU": ("sigmoid", "tanh"),
}
OF_RNN = ("tanh", "relu", "sigmoid")
SUFFIXES = {"forward": ("",), "reverse": ("",), "bidirectional": ("", "_reverse")}
REVERSE = "runs from the last input to the first; here it is a layer like any other"
STARTS = "starts from a state in the file, which is not read"


def layers(path: Path) -> list[RecurrentLayer]:
    """The recurrent layers of a .onnx file, those that feed each other as one stack.

    Raises GradlabError where the extra is missing, for a broken file, for one without such nodes,
    and for a node that no cell here is: clipped, with coupled gates, with other activations.
    """
    size = bounds.file_size(path)
    proto = _model(path)
    graphs = Graph(proto.graph, Source(path, size)).each()
    nodes = [
        (graph, node)
        for graph in graphs
        for node in graph.nodes
        if node.op_type in USUAL and node.domain in ("", "ai.onnx")
    ]
    if not nodes:
        inside = any(n.op_type in USUAL for f in proto.functions for n in f.node)
        advice = (
            "they are in functions: onnx.inliner.inline_local_functions brings them out"
            if inside
            else "where PyTorch wrote it, torch.onnx.export(..., dynamo=False) keeps them whole"
        )
        raise GradlabError(f"{path.name} has no RNN, LSTM or GRU nodes; {advice}")
    prefixes = _prefixes([node for _, node in nodes], path.name)
    return joined([_node(g, n, p) for (g, n), p in zip(nodes, prefixes, strict=True)])


def _model(path: Path) -> Any:
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError as error:
        raise GradlabError(
            f"{path.name} needs the package onnx to read: pip install 'gradlab-rnn[onnx]'"
        ) from error
    try:
        model = ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise bounds.unreadable(path, error) from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise GradlabError(f"{path.name} is not a readable ONNX file; export it again") from error
    if not model.HasField("graph"):
        raise GradlabError(f"{path.name} is not an ONNX model: it has no graph; export it again")
    return model


def _prefixes(nodes: list[Any], file: str) -> list[str]:
    """A name for each node: its own, or its first output's; with a number where it comes again."""
    found: dict[str, None] = {}
    for node in nodes:
        name = text(node.name or next((each for each in node.output if each), node.op_type))
        k, prefix = 1, name
        while prefix in found:
            k += 1
            prefix = f"{name}#{k}"
        found[prefix] = None
    bounds.once(file, found)
    return list(found)


def _node(graph: Graph, node: Any, prefix: str) -> Node:
    what = f"{graph.source.path.name}: {node.op_type} {prefix!r}"
    given = ints(node)
    direction = next((text(a.s) for a in node.attribute if a.name == "direction"), "forward")
    if direction not in SUFFIXES:
        raise GradlabError(f"{what} has direction {direction!r}; known are {', '.join(SUFFIXES)}")
    _unclipped(node, given, what)
    activation = _activation(node, len(SUFFIXES[direction]), what)
    W, R, B, P = (_weight(graph, node, k, what) for k in (1, 2, 3, 7))
    if W is None or R is None:
        raise GradlabError(f"{what} has no {'W' if W is None else 'R'}; export the model again")
    cell = {
        "RNN": "rnn",
        "LSTM": "lstm" if P is None else "lstm_peephole",
        "GRU": "gru" if given.get("linear_before_reset", 0) else "gru_2014",
    }[node.op_type]
    shape = (len(SUFFIXES[direction]), len(ORDERS["onnx"][cell]))
    H, I = _sizes(W, R, B, P, shape, what)
    tensors: dict[str, Array] = {}
    for d, suffix in enumerate(SUFFIXES[direction]):
        own = _tensors(cell, W[d], R[d], None if B is None else B[d], None if P is None else P[d])
        tensors |= {f"{name}_l0{suffix}": array for name, array in own.items()}
    notes = [REVERSE] * (direction == "reverse") + [STARTS] * _starts_elsewhere(graph, node)
    layer = RecurrentLayer(
        cell=cell,
        prefix=prefix,
        hidden_size=H,
        input_size=I,
        layers=1,
        bidirectional=direction == "bidirectional",
        tensors=tensors,
        options={"activation": activation} if activation else {},
        note="; ".join(notes),
    )
    return Node(graph, node, layer, direction, given.get("layout", 0))


def _unclipped(node: Any, given: dict[str, Any], what: str) -> None:
    if any(attribute.name == "clip" for attribute in node.attribute):
        raise GradlabError(
            f"{what} clips its pre-activations, which no cell here does; export it without `clip`"
        )
    if given.get("input_forget", 0):
        raise GradlabError(
            f"{what} has input_forget=1: the standard does not say which of the two gates is made "
            "from the other; export it with both gates"
        )


def _activation(node: Any, directions: int, what: str) -> str | None:
    """That of an RNN; None for the others, which have the usual ones or are refused."""
    listed = [
        text(each).lower() for a in node.attribute if a.name == "activations" for each in a.strings
    ]
    usual = USUAL[node.op_type]
    if node.op_type == "RNN":
        found = set(listed) or {"tanh"}
        if len(found) == 1 and found <= set(OF_RNN):
            return found.pop()
        allowed = f"one of {', '.join(OF_RNN)}"
    elif not listed or listed == list(usual) * directions:
        return None
    else:
        allowed = ", ".join(usual)
    raise GradlabError(f"{what} has the activations {', '.join(listed)}; known is {allowed}")


def _weight(graph: Graph, node: Any, index: int, what: str) -> Array | None:
    """Input number `index` of a node, None where it has none."""
    name = node.input[index] if index < len(node.input) else ""
    if not name:
        return None
    found = graph.constant(name)
    if found is None:
        raise GradlabError(
            f"{what}: its weight {name!r} is computed by the graph and not constant; export the "
            "model with constant folding, in evaluation mode"
        )
    if found.dtype.kind != "f":
        raise GradlabError(f"{what}: its weight {name!r} is {found.dtype}, not floating point")
    return found


def _sizes(
    W: Array, R: Array, B: Array | None, P: Array | None, shape: tuple[int, int], what: str
) -> tuple[int, int]:
    """H and I. Raises GradlabError unless all shapes fit."""
    D, gates = shape
    H = R.shape[2] if R.ndim == 3 else 0
    I = W.shape[2] if W.ndim == 3 else 0
    wanted = {
        "W": (W, (D, gates * H, I)),
        "R": (R, (D, gates * H, H)),
        "B": (B, (D, 2 * gates * H)),
        "P": (P, (D, 3 * H)),
    }
    for name, (array, fit) in wanted.items():
        if array is not None and (array.shape != fit or min(H, I) < 1):
            raise GradlabError(
                f"{what}: {name} has shape {array.shape}; {D} direction(s) with hidden size {H} "
                f"and input size {I} want {fit}"
            )
    return H, I


def _tensors(cell: str, W: Array, R: Array, B: Array | None, P: Array | None) -> dict[str, Array]:
    """One direction under gradlab's names."""
    found = {"weight_hh": packed("onnx", cell, R), "weight_ih": packed("onnx", cell, W)}
    if B is not None:
        halves = np.split(B, 2)
        found |= {
            name: packed("onnx", cell, half)
            for name, half in zip(("bias_ih", "bias_hh"), halves, strict=True)
        }
    if P is not None:
        order = PEEPHOLES["onnx"]
        found |= {f"peephole_{k}": p for k, p in zip(order, np.split(P, len(order)), strict=True)}
    return found


def _starts_elsewhere(graph: Graph, node: Any) -> bool:
    """Whether an initial state is a constant other than zero."""
    for name in node.input[5:7]:
        value = graph.constant(name) if name else None
        if value is not None and value.any():
            return True
    return False
