"""Every cell once more, with loops over units and plain floats, written from the papers' equations.

PyTorch's documentation is the source of the gate order and of the place of the two biases.
Nothing is shared with gradlab: neither the nonlinearities nor the packing. Each function takes
the tensors of one member (nested lists), the state and the input of one sequence, and returns the
new state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Vector = Sequence[float]
Tensors = dict[str, Any]  # name -> rows, or rows of columns


def sigmoid(a: float) -> float:
    """1 / (1 + e^-a), by the branch that does not overflow."""
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def dot(row: Vector, v: Vector) -> float:
    """The sum of products, rounded once."""
    return math.fsum(w * y for w, y in zip(row, v, strict=True))


def from_input(w: Tensors, row: int, x: Vector) -> float:
    """(W_ih x + b_ih)[row]"""
    return dot(w["weight_ih"][row], x) + w["bias_ih"][row]


def from_state(w: Tensors, row: int, h: Vector) -> float:
    """(W_hh h + b_hh)[row]"""
    return dot(w["weight_hh"][row], h) + w["bias_hh"][row]


def both(w: Tensors, row: int, x: Vector, h: Vector) -> float:
    """(W_ih x + b_ih + W_hh h + b_hh)[row]"""
    return from_input(w, row, x) + from_state(w, row, h)


def linear(w: Tensors, h: Vector, x: Vector, options: Any) -> list[float]:
    """h_t = W_hh h_{t-1} + b_hh + W_ih x_t + b_ih"""
    return [both(w, j, x, h) for j in range(len(h))]


def rnn(w: Tensors, h: Vector, x: Vector, options: Any) -> list[float]:
    """h_t = phi(W_hh h_{t-1} + b_hh + W_ih x_t + b_ih)"""
    phi: Callable[[float], float] = {
        "tanh": math.tanh,
        "relu": lambda a: max(a, 0.0),
        "sigmoid": sigmoid,
    }[options.activation]
    return [phi(both(w, j, x, h)) for j in range(len(h))]


def lstm(w: Tensors, s: Vector, x: Vector, options: Any) -> list[float]:
    """torch.nn.LSTM, rows i, f, g, o: c_t = f c_{t-1} + i g, h_t = o tanh(c_t)"""
    H = len(s) // 2
    h, c = s[:H], s[H:]
    new_h, new_c = [], []
    for j in range(H):
        i = sigmoid(both(w, j, x, h))
        f = sigmoid(both(w, H + j, x, h))
        g = math.tanh(both(w, 2 * H + j, x, h))
        o = sigmoid(both(w, 3 * H + j, x, h))
        new_c.append(f * c[j] + i * g)
        new_h.append(o * math.tanh(new_c[j]))
    return new_h + new_c


def gru(w: Tensors, h: Vector, x: Vector, options: Any) -> list[float]:
    """torch.nn.GRU, rows r, z, n: n = tanh(W_in x + b_in + r (W_hn h + b_hn)), (1-z) n + z h"""
    H = len(h)
    new = []
    for j in range(H):
        r = sigmoid(both(w, j, x, h))
        z = sigmoid(both(w, H + j, x, h))
        n = math.tanh(from_input(w, 2 * H + j, x) + r * from_state(w, 2 * H + j, h))
        new.append((1 - z) * n + z * h[j])
    return new


SCALAR_LOOPS: dict[str, Callable[[Tensors, Vector, Vector, Any], list[float]]] = {
    "linear": linear,
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}
