"""Gradients of saturated cells, against closed forms in 60-digit arithmetic.

Claims: with pre-activations of 25, 100 and 300, of either sign, the Jacobian of an RNN and every
derivative of an LSTM and a GRU of any kind through its gates, and of an accumulator, have a
relative error below 1e-12. A program
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


def one_unit(
    variant: str, pre: list[float], state: list[float], x: float = 0.0
) -> tuple[Array, Array, Array]:
    """H = I = B = 1, weights 1 on h and 0 on x, biases so that the pre-activations are `pre`.

    Peepholes are 1 and come on top.

    Returns J (D, D), J^T (1, 0..) and J^T (.., 0, 1) as `vjp` gives them, and dL/d(bias_ih) of h_t.
    """
    cell, options = VARIANTS[variant]
    D = len(cell.STATE)
    tensors = {name: np.zeros((1, *shape)) for name, shape in cell.shapes(1, 1, 2, options).items()}
    tensors["bias_ih"] += pre
    if cell.GATES:
        tensors["weight_hh"] += 1
        tensors["bias_ih"] -= state[0]
    for name in tensors:
        if name.startswith("peephole"):
            tensors[name] += 1
    p = cell.init(tensors, options)
    s_prev = np.array(state)[None, :, None]
    s, act = cell.step(p, s_prev, cell.drive(p, np.full((1, 1, 1), x)))
    local = cell.linearize(p, s_prev, act, s)
    pulled = [cell.vjp(p, local, np.eye(D)[k][None, :, None])[0][0, :, 0] for k in range(D)]
    toward_h = np.eye(D)[0][None, :, None]
    cotangents = cell.vjp(p, local, toward_h)[1]
    shares = cell.shares(cotangents, act, s_prev, np.ones((1, 1, 1)))
    bias = sorted((s.row, s.left[0, :, 0]) for s in shares if s.tensor == "bias_ih")
    return cell.jacobian(p, local)[0, 0], np.array(pulled), np.concatenate([a for _, a in bias])


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
@pytest.mark.parametrize("cell", ["gru", "gru_2014"])
def test_gru_gate_by_gate(cell: str, gate: int, a: float) -> None:
    # one unit, weights 1, bias_hh 0: r (W h) = W (r h), the two forms agree, and m = h
    pre, h = [0.5, 0.25, -0.75], 0.5
    pre[gate] = a
    J, pulled, bias = one_unit(cell, pre, [h])
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


@each_level
@pytest.mark.parametrize("gate", range(3), ids=["f", "g", "o"])
def test_coupled_lstm_gate_by_gate(gate: int, a: float) -> None:
    pre = [0.25, -0.75, 0.125]
    pre[gate] = a
    h, c = 0.5, 0.375
    J, pulled, bias = one_unit("lstm_coupled", pre, [h, c])
    d_f, d_g, d_o = (Decimal(v) for v in pre)
    c_prev = Decimal(c)
    c_t = sigmoid(d_f) * c_prev + sigmoid(-d_f) * tanh(d_g)
    k = sigmoid(d_o) * tanh_slope(c_t)
    dc = [(c_prev - tanh(d_g)) * sigmoid_slope(d_f), sigmoid(-d_f) * tanh_slope(d_g)]
    by_gate = [k * dc[0], k * dc[1], tanh(c_t) * sigmoid_slope(d_o)]
    for found, exact in zip(bias, by_gate, strict=True):
        assert close(found, exact)
    exact = [
        [sum(by_gate, Decimal(0)), k * sigmoid(d_f)],
        [sum(dc, Decimal(0)), sigmoid(d_f)],
    ]
    for i in range(2):
        for j in range(2):
            assert close(J[i, j], exact[i][j])
            assert close(pulled[i, j], exact[i][j])


@each_level
@pytest.mark.parametrize("gate", range(4), ids=["i", "f", "g", "o"])
def test_peephole_lstm_gate_by_gate(gate: int, a: float) -> None:
    # peepholes 1: i and f get c on top, o gets c_t
    pre = [0.5, 0.25, -0.75, 0.125]
    pre[gate] = a
    h, c = 0.5, 0.375
    J, pulled, bias = one_unit("lstm_peephole-ifo", pre, [h, c])
    c_prev = Decimal(c)
    d_i, d_f, d_g = Decimal(pre[0]) + c_prev, Decimal(pre[1]) + c_prev, Decimal(pre[2])
    dc = [
        tanh(d_g) * sigmoid_slope(d_i),
        c_prev * sigmoid_slope(d_f),
        sigmoid(d_i) * tanh_slope(d_g),
    ]
    c_t = sigmoid(d_f) * c_prev + sigmoid(d_i) * tanh(d_g)
    d_o = Decimal(pre[3]) + c_t
    h_o = tanh(c_t) * sigmoid_slope(d_o)
    k = sigmoid(d_o) * tanh_slope(c_t) + h_o
    by_gate = [*(k * d for d in dc), h_o]
    # c_t is rounded before it goes through o: with the gate at 300 an eps of 300 in the exponent
    for found, exact in zip(bias, by_gate, strict=True):
        assert close(found, exact)
    b = sigmoid(d_f) + dc[0] + dc[1]
    exact = [[sum(by_gate, Decimal(0)), k * b], [sum(dc, Decimal(0)), b]]
    for i in range(2):
        for j in range(2):
            assert close(J[i, j], exact[i][j])
            assert close(pulled[i, j], exact[i][j])


@each_level
@pytest.mark.parametrize("gate", range(2), ids=["z", "n"])
def test_minimal_gru_gate_by_gate(gate: int, a: float) -> None:
    pre, h = [0.25, -0.75], 0.5
    pre[gate] = a
    J, pulled, bias = one_unit("gru_minimal", pre, [h])
    d_z, d_n, d_h = Decimal(pre[0]), Decimal(pre[1]), Decimal(h)
    by_z = (d_h - tanh(d_n)) * sigmoid_slope(d_z)
    by_n = sigmoid(-d_z) * tanh_slope(d_n)
    assert close(bias[0], by_z) and close(bias[1], by_n)
    total = sigmoid(d_z) + by_z + by_n
    assert close(J[0, 0], total) and close(pulled[0, 0], total)


@each_level
@pytest.mark.parametrize("gate", range(2), ids=["f", "i"])
def test_simplified_lstm_gate_by_gate(gate: int, a: float) -> None:
    pre, s, x = [0.25, -0.5], 0.5, 0.75
    pre[gate] = a
    J, pulled, bias = one_unit("lstm_simple", pre, [s], x)
    d_f, d_i, d_s, d_x = (Decimal(v) for v in (*pre, s, x))
    slope = tanh_slope(sigmoid(d_f) * d_s + sigmoid(d_i) * d_x)
    assert close(bias[0], slope * d_s * sigmoid_slope(d_f))
    assert close(bias[1], slope * d_x * sigmoid_slope(d_i))
    assert close(J[0, 0], slope * sigmoid(d_f)) and close(pulled[0, 0], slope * sigmoid(d_f))


@each_level
def test_simplified_lstm_with_a_large_input(a: float) -> None:
    # both gates at 1/2, v = (s + x) / 2 exact: tanh' is 4 e^-2|v|, not 0
    J, pulled, _ = one_unit("lstm_simple", [0.0, 0.0], [0.5], 2 * a - 0.5)
    exact = tanh_slope(Decimal(a)) / 2
    assert close(J[0, 0], exact) and close(pulled[0, 0], exact)


@each_level
def test_accumulator(a: float) -> None:
    J, pulled, bias = one_unit("accumulator", [a], [0.5])
    assert J[0, 0] == pulled[0, 0] == 1
    assert close(bias[0], tanh_slope(Decimal(a)))


@pytest.mark.parametrize("name", [name for name in CELLS if name != "linear"])
def test_a_saturated_cell_is_never_exactly_zero(name: str) -> None:
    """Every unit of every gate at 100: no entry of the gradient of a bias is 0."""
    cell = CELLS[name]
    G, D = len(cell.PACKED), len(cell.STATE)
    names = {"rnn": "rnn-tanh", "lstm_peephole": "lstm_peephole-ifo"}
    _, _, bias = one_unit(names.get(name, name), [100.0] * G, [0.5] + [0.25] * (D - 1), 0.25)
    assert (bias != 0).all()
