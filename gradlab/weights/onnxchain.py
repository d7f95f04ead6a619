"""Which recurrent nodes of an ONNX graph are the layers of one stack.

PyTorch exports nn.LSTM(num_layers=n) as n nodes. Y of one, (T, D, B, H) with D directions, becomes
the input (T, B, D H) of the next by Squeeze, or by Transpose and Reshape. Its axes are followed by
their letters; whatever else lies between two nodes keeps them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.onnxgraph import Graph, ints

MOVES = ("Transpose", "Squeeze", "Reshape", "Identity", "Dropout")
LONGEST = 8  # nodes between two layers


@dataclass(frozen=True)
class Node:
    """A recurrent node and the layer that it is."""

    graph: Graph
    proto: Any
    layer: RecurrentLayer
    direction: str
    layout: int  # 0: time first; 1: batch first

    @property
    def directions(self) -> int:
        return 2 if self.layer.bidirectional else 1

    @property
    def axes(self) -> tuple[str, ...]:
        """Of Y."""
        return ("B", "T", "D", "H") if self.layout else ("T", "D", "B", "H")


def joined(nodes: Sequence[Node]) -> list[RecurrentLayer]:
    """The layers, those that are a stack in one. A node that feeds two others ends its stack."""
    outputs = {
        (id(node.graph), name): k
        for k, node in enumerate(nodes)
        for name in node.proto.output[:1]
        if name  # Y may be left out
    }
    below = [_below(node, nodes, outputs) for node in nodes]
    fed = Counter(below)
    above = {j: k for k, j in enumerate(below) if j is not None and fed[j] == 1}
    stacks = []
    for k, j in enumerate(below):
        if j in above:
            continue  # not the first of its stack
        stack = [k]
        while stack[-1] in above:
            stack.append(above[stack[-1]])
        stacks.append([nodes[index].layer for index in stack])
    return [_one(stack) for stack in stacks]


def _below(node: Node, nodes: Sequence[Node], outputs: dict[tuple[int, str], int]) -> int | None:
    """The index of the node whose outputs are node's inputs and nothing else, both of one kind."""
    between: list[Any] = []  # from node down
    name = node.proto.input[0]
    while (id(node.graph), name) not in outputs:
        through = node.graph.producer(name)
        if through is None or through.op_type not in MOVES or len(between) == LONGEST:
            return None
        between.append(through)
        name = through.input[0] if through.input else ""
    index = outputs[id(node.graph), name]
    lower = nodes[index]
    if not _alike(lower, node):
        return None
    axes: tuple[str, ...] = lower.axes
    for through in reversed(between):
        axes = _moved(lower, through, axes)
    leading = ("B", "T") if node.layout else ("T", "B")
    fits = axes == (*leading, "DH") or (axes == (*leading, "H") and not lower.layer.bidirectional)
    return index if fits else None


def _alike(lower: Node, upper: Node) -> bool:
    """Whether they can be layers of one stack."""
    a, b = lower.layer, upper.layer
    return (
        lower is not upper
        and (a.cell, a.options, a.hidden_size) == (b.cell, b.options, b.hidden_size)
        and lower.direction == upper.direction != "reverse"
        and a.tensors.keys() == b.tensors.keys()
        and b.input_size == lower.directions * a.hidden_size
    )


def _moved(lower: Node, node: Any, before: tuple[str, ...]) -> tuple[str, ...]:
    """The axes after one more node; () once they are lost."""
    given, D = ints(node), lower.directions
    second = lower.graph.constant(node.input[1]) if len(node.input) > 1 else None
    listed = second.ravel().tolist() if second is not None and second.dtype.kind == "i" else []
    match node.op_type:
        case "Transpose":
            order = given.get("perm", list(range(len(before)))[::-1])
            fits = sorted(order) == list(range(len(before)))
            return tuple(before[k] for k in order) if fits else ()
        case "Squeeze":
            axes = listed or given.get("axes", [])
            only = D == 1 and len(axes) == 1 and -len(before) <= axes[0] < len(before)
            if not only or before[axes[0]] != "D":
                return ()
            return tuple(axis for axis in before if axis != "D")
        case "Reshape":
            width = D * lower.layer.hidden_size
            if before[2:] == ("D", "H") and len(listed) == 3:
                return (*before[:2], "DH") if listed[2] in (-1, width) else ()
            return ()
        case _:
            return before


def _one(stack: list[RecurrentLayer]) -> RecurrentLayer:
    tensors = {
        name.replace("_l0", f"_l{k}"): array
        for k, layer in enumerate(stack)
        for name, array in layer.tensors.items()
    }
    notes = dict.fromkeys(layer.note for layer in stack if layer.note)
    return replace(stack[0], layers=len(stack), tensors=tensors, note="; ".join(notes))
