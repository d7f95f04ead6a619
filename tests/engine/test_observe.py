"""Paths of the cell state and the distribution of a factor, along a whole run.

Claims:
- the recorded path norms are those of the explicit matrices of every step, with the outlet of the
  step before, also across the engine's blocks, with thinned rows and with checkpoints;
- at t = 1 only the direct path is there: h_0 is given;
- with zero weights the direct path is sigma(b) at every step, its product over T steps what is left
  of the gradient of c: sigma(b)^T, and no other path carries anything;
- the histogram counts every factor once: those of the Jacobian's diagonal.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.cells.affine import blocks
from gradlab.engine.collect import backpropagate
from gradlab.engine.recording import Wanted
from tests.engine.ensembles import drawn

T = 40  # more than two blocks
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
