"""A block of steps as one step with more sequences: a user's function only ever sees (R, rows, B).

Sequences do not know of each other, so the steps of a block can stand beside each other as columns.
Where the weights differ from step to step, steps become members instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.nonlinearity import Array


@dataclass(frozen=True)
class Folding:
    """How arrays (..., R, rows, B) become (R', rows, B'), and come back."""

    lead: Shape  # (R,), or (n, R)
    untied: bool  # the tensors have the same leading axes

    def fold(self, a: Array) -> Array:
        """(*lead, rows, B) -> (R', rows, B')."""
        if self.untied or len(self.lead) == 1:
            return a.reshape(-1, *a.shape[-2:])
        R, (rows, B) = self.lead[-1], a.shape[-2:]
        return np.moveaxis(a.reshape(-1, R, rows, B), 0, 2).reshape(R, rows, -1)

    def unfold(self, a: Array) -> Array:
        """(R', rows, B') -> (*lead, rows, B)."""
        if self.untied or len(self.lead) == 1:
            return a.reshape(*self.lead, *a.shape[-2:])
        R, rows = a.shape[:2]
        n = int(np.prod(self.lead[:-1]))
        steps = np.moveaxis(a.reshape(R, rows, n, -1), 2, 0)
        return steps.reshape(*self.lead, rows, steps.shape[-1])

    def unfold_squares(self, a: Array) -> Array:
        """(R', B', m, k) -> (*lead, B, m, k): what a user's `jacobian` returns."""
        flat = np.moveaxis(a, 1, -1).reshape(a.shape[0], -1, a.shape[1])
        back = self.unfold(flat)
        return np.moveaxis(back.reshape(*back.shape[:-2], *a.shape[2:], back.shape[-1]), -1, -3)

    def tensors(
        self, tensors: Mapping[str, Array], shapes: Mapping[str, Shape]
    ) -> dict[str, Array]:
        """Matrices (R', rows, columns) and vectors as columns (R', n, 1); zeros where one is
        missing, as a bias may be.
        """
        some = next(iter(tensors.values()))
        found = {}
        for name, shape in shapes.items():
            tensor = tensors.get(name)
            if tensor is None:
                tensor = np.zeros((1, *shape), some.dtype)
            column = shape if len(shape) == 2 else (*shape, 1)
            found[name] = tensor.reshape(-1, *column)
        return found


def folding(tensors: Mapping[str, Array], shapes: Mapping[str, Shape], s: Array) -> Folding:
    """The folding for states s (..., R, D, B)."""
    name, tensor = next(iter(tensors.items()))
    return Folding(s.shape[:-2], tensor.ndim - len(shapes[name]) > 1)
