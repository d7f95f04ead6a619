"""ONNX models put together by hand, with weights that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gradlab.nonlinearity import Array

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
T, B, I, H = 6, 2, 3, 4


def weights(
    op: str, D: int, bias: bool, peepholes: bool, dtype: Any, seed: int = 0, width: int = I
) -> dict[str, Array]:
    """W, R, and B, P where they are wanted, under the standard's names."""
    rng = np.random.default_rng(seed)
    G = GATES[op] * H
    shapes = {"W": (D, G, width), "R": (D, G, H)}
    shapes |= {"B": (D, 2 * G)} if bias else {}
    shapes |= {"P": (D, 3 * H)} if peepholes else {}
    return {name: rng.normal(0, 0.5, shape).astype(dtype) for name, shape in shapes.items()}


def node(op: str, given: dict[str, str], x: str = "x", y: str = "y", **attributes: Any) -> Any:
    """A recurrent node; given: the names of its weights by W, R, B, P."""
    inputs = [x, given["W"], given["R"], given.get("B", ""), "", "", "", given.get("P", "")]
    inputs = inputs[: {"RNN": 6, "GRU": 6, "LSTM": 8}[op]]
    while inputs[-1] == "":
        inputs.pop()
    return helper.make_node(op, inputs, [y], hidden_size=H, **attributes)


def model(nodes: list[Any], constants: dict[str, Array], y: str = "y", rank: int = 4) -> Any:
    """A model with input x (T, B, I)."""
    kind = helper.np_dtype_to_tensor_dtype(next(iter(constants.values())).dtype)
    graph = helper.make_graph(
        nodes,
        "by_hand",
        [helper.make_tensor_value_info("x", kind, [T, B, I])],
        [helper.make_tensor_value_info(y, kind, [None] * rank)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def single(op: str, own: dict[str, Array], **attributes: Any) -> Any:
    """A model of one node."""
    return model([node(op, {name: name for name in own}, name="net", **attributes)], own)


def saved(proto: Any, folder: Path) -> Path:
    """The model as a file."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def claimed(name: str, dims: list[int], data: bytes) -> Any:
    """A float tensor that says it has these dims."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, raw_data=data)
    tensor.dims.extend(dims)
    return tensor


def external(name: str, dims: list[int], **entries: str) -> Any:
    """A float tensor whose numbers are in another file."""
    tensor = claimed(name, dims, b"")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def checked(proto: Any) -> Any:
    """The model, which the standard's own checker accepts."""
    onnx.checker.check_model(proto)
    return proto
