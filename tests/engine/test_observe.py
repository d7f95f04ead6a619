"""Paths of the cell state, how a factor and the gates are distributed, along a whole run.

Claims:
- the recorded path norms are those of the explicit matrices of every step, with the outlet of the
  step before, also across the engine's blocks, with thinned rows and with checkpoints;
- at t = 1 only the direct path is there: h_0 is given;
- with zero weights the direct path is sigma(b) at every step, its product over T steps what is left
  of the gradient of c: sigma(b)^T, and no other path carries anything;
- the histogram counts every factor once: those of the Jacobian's diagonal;
- that of the gates counts every value of every gate once, in the bin that numpy finds, whatever the
  network; what is saturated in floating point lies in the outermost bin.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.cells.affine import blocks
from gradlab.config import from_mapping
from gradlab.engine.collect import backpropagate
from gradlab.engine.recording import Wanted
from gradlab.plan import settle
from tests.engine.ensembles import drawn

T = 40  # more than two blocks
SHORT = {"seq_len": 7, "seeds": 2}
ROWS = [1, 2, 16, 17, 18, 33, T]


@pytest.mark.parametrize("variant", ["lstm", "lstm_coupled"])
@pytest.mark.parametrize("every", [None, 16])
def test_path_norms_are_those_of_the_matrices(variant: str, every: int | None) -> None:
    ensemble = drawn(variant, [0, 1], T=T)
    cell, p = ensemble.cell, ensemble.cell.init(ensemble.tensors, ensemble.options)
    whole = ensemble.forward().last
    local = cell.linearize(p, whole.states[:-1], whole.activations, whole.states[1:])
    J = cell.jacobian(p, local)  # (T, R, B, D, D)
    H = J.shape[-1] // 2
    A, B_t = J[..., H:, :H], J[..., H:, H:]  # dc_t/dh_{t-1}, dc_t/dc_{t-1} at fixed h_{t-1}
    gradients = backpropagate(
        replace(ensemble, every=every).forward(),
        ensemble.injection,
        {name: tensor.shape[1:] for name, tensor in ensemble.tensors.items()},
        Wanted(np.array([0, *ROWS])),
    )
    found = gradients.path_norms
    assert found is not None
    for row, t in enumerate(ROWS, 1):
        assert found[row, :, 0] == pytest.approx(rms(B_t[t - 1], H), rel=1e-13)
        if t == 1:
            assert (found[row, :, 1:] == 0).all()
            continue
        k_prev = local.k[t - 2]
        slopes = {"input": "c_i", "forget": "c_f", "candidate": "c_g"}
        for column, path in enumerate(cell.PATHS[1:], 1):  # type: ignore[attr-defined]
            if not hasattr(local, slopes[path]):
                continue
            gate = {"input": "i", "forget": "f", "candidate": "g"}[path]
            W = blocks(p.W, len(cell.GATES))[cell.GATES.index(gate)]
            left = getattr(local, slopes[path])[t - 1].swapaxes(-1, -2)
            term = left[..., None] * W[:, None] * k_prev.swapaxes(-1, -2)[..., None, :]
            assert found[row, :, column] == pytest.approx(rms(term, H), rel=1e-13)
        # all of them together are dc_t/dh_{t-1} dh_{t-1}/dc_{t-1}, a sum of as many terms
        total = rms(A[t - 1] * k_prev.swapaxes(-1, -2)[..., None, :], H)
        assert (total <= found[row, :, 1:].sum(axis=-1) * (1 + 1e-12)).all()


def rms(terms: Any, H: int) -> Any:
    """Frobenius norm over sqrt(H), root mean square over the sequences: (R,) of (R, B, H, H)."""
    return np.sqrt((terms**2).sum(axis=(-1, -2)).mean(axis=-1) / H)


@pytest.mark.parametrize("every", ["none", 16])
def test_blocks_and_checkpoints_do_not_show(every: object) -> None:
    config = {"cell": "lstm", "hidden_size": 5, "batch_size": 3, "seq_len": T, "seeds": 2}
    whole = gradlab.run({**config, "checkpoint": "none"})
    other = gradlab.run({**config, "checkpoint": every, "record_every": 3})
    kept = other["t"]
    np.testing.assert_array_equal(other["log10_path_norm"], whole["log10_path_norm"][:, kept])


@pytest.mark.parametrize("b", [0, 1, 2, 3, 5])
def test_zero_weights_leave_sigma_to_the_power_of_t(b: float) -> None:
    config = {"cell": "lstm", "init": {"recurrent": "zeros", "forget_bias": b}, "seq_len": 20}
    record = gradlab.run({**config, "inputs": "zeros", "hidden_size": 3, "seeds": 1})
    assert record.names["paths"] == ["direct", "forget", "input", "candidate"]
    norms = 10.0 ** record["log10_path_norm"][0, 1:]
    sigma = 1 / (1 + math.exp(-b))
    assert norms[:, 0] == pytest.approx(np.full(20, sigma), rel=1e-14)
    assert (norms[:, 1:] == 0).all()
    assert norms[:, 0].prod() == pytest.approx(sigma**20, rel=1e-12)


def test_the_histogram_counts_every_factor_once() -> None:
    sizes = {"hidden_size": 6, "input_size": 6, "batch_size": 3, "seq_len": T, "seeds": 3}
    record = gradlab.run({"cell": "lstm_simple", **sizes, "spectrum": {"values": "all"}})
    counts = record["factor_histogram"]
    assert counts.sum(axis=1).tolist() == [6 * 3 * T] * 3
    # the Jacobian is diagonal, so its singular values are the factors of one sequence
    all_of_them = gradlab.run(
        {"cell": "lstm_simple", **sizes, "spectrum": {"values": "all", "sequences": 3}}
    )["step_singular_values"][:, 1:]
    for r in range(3):
        judge = np.histogram(all_of_them[r], bins=50, range=(0, 1))[0]
        assert counts[r].tolist() == judge.tolist()


@pytest.mark.parametrize(
    "variant", ["lstm", "gru", "rnn-tanh", "rnn-relu", "linear", "lstm_simple", "accumulator"]
)
def test_the_gates_are_counted_as_their_values_are(variant: str) -> None:
    ensemble = drawn(variant, [0, 1, 2], T=T)
    cell, p = ensemble.cell, ensemble.cell.init(ensemble.tensors, ensemble.options)
    whole = ensemble.forward().last
    local = cell.linearize(p, whole.states[:-1], whole.activations, whole.states[1:])
    gradients = backpropagate(
        ensemble.forward(),
        ensemble.injection,
        {name: tensor.shape[1:] for name, tensor in ensemble.tensors.items()},
        Wanted(np.array([0, T]), gates=True),
    )
    counts = gradients.gate_histogram
    assert counts is not None
    for k, reading in enumerate(cell.readings(local).values()):
        values = np.broadcast_to(reading.value, reading.slope.shape)
        for r in range(3):
            own = values[:, r].ravel()
            assert counts[r, k, 1:-1].tolist() == np.histogram(own, 100, (-1, 1))[0].tolist()
            assert counts[r, k, 0] == (own < -1).sum()
            assert counts[r, k, -1] == (own > 1).sum()


@pytest.mark.parametrize(("bias", "place"), [(100.0, 100), (-100.0, 1)])
def test_a_saturated_unit_lies_in_the_outermost_bin_and_not_beyond(bias: float, place: int) -> None:
    # tanh(+-100) is +-1 in floating point
    init = {"recurrent": "zeros", "input": "zeros", "bias": bias, "biases": 1}
    record = gradlab.run({"cell": "rnn", "init": init, "hidden_size": 3, "batch_size": 2, **SHORT})
    counts = record["gate_histogram"]
    assert counts.shape == (2, 1, 102)
    assert (counts[:, 0, place] == 3 * 2 * 7).all()
    assert counts.sum() == 2 * 3 * 2 * 7


@pytest.mark.parametrize("b", [-3.0, 0.3, 4.0])
def test_gates_without_weights_are_sigma_of_their_bias(b: float) -> None:
    init = {"recurrent": "zeros", "input": "zeros", "forget_bias": b}
    record = gradlab.run({"cell": "lstm", "init": init, "hidden_size": 3, "batch_size": 2, **SHORT})
    assert record.names["gates"] == ["i", "f", "g", "o"]
    for gate, value in enumerate([0.5, 1 / (1 + math.exp(-b)), 0.0, 0.5]):
        # 0.5 is a border of two bins: it may be counted below it
        near = {51 + math.floor(50 * value), 51 + math.floor(50 * value - 1e-9)}
        counts = record["gate_histogram"][0, gate]
        assert set(np.flatnonzero(counts).tolist()) <= near
        assert counts.sum() == 3 * 2 * 7


def test_gates_are_counted_whatever_the_network_and_the_checkpoints() -> None:
    sizes = {"hidden_size": 4, "batch_size": 3, "seq_len": T, "seeds": 2}
    plain = gradlab.run({"cell": "gru", **sizes})["gate_histogram"]
    again = gradlab.run({"cell": "gru", **sizes, "checkpoint": 16, "record_every": 7})
    np.testing.assert_array_equal(again["gate_histogram"], plain)
    for keys in (
        {"layers": 2},
        {"layers": 2, "bidirectional": True},
        {"truncate": 5, "loss": {"at": "all"}},
        {"bidirectional": True},
    ):
        record = gradlab.run({"cell": "gru", **sizes, **keys})
        for prefix in ("", "backward_")[: 1 + record.config["bidirectional"]]:
            counts = record[f"{prefix}gate_histogram"]
            assert counts.shape == (2, len(record.names["gates"]), 102)
            assert (counts.sum(axis=2) == 4 * 3 * T).all()


def test_gates_are_counted_where_that_is_asked_for() -> None:
    small = {"cell": "rnn", "hidden_size": 2, "batch_size": 1, **SHORT}
    assert "gate_histogram" in gradlab.run(small).arrays
    assert "gate_histogram" not in gradlab.run({**small, "gate_histogram": False}).arrays
    long = {"cell": "rnn", "seq_len": 10**6, "inputs": "zeros"}
    assert settle(from_mapping(long).config)[0].gate_histogram is False
    assert settle(from_mapping(long | {"gate_histogram": True}).config)[0].gate_histogram is True
    assert settle(from_mapping(small).config, alone=False)[0].gate_histogram is False
