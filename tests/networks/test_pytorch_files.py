"""PyTorch as the judge of networks from files, where it is installed.

nn.LSTM, nn.GRU, nn.RNN with 1 and 2 layers, and with 1 layer in both directions, with and without
bias, drawn by PyTorch, written by safetensors.torch or numpy.savez, run by gradlab from the file
alone on the same inputs (inputs.file). The module itself is called step by step, so that every
h_t and c_t is a tensor with a gradient. Claims, for H=12, I=7, B=4, T=25:
- the states of every layer at every step, the norms of dL/dh_t and dL/dc_t at every step, and the
  gradients of all parameters agree to a relative 1e-10 in float64 (a few dozen steps of rounding,
  each about 1e-16 times numbers of order 10), to 1e-6 in float32 (the same steps of 6e-8, which add
  up at random);
- a module within a larger one, LSTMCell and its like: the state dict as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradlab
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member, schedule
from gradlab.engine.forward import forward
from gradlab.plan import settle

torch = pytest.importorskip("torch")

H, I, B, T = 12, 7, 4, 25
KINDS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
TOLERANCES = {"float64": 1e-10, "float32": 1e-6}


class Built(NamedTuple):
    """A module, its inputs (T, B, I), and the config that runs the same from files."""

    module: Any
    x: Any
    config: dict[str, Any]
    tolerance: float


def saved(module: Any, path: Path) -> str:
    """The state dict in a file, in the way of the docs."""
    if path.suffix == ".npz":
        np.savez(path, **{k: v.numpy() for k, v in module.state_dict().items()})
    else:
        pytest.importorskip("safetensors.torch").save_file(module.state_dict(), path)
    return str(path)


def built(
    folder: Path, kind: str, dtype: str, suffix: str, module: Any = None, **options: Any
) -> Built:
    torch.manual_seed(3)
    precision = getattr(torch, dtype)
    module = module or KINDS[kind](I, H, dtype=precision, **options)
    x = torch.randn(T, B, I, dtype=precision)
    np.save(folder / "x.npy", x.numpy().swapaxes(0, 1))
    config = {
        "init": {"file": saved(module, folder / f"w{suffix}")},
        "inputs": {"type": "file", "path": str(folder / "x.npy")},
        "dtype": dtype,
        "seeds": 1,
    }
    return Built(module, x, config, TOLERANCES[dtype])


def unrolled(one: Built, direction: int, layers: int) -> dict[str, list[Any]]:
    """h_t and c_t (layers, B, H) of one direction in its own time, t = 0 .. T, with gradients of
    the sum of the last h of the top layer.
    """
    kept = slice(direction * layers, (direction + 1) * layers)  # 2 directions have 1 layer
    both = 2 if one.module.bidirectional else 1
    zeros = torch.zeros(layers * both, B, H, dtype=one.x.dtype)
    parts = ("h", "c") if isinstance(one.module, torch.nn.LSTM) else ("h",)
    state = tuple(zeros.clone().requires_grad_() for _ in parts)
    found: dict[str, list[Any]] = {part: [s] for part, s in zip(parts, state, strict=True)}
    for x in one.x.flip(0) if direction else one.x:
        new = one.module(x[None], state if len(parts) > 1 else state[0])[1]
        state = new if len(parts) > 1 else (new,)
        for part, s in zip(parts, state, strict=True):
            s.retain_grad()
            found[part].append(s)
    found["h"][-1][kept][-1].sum().backward()
    return {
        part: [(s[kept], s.grad[kept] if s.grad is not None else None) for s in each]
        for part, each in found.items()
    }


def states(config: dict[str, Any], direction: int, layers: int) -> Any:
    """gradlab's states (T, parts, layers, H, B) of one direction in its own time."""
    spec = settle(from_mapping(config).config)[1]
    drawing = Drawing([Member(0, spec, 0)])
    tensors = schedule(spec, drawing.weights(direction))
    x = drawing.inputs(direction, lambda: None)
    start, every = drawing.start(direction), np.arange(1, T + 1)
    found = forward(spec.network, tensors, x, start, T, None, every).watched
    return found[:, 0].reshape(T, len(spec.base.STATE), layers, H, B)


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    """Relative to the largest entry."""
    theirs = theirs.detach().numpy()
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def compare(one: Built, layers: int = 1) -> None:
    record = gradlab.run(one.config)
    directions = ("", "backward_")[: 2 if one.module.bidirectional else 1]
    for index, prefix in enumerate(directions):
        theirs = unrolled(one, index, layers)
        ours = states(one.config, index, layers)
        for k, (part, each) in enumerate(theirs.items()):
            for t, (s, gradient) in enumerate(each):
                if t:
                    close(ours[t - 1, k], s.transpose(-1, -2), one.tolerance)
                norm = 0.0 if gradient is None else float(gradient.double().norm())
                found = record[f"{prefix}grad_norm_{part}"][0, t]
                assert found == pytest.approx(norm, rel=one.tolerance)
    norms = 10 ** record["log10_parameter_grad_norm"][0]
    found = dict(zip(record.names["tensors"], norms, strict=True))
    wanted = {
        name if layers > 1 else name.replace("_l0", ""): float(p.grad.double().norm())
        for name, p in one.module.named_parameters()
    }
    assert found == pytest.approx(wanted, rel=one.tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "options", [{"num_layers": 1}, {"num_layers": 2}, {"bidirectional": True}], ids=str
)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_module_from_its_file(
    kind: str, bias: bool, options: dict[str, Any], dtype: str, tmp_path: Path
) -> None:
    suffix = ".npz" if bias else ".safetensors"
    one = built(tmp_path, kind, dtype, suffix, bias=bias, **options)
    compare(one, options.get("num_layers", 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_layers_in_both_directions_from_their_file(kind: str, dtype: str, tmp_path: Path) -> None:
    # step by step they are no module of PyTorch's; the gradients of all parameters are their sum
    one = built(tmp_path, kind, dtype, ".npz", num_layers=2, bidirectional=True)
    record = gradlab.run(one.config)
    h = one.module(one.x)[0]
    (h[-1, :, :H].sum() + h[0, :, H:].sum()).backward()
    norms = 10 ** record["log10_parameter_grad_norm"][0]
    found = dict(zip(record.names["tensors"], norms, strict=True))
    wanted = {n: float(p.grad.double().norm()) for n, p in one.module.named_parameters()}
    assert found == pytest.approx(wanted, rel=one.tolerance)


def test_relu_is_what_the_config_says(tmp_path: Path) -> None:
    one = built(tmp_path, "rnn", "float64", ".npz", nonlinearity="relu")
    compare(one._replace(config={**one.config, "cell": {"type": "rnn", "activation": "relu"}}))


class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
    """What a recurrent layer is usually a part of."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(10, I)
        self.encoder = torch.nn.GRU(I, H, num_layers=2, dtype=torch.float64)
        self.cells = torch.nn.ModuleList(
            [torch.nn.LSTMCell(I, H), torch.nn.GRUCell(H, 5), torch.nn.RNNCell(5, 3)]
        )
        self.readout = torch.nn.Linear(3, 2)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_layer_of_a_larger_model(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = Model()
    one = built(tmp_path, "gru", "float64", suffix, module=model)
    init = {**one.config["init"], "prefix": "encoder."}
    compare(one._replace(module=model.encoder, config={**one.config, "init": init}), 2)
    found = {"cells.0.": ("lstm", H, I), "cells.1.": ("gru", 5, H), "cells.2.": ("rnn", 3, 5)}
    for prefix, wanted in found.items():
        config = from_mapping({"init": {**init, "prefix": prefix}}).config
        spec = settle(config)[1]
        assert (spec.cell, spec.H, spec.I) == wanted
