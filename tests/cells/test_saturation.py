"""Gradients of saturated cells, against closed forms in 60-digit arithmetic.

Claims: with pre-activations of 25, 100 and 300, of either sign, the Jacobian of an RNN and every
derivative of an LSTM and a GRU through its gates have a relative error below 1e-12. A program
that takes derivatives from rounded outputs finds exactly 0 at all of these. Where the
pre-activation comes from W h it is exact here (powers of two), so that nothing but the derivative
is judged.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

from gradlab.cells import CELLS
from tests.cells.derivatives import VARIANTS, Array

LEVELS = [25.0, -25.0, 100.0, -100.0, 300.0, -300.0]
each_level = pytest.mark.parametrize("a", LEVELS)


def sigmoid(a: Decimal) -> Decimal:
    return 1 / (1 + (-a).exp())


def sigmoid_slope(a: Decimal) -> Decimal:
    return sigmoid(a) * sigmoid(-a)


def tanh(a: Decimal) -> Decimal:
    return (a.exp() - (-a).exp()) / (a.exp() + (-a).exp())


def tanh_slope(a: Decimal) -> Decimal:
    return 4 / (a.exp() + (-a).exp()) ** 2


def one_unit(variant: str, pre: list[float], state: list[float]) -> tuple[Array, Array, Array]:
    """H = I = B = 1, weights 1 on h and x, biases so that the pre-activations are `pre`.

    Returns J (D, D), J^T (1, 0..) and J^T (.., 0, 1) as `vjp` gives them, and dL/d(bias_ih) of h_t.
    """
    cell, options = VARIANTS[variant]
    G, D = len(cell.GATES), len(cell.STATE)
    h = state[0]
    tensors = {
        "weight_hh": np.ones((1, G, 1)),
        "weight_ih": np.zeros((1, G, 1)),
        "bias_ih": np.array(pre)[None] - h,
        "bias_hh": np.zeros((1, G)),
    }
    p = cell.init(tensors, options)
    s_prev = np.array(state)[None, :, None]
    s, act = cell.step(p, s_prev, cell.drive(p, np.zeros((1, 1, 1))))
    local = cell.linearize(p, s_prev, act, s)
    pulled = [cell.vjp(p, local, np.eye(D)[k][None, :, None])[0][0, :, 0] for k in range(D)]
    toward_h = np.eye(D)[0][None, :, None]
    cotangents = cell.vjp(p, local, toward_h)[1]
    shares = {
        share.tensor: share for share in cell.shares(cotangents, act, s_prev, np.ones((1, 1, 1)))
    }
    return cell.jacobian(p, local)[0, 0], np.array(pulled), shares["bias_ih"].left[0, :, 0]


def close(found: Any, exact: Decimal) -> bool:
    """Relative 1e-12; 0 is not close to anything else."""
    return abs(Decimal(float(found)) / exact - 1) < Decimal("1e-12")


@pytest.fixture(autouse=True)
def sixty_digits() -> Any:
    with localcontext() as context:
        context.prec = 60
        yield


@each_level
@pytest.mark.parametrize("variant", ["rnn-tanh", "rnn-sigmoid"])
def test_rnn(variant: str, a: float) -> None:
    slope = {"rnn-tanh": tanh_slope, "rnn-sigmoid": sigmoid_slope}[variant](Decimal(a))
    J, pulled, bias = one_unit(variant, [a], [0.5])
    assert close(J[0, 0], slope) and close(pulled[0, 0], slope) and close(bias[0], slope)


@each_level
@pytest.mark.parametrize("gate", range(4), ids=["i", "f", "g", "o"])
def test_lstm_gate_by_gate(gate: int, a: float) -> None:
    pre = [0.5, 0.25, -0.75, 0.125]
    pre[gate] = a
    h, c = 0.5, 0.375
    J, pulled, bias = one_unit("lstm", pre, [h, c])
    d_i, d_f, d_g, d_o = (Decimal(v) for v in pre)
    c_prev = Decimal(c)
    c_t = sigmoid(d_f) * c_prev + sigmoid(d_i) * tanh(d_g)
    k = sigmoid(d_o) * tanh_slope(c_t)
    by_gate = [
        k * tanh(d_g) * sigmoid_slope(d_i),
        k * c_prev * sigmoid_slope(d_f),
        k * sigmoid(d_i) * tanh_slope(d_g),
        tanh(c_t) * sigmoid_slope(d_o),
    ]
    for found, exact in zip(bias, by_gate, strict=True):
        assert close(found, exact)
    # all weights are 1, so dh/dh is the sum over the gates, and dc/dh that of the first three over
    # k
    dc_dh = sum(by_gate[:3], Decimal(0)) / k
    exact = [[sum(by_gate, Decimal(0)), k * sigmoid(d_f)], [dc_dh, sigmoid(d_f)]]
    for i in range(2):
        for j in range(2):
            assert close(J[i, j], exact[i][j])
            assert close(pulled[i, j], exact[i][j])


@each_level
def test_lstm_with_a_large_cell_state(a: float) -> None:
    # tanh(c_t) saturated: the way from c to h is 4 e^-2|c|, not 0; f is held at sigmoid(0) = 1/2
    J, _, _ = one_unit("lstm", [0.0, 0.0, 0.0, 0.0], [0.0, 2 * a])
    assert close(J[0, 1], tanh_slope(Decimal(a)) / 4)  # o = 1/2, f = 1/2
    assert close(J[1, 1], Decimal("0.5"))


@each_level
@pytest.mark.parametrize("gate", range(3), ids=["r", "z", "n"])
def test_gru_gate_by_gate(gate: int, a: float) -> None:
    # weights 1, bias_hh 0: m = h; n's pre-activation is b_n + r m, so r = 1/2 where n is set (a_r =
    # 0)
    pre, h = [0.5, 0.25, -0.75], 0.5
    pre[gate] = a
    J, pulled, bias = one_unit("gru", pre, [h])
    # what one_unit sets is a_r, a_z exactly, and u_n = pre_n - h
    d_r, d_z = Decimal(pre[0]), Decimal(pre[1])
    m = Decimal(h)
    a_n = Decimal(pre[2]) - Decimal(h) + sigmoid(d_r) * m
    by_n = sigmoid(-d_z) * tanh_slope(a_n)
    by_z = (m - tanh(a_n)) * sigmoid_slope(d_z)
    by_r = by_n * m * sigmoid_slope(d_r)
    for found, exact in zip(bias, (by_r, by_z, by_n), strict=True):
        assert close(found, exact)
    total = sigmoid(d_z) + by_z + by_n * sigmoid(d_r) + by_r
    assert close(J[0, 0], total) and close(pulled[0, 0], total)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_saturated_cell_is_never_exactly_zero(name: str) -> None:
    """Every unit of every gate at 100: no entry of the gradient of a bias is 0."""
    cell = CELLS[name]
    G, D = len(cell.GATES), len(cell.STATE)
    _, _, bias = one_unit(
        {"rnn": "rnn-tanh"}.get(name, name), [100.0] * G, [0.5] + [0.25] * (D - 1)
    )
    assert (bias != 0).all()
