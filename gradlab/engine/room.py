"""Memory that is used again: what is fresh from the system is slower than the arithmetic."""

from __future__ import annotations

from math import prod

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.nonlinearity import Array


class Room:
    """Arrays by name that are made once and handed out again. One pass has one of its own."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, shape: Shape, dtype: np.dtype) -> Array:
        """Memory of this shape. What was handed out under the name before is overwritten."""
        size = prod(shape)
        known = self._arrays.get(name)
        if known is None or known.size < size or known.dtype != dtype:
            known = self._arrays[name] = np.empty(size, dtype)
        return known[:size].reshape(shape)
