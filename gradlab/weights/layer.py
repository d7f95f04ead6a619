"""A recurrent layer as a weights file holds it, in gradlab's names and gate order whatever the
format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradlab.nonlinearity import Array


@dataclass(frozen=True)
class RecurrentLayer:
    """One recurrent layer, or a stack of them that belongs together (PyTorch's num_layers).

    tensors: gradlab's names (PyTorch's), `weight_hh_l0`, `weight_ih_l0`, `bias_ih_l0`,
    `bias_hh_l0`, `_l1` for the second layer and so on, `_reverse` behind them for the second
    direction; gates packed in the cell's order (`PACKED`). A bias that the file does not have is
    left out. An empty note says that the file tells everything.
    """

    cell: str  # a kind in CELLS
    prefix: str  # what selects it among the layers of a file: init.prefix
    hidden_size: int
    input_size: int
    layers: int
    bidirectional: bool
    tensors: Mapping[str, Array]
    options: Mapping[str, Any] = field(default_factory=dict)  # of the cell: activation and the like
    note: str = ""  # what the file does not tell, and what was therefore supposed
