"""Whole backpropagation through time against the complex step of the unrolled forward pass.

Claims:
- delta_t is dL/ds_t for every t, every part of the state, with the loss at the last step, at every
  step, and at chosen steps.
- So are the gradients of all parameters, along a random direction.
- The recorded norms are the norms of these delta_t.
- Blocks and checkpoints, a T that is no multiple of the block among them, change nothing of this.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.cells.derivatives import TINY, VARIANTS
from tests.engine.ensembles import Array, Ensemble, drawn, value

T = 21  # one block of 16 and five steps
LOSSES = {"last": (T,), "all": tuple(range(1, T + 1)), "some": (3, 16, 17, 20)}


def loss_from(ensemble: Ensemble, t: int, s: Array, tensors: dict[str, Array]) -> Array:
    """Sum over the loss steps from t on of <dh, h>, for states s (..., D, B) put in at t."""
    cell, dh = ensemble.cell, ensemble.dh[0]
    p = cell.init(tensors, ensemble.options)
    H = dh.shape[0]
    total = np.zeros(s.shape[:-2], s.dtype)
    for step in range(t, T + 1):
        if step > t:
            s = cell.step(p, s, cell.drive(p, ensemble.x[step - 1]))[0]
        if step in ensemble.loss_at:
            total = total + (dh * s[..., :H, :]).sum(axis=(-1, -2))
    return total


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_delta_is_the_derivative_of_the_unrolled_loss(variant: str, loss: str) -> None:
    ensemble = drawn(variant, [5], H=4, B=2, I=3, T=T, loss_at=LOSSES[loss])
    states = ensemble.forward().last.states[:, 0]  # (T + 1, D, B)
    D, B = states.shape[1:]
    directions = np.eye(D * B).reshape(D * B, D, B)
    judge = np.stack(
        [
            loss_from(ensemble, t, states[t] + 1j * TINY * directions, ensemble.tensors).imag / TINY
            for t in range(T + 1)
        ]
    ).reshape(T + 1, D, B)
    deltas = value(ensemble.deltas())[:, 0]
    scale = np.abs(judge).max(axis=(1, 2))
    error = np.abs(deltas - judge).max(axis=(1, 2))
    # up to 21 steps, each right to some eps times the norm of its Jacobian (below 10)
    assert (error <= 1e-12 * scale).all()
    assert (scale[LOSSES[loss][-1] + 1 :] == 0).all()  # after the last look of the loss

    found = ensemble.gradients()
    parts = np.split(judge, len(ensemble.cell.STATE), axis=1)
    for name, part in zip(ensemble.cell.STATE, parts, strict=True):
        norms = np.sqrt((part**2).sum(axis=(1, 2)))
        assert np.allclose(value(found.norms[name])[:, 0], norms, rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_along_a_random_direction(variant: str, loss: str) -> None:
    ensemble = drawn(variant, [6], H=4, B=2, I=3, T=T, loss_at=LOSSES[loss])
    random = np.random.default_rng(0)
    toward = {k: random.standard_normal(a.shape) for k, a in ensemble.tensors.items()}
    moved = {k: a + 1j * TINY * toward[k] for k, a in ensemble.tensors.items()}
    judge = loss_from(ensemble, 0, ensemble.s0[0].astype(complex), moved).imag / TINY
    found = ensemble.gradients().parameters
    terms = np.concatenate([(value(found[k]) * toward[k]).ravel() for k in toward])
    # relative to the sum of the sizes of the terms; as for delta
    assert abs(terms.sum() - judge.item()) < 1e-12 * np.abs(terms).sum()


def test_the_judge_tells_where_the_loss_looks() -> None:
    """Without the loss at t = 1, delta_0 and delta_1 change, and no other."""
    ensemble = drawn("rnn-tanh", [5], H=4, B=2, I=3, T=T, loss_at=LOSSES["all"])
    other = replace(ensemble, loss_at=LOSSES["all"][1:])
    difference = np.abs(value(ensemble.deltas()) - value(other.deltas())).max(axis=(1, 2, 3))
    assert (difference[2:] == 0).all() and (difference[:2] > 1e-3).all()
