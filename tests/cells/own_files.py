"""Files of users' own cells, as texts: cells of gradlab written again, and odd ones."""

from __future__ import annotations

RNN = """
import numpy as np

def shapes(H, I):
    return {"weight_hh": (H, H), "weight_ih": (H, I), "bias_ih": (H,), "bias_hh": (H,)}

def step(p, s, x):
    return np.tanh(p.weight_hh @ s + p.bias_hh + p.weight_ih @ x + p.bias_ih)
"""

JACOBIAN = """
def jacobian(p, s, x):
    d = 1 - step(Plain(p), s, x) ** 2
    return d.swapaxes(-1, -2)[..., None] * p.weight_hh[:, None]

class Plain:
    def __init__(self, p):
        self.__dict__ = p.__dict__
"""

VJP = """
def vjp(p, s, x, g):
    h = np.tanh(p.weight_hh @ s + p.bias_hh + p.weight_ih @ x + p.bias_ih)
    return p.weight_hh.swapaxes(-1, -2) @ (g * (1 - h ** 2))
"""

LSTM_SHAPES = """
import numpy as np
from gradlab.nonlinearity import sigmoid

STATE = ("h", "c")

def shapes(H, I):
    G = 4 * H
    return {"weight_hh": (G, H), "weight_ih": (G, I), "bias_ih": (G,), "bias_hh": (G,)}
"""

LSTM = (
    LSTM_SHAPES
    + """
def step(p, s, x):
    H = s.shape[1] // 2
    h, c = s[:, :H], s[:, H:]

    def gate(k):
        r = slice(k * H, (k + 1) * H)
        return (p.weight_hh[:, r] @ h + p.bias_hh[:, r]
                + p.weight_ih[..., r, :] @ x + p.bias_ih[:, r])

    c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * np.tanh(gate(2))
    return np.concatenate([sigmoid(gate(3)) * np.tanh(c), c], axis=1)
"""
)

LSTM_WHOLE = (
    LSTM_SHAPES
    + """
def step(p, s, x):
    h, c = np.split(s, 2, axis=1)
    a = p.weight_hh @ h + p.bias_hh + p.weight_ih @ x + p.bias_ih
    i, f, g, o = np.split(a, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return np.concatenate([sigmoid(o) * np.tanh(c), c], axis=1)
"""
)

# a product of a product's result, rows of a matrix used twice, a softmax over units, x added to
# what is as wide as the state, a single number as a parameter
ODD = """
import numpy as np
from gradlab.nonlinearity import sigmoid

def shapes(H, I):
    return {"weight_hh": (2 * H, H), "weight_zz": (H, H), "bias_ih": (H,), "leak": (1,)}

def step(p, s, x):
    H = s.shape[1]
    r = sigmoid(p.weight_hh[:, :H] @ s + x)
    m = p.weight_hh[:, H:] @ (r * s)
    z = p.weight_zz @ m
    e = np.exp(z - z.real.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    mixed = np.tanh(m + y + p.bias_ih + p.weight_hh[:, :H] @ x)
    return (1 - p.leak) * s + p.leak * mixed
"""

WHOLE = "from gradlab.cells.rnn import *\nfrom gradlab.cells import rnn\nKEEPS = None\n"

FILES = {"rnn": RNN, "lstm": LSTM, "lstm_whole": LSTM_WHOLE, "odd": ODD}
