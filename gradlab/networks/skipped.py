"""A residual connection around every step (He et al. 2016, Identity mappings in deep networks).

    s_t = F(s_{t-1}, x_t) + [h_{t-1}, 0]          J_t = J_F + D([1, 0])

With fresh weights at every step it is a residual net through depth, h_{l+1} = h_l + F_l(h_l); with
tied weights a residual recurrence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.interface import Cell, Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array


class Skipped:
    """A cell with its h added to the next."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.SOURCE, self.EQUATIONS = cell.SOURCE, cell.EQUATIONS
        self.GATES, self.PACKED, self.STATE = cell.GATES, cell.PACKED, cell.STATE
        self.KEEPS, self.BIASES = cell.KEEPS, cell.BIASES
        self.Options, self.Local = cell.Options, cell.Local

    def shapes(self, H: int, I: int, biases: int, options: Any) -> dict[str, Shape]:
        return self.cell.shapes(H, I, biases, options)

    def init(self, tensors: Tensors, options: Any) -> Any:
        return self.cell.init(tensors, options)

    def max_slope(self, options: Any) -> None:
        return None  # the textbook's bound knows no skip

    def drive(self, p: Any, x: Array) -> Array:
        return self.cell.drive(p, x)

    def step(self, p: Any, s: Array, u: Array) -> tuple[Array, Array]:
        new, a = self.cell.step(p, s, u)
        return new + self._skip(s), a

    def linearize(self, p: Any, s_prev: Array, a: Array, s: Array) -> Any:
        return self.cell.linearize(p, s_prev, a, s - self._skip(s_prev))

    def vjp(self, p: Any, loc: Any, g: Array) -> tuple[Array, Array]:
        pulled, cot = self.cell.vjp(p, loc, g)
        return pulled + self._skip(g), cot

    def jacobian(self, p: Any, loc: Any) -> Array:
        J = np.array(self.cell.jacobian(p, loc))
        H = np.arange(J.shape[-1] // len(self.STATE))
        J[..., H, H] += 1
        return J

    def pull(self, p: Any, loc: Any, cot: Array) -> Array:
        return self.cell.pull(p, loc, cot)

    def shares(self, cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
        return self.cell.shares(cot, a, s_prev, x)

    def totals(self, p: Any, loc: Any, g: Array, cot: Array) -> dict[str, Array]:
        return self.cell.totals(p, loc, g, cot)

    def readings(self, loc: Any) -> dict[str, Reading]:
        return self.cell.readings(loc)

    def _skip(self, s: Array) -> Array:
        """h, and zeros for the other parts of the state."""
        if len(self.STATE) == 1:
            return s
        H = s.shape[-2] // len(self.STATE)
        return np.concatenate((s[..., :H, :], np.zeros_like(s[..., H:, :])), axis=-2)
