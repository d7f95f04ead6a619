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


def lstm_peephole(w: Tensors, s: Vector, x: Vector, options: Any) -> list[float]:
    """Gers and Schmidhuber 2000, rows i, f, g, o: i and f look at the old c, o at the new one."""
    H = len(s) // 2
    h, c = s[:H], s[H:]
    new_h, new_c = [], []

    def peephole(gate: str, j: int) -> float:
        return float(w[f"peephole_{gate}"][j]) if gate in options.peepholes else 0.0

    for j in range(H):
        i = sigmoid(both(w, j, x, h) + peephole("i", j) * c[j])
        f = sigmoid(both(w, H + j, x, h) + peephole("f", j) * c[j])
        g = math.tanh(both(w, 2 * H + j, x, h))
        new_c.append(f * c[j] + i * g)
        o = sigmoid(both(w, 3 * H + j, x, h) + peephole("o", j) * new_c[j])
        new_h.append(o * math.tanh(new_c[j]))
    return new_h + new_c


def lstm_coupled(w: Tensors, s: Vector, x: Vector, options: Any) -> list[float]:
    """Greff et al. 2017 (CIFG), rows f, g, o: the LSTM with i = 1 - f"""
    H = len(s) // 2
    h, c = s[:H], s[H:]
    new_h, new_c = [], []
    for j in range(H):
        f = sigmoid(both(w, j, x, h))
        g = math.tanh(both(w, H + j, x, h))
        o = sigmoid(both(w, 2 * H + j, x, h))
        new_c.append(f * c[j] + (1 - f) * g)
        new_h.append(o * math.tanh(new_c[j]))
    return new_h + new_c


def lstm_simple(w: Tensors, s: Vector, x: Vector, options: Any) -> list[float]:
    """The simplified LSTM, rows f, i: s_t = tanh(f s_{t-1} + i x_t), gates of x_t alone"""
    H = len(s)
    new = []
    for j in range(H):
        f = sigmoid(from_input(w, j, x))
        i = sigmoid(from_input(w, H + j, x))
        new.append(math.tanh(f * s[j] + i * x[j]))
    return new


def gru_2014(w: Tensors, h: Vector, x: Vector, options: Any) -> list[float]:
    """Cho et al. 2014, rows r, z, n: n = tanh(W_in x + W_hn (r h) + b), (1-z) n + z h"""
    H = len(h)
    r = [sigmoid(both(w, j, x, h)) for j in range(H)]
    reset = [r[j] * h[j] for j in range(H)]
    new = []
    for j in range(H):
        z = sigmoid(both(w, H + j, x, h))
        n = math.tanh(both(w, 2 * H + j, x, reset))
        new.append((1 - z) * n + z * h[j])
    return new


def gru_minimal(w: Tensors, h: Vector, x: Vector, options: Any) -> list[float]:
    """The GRU with its reset gate always open, rows z, n: (1-z) n + z h"""
    H = len(h)
    new = []
    for j in range(H):
        z = sigmoid(both(w, j, x, h))
        n = math.tanh(both(w, H + j, x, h))
        new.append((1 - z) * n + z * h[j])
    return new


def accumulator(w: Tensors, s: Vector, x: Vector, options: Any) -> list[float]:
    """s_t = s_{t-1} + tanh(W_ih x + b)"""
    return [s[j] + math.tanh(from_input(w, j, x)) for j in range(len(s))]


SCALAR_LOOPS: dict[str, Callable[[Tensors, Vector, Vector, Any], list[float]]] = {
    "linear": linear,
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "lstm_peephole": lstm_peephole,
    "lstm_coupled": lstm_coupled,
    "lstm_simple": lstm_simple,
    "gru_2014": gru_2014,
    "gru_minimal": gru_minimal,
    "accumulator": accumulator,
}
