"""Arrays under PyTorch's names, as state dicts have them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
BLOCKS = {"rnn": 1, "gru_minimal": 2, "gru": 3, "lstm": 4, "lstm_peephole": 4}


class Made(NamedTuple):
    """A recurrent layer to be made: what a file says of it."""

    kind: str = "lstm"
    hidden: int = 3
    inputs: int = 2
    layers: int = 1
    both: bool = False
    biases: tuple[str, ...] = ("bias_ih", "bias_hh")
    prefix: str = ""
    bare: bool = False  # names of LSTMCell, without _l0
    peepholes: str = ""

    def arrays(self, seed: int = 0, dtype: Any = np.float64) -> Arrays:
        """Small enough that nothing saturates."""
        random, found = np.random.default_rng(seed), {}
        rows = BLOCKS[self.kind] * self.hidden
        for layer in range(self.layers):
            columns = self.hidden * (1 + self.both) if layer else self.inputs
            for end in ("", "_reverse")[: 1 + self.both]:
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, columns),
                    "weight_hh": (rows, self.hidden),
                    **dict.fromkeys(self.biases, (rows,)),
                    **{f"peephole_{gate}": (self.hidden,) for gate in self.peepholes},
                }
                own = "" if self.bare else f"_l{layer}{end}"
                for name, shape in shapes.items():
                    drawn = random.standard_normal(shape) / np.sqrt(self.hidden)
                    found[f"{self.prefix}{name}{own}"] = drawn.astype(dtype)
        return found
