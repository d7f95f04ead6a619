"""The recurrent blocks of a layer as a file has them: what each does to a vector, and how far the
gate that keeps the state is biased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.spectrum import weight_spectrum
from gradlab.weights.layer import RecurrentLayer


class Bias(NamedTuple):
    """Over the units of a gate, the sum of the two bias vectors."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class Block:
    """The H rows of `weight_hh` that are one gate's, of one layer and direction."""

    name: str  # the gate, and _l1, _reverse where there are several
    sigma_max: float
    spectral_radius: float
    bias: Bias | None  # of the gate that keeps the state alone


def blocks(layer: RecurrentLayer) -> list[Block]:
    """Every block of a layer; layer by layer, the second direction after the first."""
    cell, found = CELLS[layer.cell], []
    for k in range(layer.layers):
        for reverse in ("", "_reverse")[: 1 + layer.bidirectional]:
            end = f"_l{k}{reverse}"
            W = np.asarray(layer.tensors[f"weight_hh{end}"], np.float64)
            sigma, radius = weight_spectrum(len(cell.GATES), W[None])
            shown = end if layer.layers > 1 or layer.bidirectional else ""
            found += [
                Block(
                    gate + shown,
                    float(sigma[0, row, 0]),
                    float(radius[0, row]),
                    _bias(layer, cell.GATES.index(gate), end) if gate == cell.KEEPS else None,
                )
                for row, gate in enumerate(cell.GATES)
            ]
    return found


def _bias(layer: RecurrentLayer, row: int, end: str) -> Bias:
    """Without bias vectors it is zero."""
    H = layer.hidden_size
    own = np.zeros(H)
    for name in ("bias_ih", "bias_hh"):
        if name + end in layer.tensors:
            with np.errstate(over="ignore"):
                own = own + layer.tensors[name + end][row * H : (row + 1) * H]
    return Bias(float(own.mean()), float(own.min()), float(own.max()))
