"""The exponent that delta carries changes no digit, and holds where floats end.

Claims:
- Where a plain backward loop stays in range, every delta has its bits, though the exponent moved.
- Growth by 2^100 and 2^700 a step, more than a block can hold unscaled, and the same decay, are
  right.
- A loss at every step, with delta far above or below 1, is added as in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log10

import numpy as np
import pytest

from gradlab.engine import forward
from gradlab.nonlinearity import sigmoid, sigmoid_slope, tanh_slope
from tests.engine.ensembles import Array, Ensemble, canonical, drawn, linear, value

T = 60


def plain_tanh(e: Ensemble) -> Array:
    """delta_0 .. delta_T (D, B), by the textbook's loop, derivatives at the pre-activation."""
    W, U = e.tensors["weight_hh"][0], e.tensors["weight_ih"][0]
    b = (e.tensors["bias_ih"][0] + e.tensors["bias_hh"][0])[:, None]
    h, a = e.s0[0], []
    for t in range(T):
        a.append(W @ h + (U @ e.x[t, 0] + b))
        h = np.tanh(a[-1])
    delta = e.dh[0] if T in e.loss_at else np.zeros_like(e.dh[0])
    found = [delta]
    for t in range(T - 1, -1, -1):
        delta = W.T @ (delta * tanh_slope(a[t]))
        if t in e.loss_at:
            delta = delta + e.dh[0]
        found.append(delta)
    return np.stack(found[::-1])


def plain_lstm(e: Ensemble) -> Array:
    W, U = e.tensors["weight_hh"][0], e.tensors["weight_ih"][0]
    b = (e.tensors["bias_ih"][0] + e.tensors["bias_hh"][0])[:, None]
    H = W.shape[1]
    h, c, kept = e.s0[0, :H], e.s0[0, H:], []
    for t in range(T):
        a_i, a_f, a_g, a_o = (W @ h + (U @ e.x[t, 0] + b)).reshape(4, H, -1)
        c_prev = c
        c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
        h = sigmoid(a_o) * np.tanh(c)
        kept.append((a_i, a_f, a_g, a_o, c_prev, c))
    d_h, d_c = e.dh[0], np.zeros_like(e.dh[0])
    found = [np.concatenate((d_h, d_c))]
    for t in range(T - 1, -1, -1):
        a_i, a_f, a_g, a_o, c_prev, c = kept[t]
        d_c = d_c + d_h * (sigmoid(a_o) * tanh_slope(c))
        d_a = (
            d_c * (np.tanh(a_g) * sigmoid_slope(a_i)),
            d_c * (c_prev * sigmoid_slope(a_f)),
            d_c * (sigmoid(a_i) * tanh_slope(a_g)),
            d_h * (np.tanh(c) * sigmoid_slope(a_o)),
        )
        d_h, d_c = W.T @ np.concatenate(d_a), d_c * sigmoid(a_f)
        if t in e.loss_at:
            d_h = d_h + e.dh[0]
        found.append(np.concatenate((d_h, d_c)))
    return np.stack(found[::-1])


PLAIN: dict[str, Callable[[Ensemble], Array]] = {"rnn-tanh": plain_tanh, "lstm": plain_lstm}


@pytest.mark.parametrize("loss_at", [(T,), tuple(range(1, T + 1))], ids=["last", "all"])
@pytest.mark.parametrize("g", [1e-4, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("variant", PLAIN)
def test_the_bits_of_a_plain_loop(
    variant: str, g: float, loss_at: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # of the cells as they are defined; a kernel's slopes are the same to their last digits only
    monkeypatch.setattr(forward, "kernel_of", lambda cell: None)
    # The plain loop does the same products in the same shapes, so equality can be asked for. An
    # optimised BLAS may only be asked for it where operands lie in memory in the same order, which
    # they do here.
    ensemble = drawn(variant, [4], H=7, B=3, T=T, g=g, loss_at=loss_at)
    if variant == "lstm" and g < 1:  # a closed forget gate: the cell state decays, too
        bias = ensemble.tensors["bias_ih"].copy()
        bias[:, 7:14] -= 9
        ensemble = replace(ensemble, tensors=ensemble.tensors | {"bias_ih": bias})
    judge = PLAIN[variant](ensemble)
    deltas = ensemble.deltas()
    assert np.array_equal(value(deltas)[:, 0], judge)
    norms = ensemble.gradients().norms["h"]
    size = np.abs(judge[:, :7]).max(axis=(1, 2))  # taken out: squares of 1e-240 are not floats
    size[size == 0] = 1
    expected = np.sqrt(((judge[:, :7] / size[:, None, None]) ** 2).sum(axis=(1, 2))) * size
    # 21 squares summed in another order, and the division: some eps
    assert np.allclose(value(norms)[:, 0], expected, rtol=1e-14, atol=0)


def test_the_exponent_did_move() -> None:
    """The test above would say nothing of rescaling if there were none."""
    ensemble = drawn("rnn-tanh", [4], H=7, B=3, T=T, g=1e-4)
    exponents = ensemble.deltas().exponent
    assert len(np.unique(exponents)) > 1
    assert value(ensemble.gradients().norms["h"])[0, 0] > 1e-300  # and the plain run is in range


@pytest.mark.parametrize("power", [100, 700, -100, -700, 1000, -1000])
@pytest.mark.parametrize("H", [1, 6])
def test_growth_that_no_block_could_hold(power: int, H: int) -> None:
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((H, H)))[0]
    dh = np.random.default_rng(2).standard_normal((1, H, 2))
    steps = 40
    found = linear((2.0**power * Q)[None], dh, steps).gradients().norms["h"]
    judge = linear(Q[None], dh, steps).gradients().norms["h"]  # the same without the power
    lags = steps - np.arange(steps + 1)
    # powers of two are exact: the same digits, and exponents that differ by power * lag
    expected = canonical(judge)
    expected[1] += power * lags[:, None]
    assert np.array_equal(canonical(found), expected)
    exact = log10(np.linalg.norm(dh)) + lags * power * log10(2)
    assert np.allclose(found.log10()[:, 0], exact, rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("power", [3, -3, 100, -100])
def test_a_loss_at_every_step(power: int) -> None:
    # scalar: delta_t = 1 + w + ... + w^(T-t), exactly (w^(T-t+1) - 1) / (w - 1)
    steps = 40
    w = 2.0**power
    ensemble = linear(np.full((1, 1, 1), w), np.ones((1, 1, 1)), steps, loss_at=range(1, steps + 1))
    found = ensemble.gradients().norms["h"].log10()[1:, 0]
    for t in range(1, steps + 1):
        whole = sum(2 ** (abs(power) * k) for k in range(steps - t + 1))
        # in whole numbers; for w < 1 the same sum, read from the other end
        exact = log10(whole) - (abs(power) * (steps - t) * log10(2) if power < 0 else 0)
        # 40 roundings, and eps of the logarithm, which is at most 1200
        assert abs(found[t - 1] - exact) < 1e-12


def test_a_late_loss_revives_a_vanished_gradient() -> None:
    # from T = 400 down, 2^-100 a step; at t = 10 the loss looks again: what is left of the first
    # look (2^-39000) is far below the last digit
    steps, W = 400, np.full((1, 1, 1), 2.0**-100)
    ensemble = linear(W, np.ones((1, 1, 1)), steps, loss_at=(10, steps))
    log2 = ensemble.gradients().norms["h"].log10()[:, 0] / log10(2)
    expected = [-100.0 * (10 - t) if t <= 10 else -100.0 * (steps - t) for t in range(steps + 1)]
    assert np.allclose(log2, expected, rtol=1e-14, atol=1e-12)
