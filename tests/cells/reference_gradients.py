"""The reference gradients (tests/reference/README.md), columns as gradlab has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCE = Path(__file__).parents[1] / "reference"

# the file of every cell with its options
AUTOGRAD = {
    "linear": "autograd_rnn_linear.json",
    "rnn-tanh": "autograd_rnn_tanh.json",
    "rnn-relu": "autograd_rnn_relu.json",
    "rnn-sigmoid": "autograd_rnn_sigmoid.json",
    "lstm": "autograd_lstm.json",
    "gru": "autograd_gru.json",
    "lstm_peephole-ifo": "autograd_lstm_peephole.json",
    "lstm_peephole-none": "autograd_lstm.json",
    "lstm_coupled": "autograd_lstm_cifg.json",
    "lstm_simple": "autograd_slstm.json",
    "gru_2014": "autograd_gru_cho2014.json",
    "gru_minimal": "autograd_gru_update_only.json",
}
# choices between two that have a file: all peepholes, and none
BETWEEN = {"lstm_peephole-o", "lstm_peephole-if"}

TENSORS = {
    "weight_hh": "W_hh",
    "weight_ih": "W_ih",
    "peephole_i": "p_i",
    "peephole_f": "p_f",
    "peephole_o": "p_o",
    "bias_ih": "b_ih",
    "bias_hh": "b_hh",
}


def load(name: str) -> dict[str, Any]:
    """One file."""
    return dict(json.loads((REFERENCE / name).read_text()))


def columns(rows: Any) -> NDArray[np.float64]:
    """(..., batch, width) as it is in the files -> (..., width, batch)."""
    return np.asarray(rows, dtype=float).swapaxes(-1, -2)
