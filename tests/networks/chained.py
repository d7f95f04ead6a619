"""Bidirectional networks of several layers, written out as loops over layers, directions and steps.

As in `unrolled`, only `step` and `drive` of the bare cell are used. Steps are those of the sequence
for both directions, the backward one simply goes from the last to the first: no reversed arrays, no
chains, no vjp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.cells import find
from tests.networks.unrolled import TINY, Array, Unrolled

Place = tuple[str, int, int]  # direction, layer from 0, step of the direction's own time


@dataclass(frozen=True)
class Chained(Unrolled):
    """One seed of one config with layers and both directions."""

    def states(
        self,
        place: Place | None = None,
        nudge: Array | None = None,
        weights: Callable[[str, int], dict[str, Array]] | None = None,
    ) -> tuple[dict[Place, Array], list[Array]]:
        """All states, and the last layer's outputs (2H, B) at the steps 1 .. T of the sequence.

        nudge: what is added to the state (its first rows) at a place before anything sees it.
        weights: (direction, step of its own time) -> tensors, in place of the drawn ones.
        """
        spec, cell = self.spec, find(self.spec.cell)
        n, options = spec.topology.layers, cell.Options(**spec.options)
        y = [x.astype(complex) for x in self.drawn["x"]]
        found: dict[Place, Array] = {}

        def noted(at: Place, state: Array) -> Array:
            if at == place and nudge is not None:
                state = state.copy()
                state[: len(nudge)] += nudge
            found[at] = state
            return state

        for layer in range(n):
            h: dict[str, dict[int, Array]] = {"forward": {}, "backward": {}}
            for direction, outputs in h.items():
                rows = np.split(self.drawn["start"][direction].astype(complex), n * len(cell.STATE))
                state = noted((direction, layer, 0), np.concatenate(rows[layer::n]))
                for own in range(1, spec.T + 1):
                    t = own if direction == "forward" else spec.T + 1 - own
                    tensors = (weights or self.tensors)(direction, own)
                    end = f"_l{layer}"
                    mine = {
                        name.removesuffix(end): a[None]
                        for name, a in tensors.items()
                        if name.endswith(end)
                    }
                    p = cell.init(mine, options)
                    u = cell.drive(p, y[t - 1][None])
                    state = noted((direction, layer, own), cell.step(p, state[None], u)[0][0])
                    outputs[t] = np.split(state, len(cell.STATE))[0]
            both = [np.concatenate((h["forward"][t], h["backward"][t])) for t in h["forward"]]
            skip = spec.topology.residual and layer > 0
            y = [out + below if skip else out for out, below in zip(both, y, strict=True)]
        return found, y

    def outputs_of(self, y: list[Array]) -> dict[str, list[Array]]:
        """The last layer's outputs by direction, in its own time."""
        H = self.spec.H
        return {"forward": [one[:H] for one in y], "backward": [one[H:] for one in y[::-1]]}

    def loss(self, changed: str = "forward", **change: Any) -> complex:
        """L of the network run in another way."""
        if "weights" in change:  # of one direction, by step
            other = change["weights"]

            def weights(direction: str, own: int) -> dict[str, Array]:
                return other(own) if direction == changed else self.tensors(direction, own)

            change = {"weights": weights}
        return complex(self.loss_terms(self.outputs_of(self.states(**change)[1])).sum())

    def adjoint(self, place: Place) -> Array:
        """dL/d(state) of a layer and direction at a step: (D, B)."""
        shape = self.states()[0][place].shape
        return self._entries(shape, lambda e: self.loss(place=place, nudge=e))

    def state_adjoint(self, direction: str, t: int) -> Array:
        """That of the last layer."""
        return self.adjoint((direction, self.spec.topology.layers - 1, t))

    def layer_adjoint(self, direction: str, t: int, layer: int) -> Array:
        """dL/dh of a layer: (H, B)."""
        return self.adjoint((direction, layer, t))[: self.spec.H]

    def share(self, direction: str, name: str, own: int) -> Array:
        """dL/d(tensor) as one step alone uses it."""

        def loss(nudge: Array) -> complex:
            def weights(t: int) -> dict[str, Array]:
                plain = self.tensors(direction, t)
                return plain | {name: plain[name] + nudge} if t == own else plain

            return self.loss(direction, weights=weights)

        return self._entries(self.tensors(direction, own)[name].shape, loss)

    def jacobian(self, direction: str, own: int) -> Array:
        """ds_t / ds_{t-1} of the last layer for each sequence: (B, D, D)."""
        last = self.spec.topology.layers - 1
        D, B = self.states()[0][direction, last, own].shape
        J = np.zeros((B, D, D))
        for column in range(D):
            nudge = np.zeros((D, B), complex)
            nudge[column] = 1j * TINY  # a sequence does not see the others
            moved = self.states((direction, last, own - 1), nudge)[0][direction, last, own]
            J[:, :, column] = moved.imag.T / TINY
        return J

    def places(self) -> Iterator[Place]:
        """Every direction, layer and step from 0 to T."""
        yield from self.states()[0]
