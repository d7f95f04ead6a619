"""The order in which each format packs the gates of a cell, in one table.

Gates are blocks of H rows. gradlab's order is the cell's `PACKED`, which is PyTorch's where PyTorch
has the cell; its own files (npz, safetensors) use that too. Sources: torch.nn, the operators RNN,
GRU and LSTM of the ONNX standard (iofc, zrh; c and h are our g and n), keras.layers (i f c o and
z r h, as columns; the reader transposes them).
"""

from __future__ import annotations

import numpy as np

from gradlab.cells import CELLS
from gradlab.nonlinearity import Array

ONE = ("h",)
ORDERS: dict[str, dict[str, tuple[str, ...]]] = {
    "torch": {name: cell.PACKED for name, cell in CELLS.items()},
    "onnx": {
        "rnn": ONE,
        "lstm": ("i", "o", "f", "g"),
        "lstm_peephole": ("i", "o", "f", "g"),
        "gru": ("z", "r", "n"),
        "gru_2014": ("z", "r", "n"),
    },
    "keras": {
        "linear": ONE,
        "rnn": ONE,
        "lstm": ("i", "f", "g", "o"),
        "gru": ("z", "r", "n"),
        "gru_2014": ("z", "r", "n"),
    },
}
PEEPHOLES = {"onnx": ("i", "o", "f")}  # order of the rows of P


def packed(form: str, cell: str, rows: Array) -> Array:
    """The row blocks of `rows` (G H, ...), as the format has them, in the cell's order."""
    order = ORDERS[form][cell]
    if order == CELLS[cell].PACKED:
        return rows
    blocks = dict(zip(order, np.split(rows, len(order)), strict=True))
    return np.concatenate([blocks[gate] for gate in CELLS[cell].PACKED])
