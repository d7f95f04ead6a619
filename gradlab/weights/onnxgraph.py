"""The constants of an ONNX graph: initialisers, Constant nodes, and what is only cut from them.

Exporters pack the gates before or within the graph: Slice, Concat and the like over constants are
followed, any other computed weight is not. Numbers in files beside the model are read only from
within its folder. What is read and made in all is bounded by the size of these files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds, raw

# TensorProto.DataType -> numpy's name, and the field where numbers are that are not raw bytes
KINDS = {
    1: ("float32", "float_data"),
    6: ("int32", "int32_data"),
    7: ("int64", "int64_data"),
    10: ("float16", "int32_data"),
    11: ("float64", "double_data"),
    16: (raw.BFLOAT16, "int32_data"),
}
EXTERNAL = 1  # TensorProto.DataLocation
MOST = 100_000  # nodes of a graph: an empty one takes two bytes of a file, and a hundred in memory
DEEPEST = 32  # nodes between a weight and its initialiser


class Source:
    """The files of a model: how much they hold, how much was taken from them."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size, self.taken = path, size, 0
        self.beside: dict[Path, int] = {}  # files with external data, and their sizes

    def take(self, count: int) -> None:
        """Raises GradlabError where all that was taken is out of proportion to the files."""
        self.taken += count
        bounds.bounded(self.taken, self.size + sum(self.beside.values()), self.path.name)

    def array(self, proto: Any) -> Array:
        """The numbers of a TensorProto."""
        what = f"{self.path.name}: {proto.name or 'a constant'}"
        if proto.data_type not in KINDS:
            raise GradlabError(
                f"{what} is of ONNX type {proto.data_type}, not floating point; "
                "export the model with float weights"
            )
        kind, field = KINDS[proto.data_type]
        if proto.data_location == EXTERNAL:
            data = self._external(proto, what)
        elif proto.HasField("raw_data"):
            data = proto.raw_data
        else:
            # sixteen-bit floats are stored as the integers that their bits are
            stored = (
                "<u2" if kind in ("float16", raw.BFLOAT16) else np.dtype(kind).newbyteorder("<")
            )
            data = np.array(getattr(proto, field)).astype(stored).tobytes()
        self.take(len(data))
        return raw.array(data, kind, list(proto.dims), what)

    def _external(self, proto: Any, what: str) -> bytes:
        """The bytes beside the model: a file within its folder, after links are followed."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        location = PurePosixPath(text(entries.get("location", "")))
        folder = self.path.parent.resolve()
        beside = (folder / location).resolve()
        if location.is_absolute() or ".." in location.parts or not beside.is_relative_to(folder):
            raise GradlabError(
                f"{what} is in {str(location)!r}, outside the model's folder, and is not read; "
                "put the data file beside the model"
            )
        self.beside[beside] = size = bounds.file_size(beside)
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        except ValueError as error:
            raise GradlabError(f"{what}: {error}; the file is damaged, export it again") from error
        if offset < 0 or length < 0 or offset + length > size:
            raise GradlabError(
                f"{what} claims bytes {offset} to {offset + length} of {beside.name}, "
                f"which has {size}; export the model again"
            )
        try:
            with beside.open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise bounds.unreadable(beside, error) from error


class Graph:
    """A graph and the one around it, whose names it sees."""

    def __init__(self, proto: Any, source: Source, outer: Graph | None = None) -> None:
        if max(len(proto.node), len(proto.initializer)) > MOST:
            raise GradlabError(
                f"{source.path.name} has {len(proto.node)} nodes and {len(proto.initializer)} "
                f"initialisers; at most {MOST} are read: export the recurrent part alone"
            )
        self.nodes, self.source, self.outer = list(proto.node), source, outer
        self.initializers = {tensor.name: tensor for tensor in proto.initializer}
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self._known: dict[str, Array | None] = {}

    def each(self) -> Iterator[Graph]:
        """This graph and those within its nodes, outermost first."""
        yield self
        for node in self.nodes:
            for attribute in node.attribute:
                for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                    yield from Graph(inner, self.source, self).each()

    def producer(self, name: str) -> Any | None:
        """The node whose output has that name, here or further out."""
        if name in self.producers:
            return self.producers[name]
        return self.outer.producer(name) if self.outer else None

    def constant(self, name: str, depth: int = 0) -> Array | None:
        """The value of that name, None where it is not constant."""
        if name not in self._known:
            if depth > DEEPEST:
                return None
            self._known[name] = None  # a graph that goes round in circles ends here
            self._known[name] = self._constant(name, depth)
        return self._known[name]

    def _constant(self, name: str, depth: int) -> Array | None:
        if name in self.initializers:
            return self.source.array(self.initializers[name])
        node = self.producers.get(name)
        if node is None:
            return self.outer.constant(name, depth + 1) if self.outer else None
        if node.op_type == "Constant":
            return self._literal(node)
        if node.op_type not in CUTS:
            return None
        inputs = [self.constant(each, depth + 1) for each in node.input if each]
        known = [value for value in inputs if value is not None]
        if not known or len(known) < len(inputs):
            return None
        if node.op_type == "Concat":
            self.source.take(sum(value.nbytes for value in known))
        try:
            return CUTS[node.op_type](known, ints(node))
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise GradlabError(
                f"{self.source.path.name}: node {node.name or name!r} ({node.op_type}) does not "
                f"fit its inputs: {error}; export the model again"
            ) from error

    def _literal(self, node: Any) -> Array | None:
        for attribute in node.attribute:
            if attribute.name == "value":
                return self.source.array(attribute.t)
            if attribute.name in ("value_ints", "value_int"):
                return np.array(ints(node)[attribute.name], np.int64)
        return None


def text(given: str | bytes) -> str:
    """A name; protobuf leaves one that is not UTF-8 as it is."""
    return given if isinstance(given, str) else given.decode(errors="replace")


def ints(node: Any) -> dict[str, Any]:
    """A node's attributes that are integers or lists of them."""
    single = {a.name: int(a.i) for a in node.attribute if a.HasField("i")}
    return single | {a.name: [int(k) for k in a.ints] for a in node.attribute if len(a.ints)}


def axes(inputs: list[Array], given: dict[str, Any]) -> tuple[int, ...] | None:
    """Axes are an attribute up to opset 12, an input from 13 on."""
    listed = inputs[1].ravel() if len(inputs) > 1 else given.get("axes")
    return None if listed is None else tuple(int(k) for k in listed)


def _sliced(inputs: list[Array], given: dict[str, Any]) -> Array:
    names = ("starts", "ends", "axes", "steps")
    listed = dict(zip(names, (k.ravel().tolist() for k in inputs[1:]), strict=False))
    found = given | listed
    along = found.get("axes", range(len(found["starts"])))
    steps = found.get("steps", [1] * len(found["starts"]))
    if any(step != 1 for step in steps):
        raise ValueError("only steps of 1 are known")
    cut = [slice(None)] * inputs[0].ndim
    for axis, start, end in zip(along, found["starts"], found["ends"], strict=True):
        cut[axis] = slice(start, end)
    return inputs[0][tuple(cut)]


def _unsqueezed(inputs: list[Array], given: dict[str, Any]) -> Array:
    return np.expand_dims(inputs[0], axes(inputs, given) or ())


def _concatenated(inputs: list[Array], given: dict[str, Any]) -> Array:
    return np.concatenate(inputs, axis=given["axis"])


CUTS: dict[str, Callable[[list[Array], dict[str, Any]], Array]] = {
    "Identity": lambda inputs, given: inputs[0],
    "Slice": _sliced,
    "Concat": _concatenated,
    "Unsqueeze": _unsqueezed,
    "Squeeze": lambda inputs, given: np.squeeze(inputs[0], axis=axes(inputs, given)),
    "Transpose": lambda inputs, given: np.transpose(inputs[0], given.get("perm")),
}
