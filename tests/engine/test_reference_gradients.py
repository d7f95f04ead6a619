"""The gradients of PyTorch's autograd, from files: every cell, two losses.

Claims: states, norms of dL/dh_t and dL/dc_t (h held fixed, and with its path through h_t),
dL/ds_0, the gradients of all parameters, and the norm of the share of every step in dL/dW_hh are
those of PyTorch. The loss at every step is a cross-entropy, so what enters at each step differs
from step to step.

Tolerance 1e-12: PyTorch orders its sums differently, over seven steps of size one; both sides are
then some tens of eps apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradlab.engine.recording import Gradients
from tests.cells.derivatives import VARIANTS
from tests.cells.reference_gradients import AUTOGRAD, TENSORS, columns, load
from tests.engine.ensembles import Array, Ensemble, Given, value

LOSSES = ("sum_last_h", "cross_entropy")


def cross_entropy_gradients(data: dict[str, Any]) -> dict[int, Array]:
    """dL_t/dh_t of L = mean over steps and batch of the cross-entropy at h_t @ V.T + b."""
    V, b = np.array(data["readout"]["V"]), np.array(data["readout"]["b"])
    T, B = data["T"], data["B"]
    found = {}
    for t in range(1, T + 1):
        h = np.array(data["cross_entropy"]["h"][t - 1])
        logits = h @ V.T + b
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax = e / e.sum(axis=1, keepdims=True)
        softmax[np.arange(B), data["targets"][t - 1]] -= 1
        found[t] = columns(softmax @ V / (B * T))[None]
    return found


def tensors_in(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Our names and the file's of the tensors that the file has; all of its tensors have one."""
    pairs = [(ours, theirs) for ours, theirs in TENSORS.items() if theirs in data["params"]]
    assert {theirs for _, theirs in pairs} == set(data["params"])
    return pairs


def ensemble_of(variant: str, loss: str) -> tuple[Ensemble, dict[str, Any], dict[str, Any]]:
    data = load(AUTOGRAD[variant])
    cell, options = VARIANTS[variant]
    T, H, B = data["T"], data["H"], data["B"]
    ensemble = Ensemble(
        cell,
        options,
        {ours: np.array(data["params"][theirs])[None] for ours, theirs in tensors_in(data)},
        columns(data["x"])[:, None],
        np.concatenate([columns(part) for part in data["state0"]])[None],
        np.ones((1, H, B)),
        (T,),
        loss=Given(cross_entropy_gradients(data)) if loss == "cross_entropy" else None,
    )
    return ensemble, data, data[loss]


def norms(rows: Any) -> Array:
    a = np.asarray(rows)
    return np.sqrt((a**2).sum(axis=(-1, -2)))


def close(a: Array, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=1e-12, atol=0))


def within(a: Array, b: Any) -> bool:
    """Entries against the largest entry: single ones may be nearly zero by cancellation."""
    b = np.asarray(b)
    return float(np.abs(a - b).max()) < 1e-12 * float(np.abs(b).max())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", AUTOGRAD)
def test_states(variant: str, loss: str) -> None:
    ensemble, _, expected = ensemble_of(variant, loss)
    states = ensemble.forward().last.states[1:, 0]
    for name, part in zip(
        ensemble.cell.STATE, np.split(states, len(ensemble.cell.STATE), axis=1), strict=True
    ):
        assert within(part, columns(expected[name]))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", AUTOGRAD)
def test_norms_of_the_state_gradients(variant: str, loss: str) -> None:
    ensemble, _, expected = ensemble_of(variant, loss)
    found: Gradients = ensemble.gradients()
    files = {"h": "grad_h", "c": "grad_c_state", "c_total": "grad_c_total"}
    assert set(found.norms) == {ours for ours, theirs in files.items() if theirs in expected}
    for name, scaled in found.norms.items():
        assert close(value(scaled)[1:, 0], norms(expected[files[name]]))
        start = expected["grad_h0" if name == "h" else "grad_c0"]  # s_0 is given: no path
        assert close(value(scaled)[0, 0], norms(start))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", AUTOGRAD)
def test_every_entry_of_the_state_gradients(variant: str, loss: str) -> None:
    ensemble, data, expected = ensemble_of(variant, loss)
    deltas = value(ensemble.deltas())[:, 0]
    H = data["H"]
    assert within(deltas[1:, :H], columns(expected["grad_h"]))
    assert within(deltas[0, :H], columns(expected["grad_h0"]))
    if "c" in ensemble.cell.STATE:
        assert within(deltas[1:, H:], columns(expected["grad_c_state"]))
        assert within(deltas[0, H:], columns(expected["grad_c0"]))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", AUTOGRAD)
def test_gradients_of_the_parameters(variant: str, loss: str) -> None:
    ensemble, data, expected = ensemble_of(variant, loss)
    found = ensemble.gradients().parameters
    assert set(found) == {ours for ours, _ in tensors_in(data)}
    for ours, theirs in tensors_in(data):
        assert within(value(found[ours])[0], expected["grad"][theirs])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", [name for name in AUTOGRAD if VARIANTS[name][0].GATES])
def test_share_of_every_step_in_the_weight_gradient(variant: str, loss: str) -> None:
    ensemble, _, expected = ensemble_of(variant, loss)
    found = ensemble.gradients().weight_norm
    assert close(value(found)[1:, 0], expected["contrib_norm"]["W_hh"])
    assert close(value(found)[1:, 0], norms(expected["contrib_W_hh"]))
    assert np.isnan(found.mantissa[0]).all()  # no step leads to s_0
