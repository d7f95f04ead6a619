"""PyTorch's files: checkpoints, and what torch.onnx.export makes of nn.RNN, nn.LSTM and nn.GRU.

Claims:
- tensors come back exactly as the state dict has them, through a checkpoint and through ONNX;
- a state dict is found where checkpoints keep it; what is no tensor is left out;
- sixteen-bit floats become float32, exactly;
- what holds objects is refused in one line, and nothing in it is run.
"""

from __future__ import annotations

import logging
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.errors import GradlabError
from gradlab.weights import layers, read

torch = pytest.importorskip("torch", reason="needs the extra [torch]")


def lstm() -> Any:
    torch.manual_seed(0)
    return torch.nn.LSTM(3, 5, num_layers=2, bidirectional=True)


def saved(held: Any, folder: Path, **how: Any) -> Path:
    path = folder / "model.pt"
    torch.save(held, path, **how)
    return path


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return found.keys() == wanted.keys() and all(
        np.array_equal(found[name], wanted[name].numpy()) for name in wanted
    )


HELD = {
    "alone": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "note": "trained"},
    "model_state_dict": lambda state: {
        "optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(2)}}, "lr": 0.1},
        "model_state_dict": state,
    },
    "nested": lambda state: {"checkpoint": 1, "model": {"state_dict": state}},
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_comes_back(held: str, zipped: bool, tmp_path: Path) -> None:
    state = lstm().state_dict()
    path = saved(HELD[held](state), tmp_path, _use_new_zipfile_serialization=zipped)
    assert same(read(path), state)


def test_nested_mappings_are_joined_by_dots(tmp_path: Path) -> None:
    path = saved({"encoder": {"rnn": {"w": torch.ones(2)}}, "steps": 4, "list": [1]}, tmp_path)
    assert list(read(path)) == ["encoder.rnn.w"]


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_sixteen_bits_become_float32(kind: str, tmp_path: Path) -> None:
    values = [1.5, -0.0078125, 240.0]  # at most eight bits of mantissa
    path = saved({"w": torch.tensor(values, dtype=getattr(torch, kind))}, tmp_path)
    found = read(path)["w"]
    assert found.dtype == np.float32 and found.tolist() == values


def test_parameters_that_share_their_memory_are_two(tmp_path: Path) -> None:
    w = torch.arange(6.0)
    assert {name: a.shape for name, a in read(saved({"a": w, "b": w}, tmp_path)).items()} == {
        "a": (6,),
        "b": (6,),
    }


class Touch:
    """A pickle of this makes a file when it is loaded without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    how = {"_use_new_zipfile_serialization": zipped}
    path = saved({"w": torch.ones(2), "x": Touch(marker)}, tmp_path, **how)
    with pytest.raises(GradlabError, match=r"holds Python objects.*torch\.save\(model\.state_dict"):
        read(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Touch(marker)))
    assert marker.exists()  # the test would see it


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match="holds Python objects, not only tensors") as caught:
        read(saved(lstm(), tmp_path))
    assert "\n" not in str(caught.value)


def test_a_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:  # what TorchScript archives are told by
        archive.writestr("model/constants.pkl", b"")
    with pytest.raises(GradlabError, match="is a TorchScript program"):
        read(path)


def unfolding(depth: int) -> dict[str, Any]:
    """Mappings that hold the one below twice: 2^depth paths in a file of a few hundred bytes."""
    held: dict[str, Any] = {"w": torch.ones(1)}
    for _ in range(depth):
        held = {"a": held, "b": held}
    return held


def endless() -> dict[str, Any]:
    held: dict[str, Any] = {}
    held["a"] = held
    return held


def renamed() -> dict[Any, Any]:
    return {0: torch.ones(1), "0": torch.ones(1)}


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (lambda: torch.ones(2), "holds a Tensor, not tensors by name"),
        (lambda: [torch.ones(2)], "holds a list, not tensors by name"),
        (lambda: {"epoch": 3}, "holds no tensors with names"),
        (lambda: unfolding(60), "more than 16 deep|more than 100000 entries"),
        (endless, "more than 16 deep"),
        (lambda: {"model": endless()}, "more than 16 deep"),
        (renamed, "holds '0' twice"),
        (lambda: {"w\x1b[2J": torch.ones(1)}, "cannot be printed"),
        (lambda: {"w": torch.ones(1).expand(10**12)}, "claims to hold 4000000000000"),
        (lambda: {f"w{k}": torch.ones(10**6) for k in range(3)}, None),
        (lambda: dict.fromkeys(map(str, range(2000)), torch.ones(10**5)), "claims to hold"),
    ],
)
def test_hostile_contents(held: Any, told: str | None, tmp_path: Path) -> None:
    path = saved(held(), tmp_path)
    if told is None:
        assert len(read(path)) == 3  # a file that is as large as it says is read
        return
    with pytest.raises(GradlabError, match=told) as caught:
        read(path)
    assert "\n" not in str(caught.value)


EXPORTS = [
    (kind, {"num_layers": n, "bidirectional": both, "bias": bias, **more})
    for kind in ("RNN", "LSTM", "GRU")
    for n in (1, 2)
    for both in (False, True)
    for bias in (True, False)
    for more in ([{}, {"nonlinearity": "relu"}] if kind == "RNN" else [{}])
]


def exported(module: Any, path: Path, dynamo: bool, fold: bool = True) -> None:
    """torch.onnx.export warns of what does not concern the weights: batch size, its own future."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = {} if dynamo else {"do_constant_folding": fold}
        x = torch.zeros(4, 2, 3)
        torch.onnx.export(module, (x,), str(path), dynamo=dynamo, verbose=False, **more)


# without folding the graph itself packs the gates, from the same pieces whatever the layer is
UNFOLDED = [given for given in EXPORTS if given[1]["num_layers"] == 2 and given[1]["bidirectional"]]


@pytest.mark.parametrize(
    ("kind", "given", "fold"),
    [(*given, True) for given in EXPORTS] + [(*given, False) for given in UNFOLDED],
    ids=str,
)
def test_exported_weights_are_those_of_the_state_dict(
    kind: str, given: dict[str, Any], fold: bool, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(3, 5, **given).eval()
    exported(module, tmp_path / "model.onnx", False, fold)
    [layer] = layers(tmp_path / "model.onnx")
    assert same(dict(layer.tensors), module.state_dict())
    assert (layer.layers, layer.bidirectional) == (given["num_layers"], given["bidirectional"])
    assert (layer.cell, layer.hidden_size, layer.input_size) == (kind.lower(), 5, 3)
    assert layer.options.get("activation", "tanh") == given.get("nonlinearity", "tanh")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("given", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_the_newer_exporter(kind: str, given: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch.onnx.export(dynamo=True) needs it")
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(3, 5, **given).eval()
    exported(module, tmp_path / "model.onnx", True)
    [layer] = layers(tmp_path / "model.onnx")
    assert same(dict(layer.tensors), module.state_dict())


def test_an_rnn_that_the_newer_exporter_unrolls_is_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch.onnx.export(dynamo=True) needs it")
    exported(torch.nn.RNN(3, 5).eval(), tmp_path / "model.onnx", True)
    with pytest.raises(GradlabError, match="dynamo=False"):
        layers(tmp_path / "model.onnx")
