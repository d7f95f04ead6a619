"""PyTorch as the judge of networks, where it is installed.

Claims, in float64 with H=12, T=25, to 1e-10 (a few dozen steps of rounding):
- stacked LSTM and GRU: the gradients of all parameters of nn.LSTM and nn.GRU with num_layers, and
  h_t.grad of every layer and step of the same network built from cells;
- both directions of nn.GRU and nn.RNN: the gradients of all parameters, `_reverse` included;
- with layers of both directions, of nn.LSTM too: those of all parameters, and those of the lower
  layer's outputs where no recurrence follows, of the same network built from one layer each;
- cross entropy over all steps with an output layer: the loss, and all gradients;
- truncated BPTT in chunks: `detach` at the borders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradlab
from tests.networks.chained import Chained
from tests.networks.unrolled import Unrolled

torch = pytest.importorskip("torch")

H, I, B, T = 12, 7, 4, 25
SIZES: dict[str, Any] = {
    "hidden_size": H,
    "input_size": I,
    "batch_size": B,
    "seq_len": T,
    "seeds": [0],
    "init": {"recurrent": "uniform", "input": "uniform", "bias": 0.1},
}
KINDS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def tensor(a: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(a))


def module(config: dict[str, Any], model: Unrolled) -> Any:
    """PyTorch's layer with the weights that a run draws."""
    layers, both = config.get("layers", 1), config.get("bidirectional", False)
    net = KINDS[config["cell"]](I, H, num_layers=layers, bidirectional=both, dtype=torch.float64)
    with torch.no_grad():
        for direction, weights in model.drawn["weights"].items():
            end = "_reverse" if direction == "backward" else ""
            for name, a in weights.items():
                layer = "" if layers > 1 else "_l0"
                getattr(net, name + layer + end).copy_(tensor(a[0]))
    return net


def logs(record: Any) -> dict[str, float]:
    return dict(zip(record.names["tensors"], record["log10_parameter_grad_norm"][0], strict=True))


def compare(record: Any, net: Any) -> None:
    ours = logs(record)
    plain = "layers" not in record.config or record.config["layers"] == 1
    for name, parameter in net.named_parameters():
        own = name.replace("_l0", "") if plain else name
        assert 10 ** ours[own] == pytest.approx(float(parameter.grad.norm()), rel=1e-10)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("at", ["last", "all"])
def test_stacked(cell: str, layers: int, at: str) -> None:
    config = {**SIZES, "cell": cell, "layers": layers, "loss": {"at": at}}
    record, model = gradlab.run(config), Unrolled(config)
    net = module(config, model)
    out = net(tensor(model.drawn["x"].swapaxes(-1, -2)))[0]
    (out[-1] if at == "last" else out).sum().backward()
    compare(record, net)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_layer_at_every_step(cell: str) -> None:
    config = {**SIZES, "cell": cell, "layers": 2}
    record, model = gradlab.run(config), Unrolled(config)
    kind = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[cell]
    cells = [kind(size, H, dtype=torch.float64) for size in (I, H)]
    with torch.no_grad():
        for name, a in model.drawn["weights"]["forward"].items():
            getattr(cells[int(name[-1])], name[:-3]).copy_(tensor(a[0]))
    zeros = torch.zeros(B, H, dtype=torch.float64)
    states: list[Any] = [(zeros, zeros) if cell == "lstm" else zeros for _ in cells]
    outputs: list[list[Any]] = []
    for x in tensor(model.drawn["x"].swapaxes(-1, -2)):
        out, row = x, []
        for k, one in enumerate(cells):
            states[k] = one(out, states[k])
            out = states[k][0] if cell == "lstm" else states[k]
            out.retain_grad()
            row.append(out)
        outputs.append(row)
    outputs[-1][-1].sum().backward()
    for t, row in enumerate(outputs, 1):
        for layer, h in enumerate(row):
            norm = float(h.grad.norm()) if h.grad is not None else 0.0
            assert record["layer_grad_norm_h"][0, t, layer] == pytest.approx(norm, rel=1e-10)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_both_directions(cell: str) -> None:
    config = {**SIZES, "cell": cell, "bidirectional": True, "loss": {"at": [9]}}
    record, model = gradlab.run(config), Unrolled(config)
    net = module(config, model)
    net(tensor(model.drawn["x"].swapaxes(-1, -2)))[0][8].sum().backward()
    compare(record, net)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("at", ["last", [9], "all"])
def test_layers_of_both_directions(cell: str, layers: int, at: Any) -> None:
    both = {"layers": layers, "bidirectional": True}
    config = {**SIZES, **both, "cell": cell, "loss": {"at": at}}
    record, model = gradlab.run(config), Chained(config)
    net = module(config, model)
    out, state = net(tensor(model.drawn["x"].swapaxes(-1, -2)))
    if at == "last":  # the last states of both directions of the last layer
        loss = (state[0] if cell == "lstm" else state)[-2:].sum()
    else:
        loss = (out[8] if at == [9] else out).sum()
    loss.backward()
    compare(record, net)
    assert len(logs(record)) == len(list(net.named_parameters()))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_outputs_of_the_lower_layer_of_both_directions(cell: str) -> None:
    """PyTorch's gradient of a layer's outputs comes from above; the recurrence adds its own."""
    config = {**SIZES, "cell": cell, "layers": 2, "bidirectional": True, "loss": {"at": [9]}}
    record, model = gradlab.run(config), Chained(config)
    whole = module(config, model)
    y, outputs = tensor(model.drawn["x"].swapaxes(-1, -2)), []
    for layer in range(2):
        one = KINDS[cell](y.shape[-1], H, bidirectional=True, dtype=torch.float64)
        with torch.no_grad():
            for name, parameter in one.named_parameters():
                parameter.copy_(getattr(whole, name.replace("_l0", f"_l{layer}")))
        y = one(y)[0]
        y.retain_grad()
        outputs.append(y)
    outputs[-1][8].sum().backward()
    last = T - 1  # where no recurrence follows: forward at T, backward at 1
    for row, prefix, half in ((last, "", slice(0, H)), (0, "backward_", slice(H, None))):
        norm = float(outputs[0].grad[row, :, half].norm())
        assert record[f"{prefix}layer_grad_norm_h"][0, T, 0] == pytest.approx(norm, rel=1e-10)


@pytest.mark.parametrize("both", [False, True])
def test_cross_entropy(both: bool) -> None:
    loss = {"type": "cross_entropy", "at": "all", "outputs": 5}
    config = {**SIZES, "cell": "lstm", "bidirectional": both, "loss": loss}
    record, model = gradlab.run(config), Unrolled(config)
    net = module(config, model)
    V = tensor(model.drawn["out"]["weight_out"]).requires_grad_()
    c = tensor(model.drawn["out"]["bias_out"]).requires_grad_()
    out = net(tensor(model.drawn["x"].swapaxes(-1, -2)))[0] @ V.T + c
    classes = tensor(model.drawn["y"].argmax(axis=1))
    value = torch.nn.functional.cross_entropy(out.flatten(0, 1), classes.flatten())
    value.backward()
    assert record["loss"][0] == pytest.approx(float(value.detach()), rel=1e-12)
    ours = logs(record)
    assert 10 ** ours["weight_out"] == pytest.approx(float(V.grad.norm()), rel=1e-10)
    assert 10 ** ours["bias_out"] == pytest.approx(float(c.grad.norm()), rel=1e-10)
    compare(record, net)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_truncated_in_chunks(cell: str) -> None:
    chunked = {"steps": 6, "mode": "chunked"}
    config = {**SIZES, "cell": cell, "loss": {"at": "all"}, "truncate": chunked}
    record, model = gradlab.run(config), Unrolled(config)
    net = module(config, model)
    state: Any = None
    total = torch.zeros((), dtype=torch.float64)
    for chunk in tensor(model.drawn["x"].swapaxes(-1, -2)).split(6):
        out, state = net(chunk, state)
        state = tuple(s.detach() for s in state) if cell == "lstm" else state.detach()
        total = total + out.sum()
    total.backward()
    compare(record, net)
