"""Every topology against a network that is written out as loops and differentiated by complex step.

Claims, for each network and loss:
- the recorded norms of dL/ds_t, at every step, are those of the complex step (the rest of s_t held
  fixed), and those of a layer's output with every path included;
- the norms of dL/d(tensor) are those of the complex step, tensor by tensor, set by set;
- the recorded loss is the loss;
- the split by lag and truncated BPTT are the sums over (t, k) that define them, where (t, k) is the
  gradient of loss term t by the weights as step k uses them;
- checkpoints change no bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.record import Record
from tests.networks.chained import Chained
from tests.networks.unrolled import Unrolled

SIZES: dict[str, Any] = {
    "hidden_size": 3,
    "input_size": 3,
    "batch_size": 2,
    "seq_len": 6,
    "seeds": [0],
    "weight_scale": 1.3,
    "initial_state": "normal",
    "init": {"bias": 0.2},
    "lag_split": "auto",
}
CE = {"type": "cross_entropy", "at": "all", "outputs": 4}
NEXT = {"type": "cross_entropy", "at": "all", "targets": "shifted"}
NETWORKS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "layers": {"cell": "rnn", "layers": 3},
    "layers lstm": {"cell": "lstm", "layers": 2, "input_size": 2},
    "layers gru residual": {"cell": "gru", "layers": 3, "residual": True, "input_size": 2},
    "layers lstm residual": {"cell": "lstm", "layers": 2, "residual": True},
    "untied": {"cell": "rnn", "tied": False},
    "untied lstm": {"cell": "lstm", "tied": False},
    "untied residual": {"cell": "rnn", "tied": False, "residual": True},
    "residual recurrence": {"cell": "gru", "residual": True},
    "residual lstm": {"cell": "lstm", "residual": True},
    "blocks": {"cell": "rnn", "tied": False, "residual": True, "block": 2},
    "blocks of three": {"cell": "linear", "tied": False, "residual": True, "block": 3},
    "tied blocks": {"cell": "rnn", "residual": True, "block": 2},
    "both directions": {"cell": "gru", "bidirectional": True},
    "both directions from 2": {"cell": "rnn", "bidirectional": True, "loss": {"at": [2]}},
    "encoder decoder": {"cell": "lstm", "encoder_decoder": {"encoder": 2, "decoder": 4}},
    "encoder decoder layers": {
        "cell": "rnn",
        "layers": 2,
        "encoder_decoder": {"encoder": 4, "decoder": 2},
    },
    "cross entropy": {"cell": "rnn", "loss": CE},
    "language model": {"cell": "lstm", "inputs": "onehot", "loss": NEXT},
    "last mse": {"cell": "gru", "loss": "mse"},
    "some mse": {"cell": "rnn", "loss": {"type": "mse", "at": [2, 5], "outputs": 2}},
    "shifted mse": {"cell": "rnn", "loss": {"type": "mse", "at": "all", "targets": "shifted"}},
    "layers cross entropy": {"cell": "rnn", "layers": 2, "residual": True, "loss": CE},
    "both cross entropy": {"cell": "rnn", "bidirectional": True, "loss": CE},
    "both last mse": {"cell": "gru", "bidirectional": True, "loss": "mse"},
    "both, two layers": {"cell": "rnn", "layers": 2, "bidirectional": True},
    "both, three layers from 2": {
        "cell": "gru",
        "layers": 3,
        "bidirectional": True,
        "input_size": 2,
        "loss": {"at": [2]},
    },
    "both, two layers lstm": {"cell": "lstm", "layers": 2, "bidirectional": True},
    "both, three layers everywhere": {
        "cell": "lstm",
        "layers": 3,
        "bidirectional": True,
        "loss": {"at": "all"},
    },
    "both, two layers last mse": {
        "cell": "gru",
        "layers": 2,
        "bidirectional": True,
        "loss": "mse",
    },
    "both, three layers some mse": {
        "cell": "rnn",
        "layers": 3,
        "bidirectional": True,
        "loss": {"type": "mse", "at": [2, 5], "outputs": 2},
    },
    "both, residual layers": {
        "cell": "gru",
        "layers": 3,
        "residual": True,
        "bidirectional": True,
        "loss": {"at": [4]},
    },
    "both, residual layers last mse": {
        "cell": "lstm",
        "layers": 3,
        "residual": True,
        "bidirectional": True,
        "input_size": 2,
        "loss": "mse",
    },
    "both, layers cross entropy": {
        "cell": "rnn",
        "layers": 2,
        "residual": True,
        "bidirectional": True,
        "loss": CE,
    },
    "upstream everywhere": {"cell": "gru", "loss": {"at": "all"}},
}
every_network = pytest.mark.parametrize("name", NETWORKS)
one_way = [n for n, c in NETWORKS.items() if not c.get("bidirectional")]
shared = [n for n in one_way if NETWORKS[n].get("tied", True)]

# a few hundred products and sums of numbers near 1, both ways: some 1e-15, times a margin
CLOSE = {"rtol": 1e-12, "atol": 1e-15}


def config(name: str) -> dict[str, Any]:
    return {**SIZES, **NETWORKS[name]}


@cache
def record(name: str) -> Record:
    return gradlab.run(config(name))


@cache
def unrolled(name: str) -> Unrolled:
    network = NETWORKS[name]
    both = network.get("bidirectional") and network.get("layers", 1) > 1
    return Chained(config(name)) if both else Unrolled(config(name))


def norm(a: Any) -> float:
    return float(np.sqrt((np.asarray(a) ** 2).sum()))


@every_network
def test_norms_of_the_state_adjoints(name: str) -> None:
    found, model = record(name), unrolled(name)
    for direction in model.spec.entries:
        prefix = "" if direction == "forward" else "backward_"
        parts = [p for p in found.names["parts"] if not p.endswith("_total")]
        for row, t in enumerate(model.spec.rows):
            adjoint = np.split(model.state_adjoint(direction, t), len(parts))
            for part, own in zip(parts, adjoint, strict=True):
                norms = found[f"{prefix}grad_norm_{part}"][0, row]
                np.testing.assert_allclose(norms, norm(own), **CLOSE)


@pytest.mark.parametrize("name", [n for n, c in NETWORKS.items() if c.get("layers", 1) > 1])
def test_norms_of_each_layer_with_every_path(name: str) -> None:
    found, model = record(name), unrolled(name)
    for direction in model.spec.entries:
        prefix = "" if direction == "forward" else "backward_"
        for row, t in enumerate(model.spec.rows[1:], 1):
            for layer in range(NETWORKS[name]["layers"]):
                whole = norm(model.layer_adjoint(direction, t, layer))
                norms = found[f"{prefix}layer_grad_norm_h"][0, row, layer]
                np.testing.assert_allclose(norms, whole, **CLOSE)
                logs = found[f"{prefix}layer_log10_grad_norm_h"][0, row, layer]
                if whole:
                    np.testing.assert_allclose(logs, np.log10(whole), rtol=1e-12, atol=1e-12)


@every_network
def test_norms_of_the_gradients_of_the_weights(name: str) -> None:
    found, model = record(name), unrolled(name)
    norms = dict(zip(found.names["tensors"], found["log10_parameter_grad_norm"][0], strict=True))
    for direction, tensors in model.drawn["weights"].items():
        end = "" if direction == "forward" else "_reverse"
        for tensor in tensors:
            each = model.weight_gradients(direction, tensor)
            if model.spec.topology.phases:
                for phase, one in zip(("encoder", "decoder"), each, strict=True):
                    assert 10 ** norms[f"{phase}.{tensor}"] == pytest.approx(norm(one), rel=1e-12)
            else:
                assert 10 ** norms[tensor + end] == pytest.approx(norm(each), rel=1e-12)


@pytest.mark.parametrize("name", [n for n, c in NETWORKS.items() if "mse" in n or "cross" in n])
def test_the_output_layer(name: str) -> None:
    """The loss itself, and the gradients of V and its bias."""
    found, model = record(name), unrolled(name)
    assert found["loss"][0] == pytest.approx(model.loss().real, rel=1e-13)
    norms = dict(zip(found.names["tensors"], found["log10_parameter_grad_norm"][0], strict=True))
    drawn = model.drawn["out"]
    for tensor in ("weight_out", "bias_out"):
        plain = drawn[tensor]

        def loss(nudge: Any, tensor: str = tensor, plain: Any = plain) -> complex:
            drawn[tensor] = plain + nudge
            value = model.loss()
            drawn[tensor] = plain
            return value

        whole = model._entries(plain.shape, loss)
        assert 10 ** norms[tensor] == pytest.approx(norm(whole), rel=1e-12)


@pytest.mark.parametrize("name", shared)
def test_the_split_by_lag_is_the_sum_that_defines_it(name: str) -> None:
    found, model = record(name), unrolled(name)
    tensors = [tensor for layer in model.spec.weights for tensor in layer]
    G = by_lag(model, tensors)
    whole = sum(G)
    for lag, part in enumerate(G):
        assert 10 ** found["log10_lag_norm"][0, lag] == pytest.approx(norm(part), rel=1e-12)
        partial = sum(G[: lag + 1])
        remainder = norm(whole - partial) / norm(whole)
        # the remainder is a difference of numbers of the size of the whole
        assert found["lag_remainder"][0, lag] == pytest.approx(remainder, rel=1e-9, abs=1e-14)
        cosine = (partial * whole).sum() / (norm(partial) * norm(whole))
        assert found["lag_cosine"][0, lag] == pytest.approx(cosine, rel=1e-12)
    last = found["lag_remainder"][0, -1]
    assert last < 1e-12  # all lags together are the gradient
    enough = [n for n in range(len(G)) if norm(whole - sum(G[: n + 1])) <= 0.05 * norm(whole)]
    stride = model.spec.topology.stride
    assert found["memory_horizon"][0] == (enough[0] + 1) * stride
    assert found["lag_split_lag"].tolist() == [stride * lag for lag in range(len(G))]


@pytest.mark.parametrize("name", shared)
def test_the_share_of_every_step(name: str) -> None:
    """All loss terms together, the weights as one step uses them."""
    found, model = record(name), unrolled(name)
    tensors = [tensor for layer in model.spec.weights for tensor in layer]
    G = {tensor: model.terms_by_step(tensor).sum(axis=0) for tensor in tensors}
    for k in range(model.spec.steps):
        whole = norm([norm(each[k]) for each in G.values()])
        np.testing.assert_allclose(found["weight_grad_norm"][0, k + 1], whole, **CLOSE)


def by_lag(model: Unrolled, tensors: list[str], keep: Any = lambda t, k: True) -> list[Any]:
    """A_tau, all tensors in a row; keep says which (t, k) count. Weights of an encoder and those of
    a decoder are different ones, so steps of the two do not add up."""
    spec = model.spec
    sets = int(spec.sets.max()) + 1
    found = []
    each = {tensor: model.terms_by_step(tensor) for tensor in tensors}
    for lag in range(spec.steps):
        rows = []
        for G in each.values():
            total = np.zeros((sets, *G.shape[2:]))
            for row, t in enumerate(spec.loss_steps):
                k = t - lag
                if k >= 1 and keep(t, k):
                    total[spec.sets[k - 1]] += G[row, k - 1]
            rows.append(total.ravel())
        found.append(np.concatenate(rows))
    return found[: max(spec.loss_steps)]


TRUNCATED = {
    "sliding, one term": ({"steps": 3}, {"cell": "gru"}),
    "sliding, term in the middle": ({"steps": 2}, {"cell": "rnn", "loss": {"at": [4]}}),
    "sliding, all terms": ({"steps": 2}, {"cell": "lstm", "loss": {"at": "all"}}),
    "sliding, cross entropy": ({"steps": 3}, {"cell": "rnn", "loss": CE}),
    "sliding, layers": ({"steps": 2}, {"cell": "rnn", "layers": 2, "loss": {"at": [3, 6]}}),
    "sliding, phases": (
        {"steps": 4},
        {"cell": "rnn", "loss": CE, "encoder_decoder": {"encoder": 3, "decoder": 3}},
    ),
    "chunked, one term": ({"steps": 4, "mode": "chunked"}, {"cell": "lstm"}),
    "chunked, all terms": ({"steps": 4, "mode": "chunked"}, {"cell": "gru", "loss": CE}),
    "chunked, layers": ({"steps": 2, "mode": "chunked"}, {"cell": "lstm", "layers": 2, "loss": CE}),
}


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_bptt_is_the_sum_over_what_it_keeps(name: str) -> None:
    truncate, network = TRUNCATED[name]
    settings = {**SIZES, **network, "truncate": truncate}
    found, model = gradlab.run(settings), Unrolled(settings)
    n, chunked = truncate["steps"], truncate.get("mode") == "chunked"

    def keep(t: int, k: int) -> bool:
        return (t - 1) // n == (k - 1) // n if chunked else t - k < n

    tensors = [tensor for layer in model.spec.weights for tensor in layer]
    whole, kept = sum(by_lag(model, tensors)), sum(by_lag(model, tensors, keep))
    lost = norm(whole - kept) / norm(whole)
    assert found["truncation_lost"][0] == pytest.approx(lost, rel=1e-10)
    cosine = (whole * kept).sum() / (norm(whole) * norm(kept))
    assert found["truncation_cosine"][0] == pytest.approx(cosine, rel=1e-12)
    logs = dict(zip(found.names["tensors"], found["log10_parameter_grad_norm"][0], strict=True))
    phases = ("encoder.", "decoder.") if model.spec.topology.phases else ("",)
    recurrent = norm([10 ** logs[phase + tensor] for phase in phases for tensor in tensors])
    assert recurrent == pytest.approx(norm(kept), rel=1e-12)
    if not chunked and "lag_remainder" in found.arrays:
        assert found["lag_remainder"][0, n - 1] == pytest.approx(lost, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("mode", ["sliding", "chunked"])
@pytest.mark.parametrize("at", ["last", "all"])
def test_truncation_beyond_the_length_is_none(mode: str, at: str) -> None:
    settings = {**SIZES, "cell": "lstm", "loss": {"at": at}}
    whole = gradlab.run(settings)
    found = gradlab.run({**settings, "truncate": {"steps": 6, "mode": mode}})
    for name, array in whole.arrays.items():
        # sliding adds the terms of the loss in another order
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-15, err_msg=name)
    assert found["truncation_lost"][0] < 1e-12
    assert found.summary["truncation"]["cosine"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 2},
        {"tied": False},
        {"residual": True, "block": 2},
        {"bidirectional": True},
        {"bidirectional": True, "layers": 3, "residual": True, "loss": {"at": [20]}},
        {"bidirectional": True, "layers": 2, "cell": "lstm", "loss": {"type": "mse", "at": "all"}},
        {"encoder_decoder": {"encoder": 20, "decoder": 30}},
        {"truncate": 7, "loss": {"at": "all"}},
        {"loss": {**NEXT}, "inputs": "onehot"},
    ],
    ids=str,
)
def test_checkpoints_change_no_bit(change: dict[str, Any]) -> None:
    settings = {**SIZES, "cell": "rnn", "seq_len": 50, **change}
    whole = gradlab.run({**settings, "checkpoint": "none"})
    marked = gradlab.run({**settings, "checkpoint": 16})
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(marked[name], array, err_msg=name)
