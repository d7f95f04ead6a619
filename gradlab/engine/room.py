"""Memory that is used again: what is fresh from the system is slower than the arithmetic."""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.nonlinearity import Array

MAPPED = 2**25 - 2**16  # bytes: just below the largest array that glibc learns from


@cache
def keep_freed() -> None:
    """Have the C library keep what is freed for the arrays that come next.

    glibc hands memory back to the system where more is free at the end of its heap than twice the
    largest array that it has seen freed, and then every page of the next piece of work is made
    anew. That was a fifth of a run. One array of the largest size that it heeds sets the bound to
    64 MiB; nothing is written to it, so it takes no memory.
    """
    np.empty(MAPPED, np.uint8)


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
