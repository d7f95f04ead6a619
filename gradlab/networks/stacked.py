"""Layers of one cell on top of each other (Schmidhuber 1992; El Hihi, Bengio 1995).

    s^l_t = F(s^l_{t-1}, x^l_t),    x^1_t = x_t,    x^{l+1}_t = out^l_t
    out^l_t = h^l_t                 plain
    out^l_t = h^l_t + x^l_t         residual, from the second layer on

State: [h^1 .. h^n, c^1 .. c^n]: the parts of the cell's state, each with all layers. Tensors have
PyTorch's names, `weight_hh_l0` for the first layer.

Within a step the gradient comes down through the layers. With go^l the gradient at out^l_t from
above, and G^l that at h^l_t with every path,

    G^l = delta^l + go^l,   go^{l-1} = (dx^l from the cell's vjp of G^l) + go^l (residual only)

delta^l is the adjoint of h^l_t with the rest of s_t held fixed, G^l is what PyTorch has as the
gradient of the layer's output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.affine import blocks
from gradlab.cells.interface import Cell, Reading, Shape, Share, Tensors
from gradlab.networks.parts import Locals, apart, jacobian_by_vjp, joined
from gradlab.nonlinearity import Array


class Stacked:
    """n layers of a cell as one cell."""

    def __init__(self, cell: Cell, layers: int, residual: bool, H: int) -> None:
        self.cell, self.layers, self.residual = cell, layers, residual
        self.D = len(cell.STATE) * layers * H
        each = range(layers)
        self.SOURCE, self.EQUATIONS = cell.SOURCE, cell.EQUATIONS
        self.GATES = tuple(f"{gate}_l{k}" for k in each for gate in cell.GATES)
        self.PACKED = tuple(f"{gate}_l{k}" for k in each for gate in cell.PACKED)
        self.STATE, self.KEEPS, self.BIASES = cell.STATE, cell.KEEPS, cell.BIASES
        self.Options, self.Local = cell.Options, Locals

    def shapes(self, H: int, I: int, biases: int, options: Any) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for k in range(self.layers):
            own = self.cell.shapes(H, H if k else I, biases, options)
            found |= {f"{name}_l{k}": shape for name, shape in own.items()}
        return found

    def init(self, tensors: Tensors, options: Any) -> tuple[Any, ...]:
        return tuple(self.cell.init(_of_layer(tensors, k), options) for k in range(self.layers))

    def max_slope(self, options: Any) -> None:
        return None  # the textbook's bound is about one layer

    def drive(self, p: tuple[Any, ...], x: Array) -> Array:
        return self.cell.drive(p[0], x)

    def step(self, p: tuple[Any, ...], s: Array, u: Array) -> tuple[Array, Array]:
        states: list[Array] = []
        activations: list[Array] = []
        outputs: list[Array] = []
        for k, (own, state) in enumerate(zip(p, self._states(s), strict=True)):
            if k:
                u = self.cell.drive(own, outputs[-1])
            state, a = self.cell.step(own, state, u)
            h = blocks(state, len(self.STATE))[0]
            outputs.append(h + outputs[-1] if k and self.residual else h)
            states.append(state)
            activations.append(a)
        return self._state(states), np.concatenate((*activations, *outputs[:-1]), axis=-2)

    def linearize(self, p: tuple[Any, ...], s_prev: Array, a: Array, s: Array) -> Locals:
        before, after = self._states(s_prev), self._states(s)
        every = zip(p, before, self._activations(a, s), after, strict=True)
        return joined([self.cell.linearize(*each) for each in every])

    def vjp(self, p: tuple[Any, ...], loc: Locals, g: Array) -> tuple[Array, Array]:
        local, adjoints = apart(self.cell, loc, self.layers), self._states(g)
        states, cotangents, above = [], [], None
        for k in reversed(range(self.layers)):
            state, cot = self.cell.vjp(p[k], local[k], self._complete(adjoints[k], above))
            states.append(state)
            cotangents.append(cot)
            if k:
                above = self._passed(self.cell.pull(p[k], local[k], cot), above)
        return self._state(states[::-1]), np.concatenate(cotangents[::-1], axis=-2)

    def jacobian(self, p: tuple[Any, ...], loc: Locals) -> Array:
        return jacobian_by_vjp(self, p, loc, self.D)

    def pull(self, p: tuple[Any, ...], loc: Locals, cot: Array) -> Array:
        first = apart(self.cell, loc, self.layers)[0]
        return self.cell.pull(p[0], first, blocks(cot, self.layers)[0])

    def shares(self, cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
        n, H = self.layers, s_prev.shape[-2] // (self.layers * len(self.STATE))
        inputs = (x, *blocks(a[..., -(n - 1) * H :, :], n - 1))
        every = zip(
            blocks(cot, n),
            self._activations(a, s_prev),
            self._states(s_prev),
            inputs,
            strict=True,
        )
        return tuple(
            share._replace(tensor=f"{share.tensor}_l{k}")
            for k, each in enumerate(every)
            for share in self.cell.shares(*each)
        )

    def totals(self, p: tuple[Any, ...], loc: Locals, g: Array, cot: Array) -> dict[str, Array]:
        local, adjoints = apart(self.cell, loc, self.layers), self._states(g)
        cotangents, found, above = blocks(cot, self.layers), [], None
        for k in reversed(range(self.layers)):
            complete = self._complete(adjoints[k], above)
            own = self.cell.totals(p[k], local[k], complete, cotangents[k])
            found.append({"h_total": blocks(complete, len(self.STATE))[0], **own})
            if k:
                above = self._passed(self.cell.pull(p[k], local[k], cotangents[k]), above)
        return {
            name: np.concatenate([one[name] for one in found[::-1]], axis=-2) for name in found[0]
        }

    def readings(self, loc: Locals) -> dict[str, Reading]:
        return {
            f"{name}_l{k}": reading
            for k, local in enumerate(apart(self.cell, loc, self.layers))
            for name, reading in self.cell.readings(local).items()
        }

    def enter(self, dh: Array) -> Array:
        """dL/d(h^1 .. h^n) of dh (..., H, B) at the output: residual, it is the sum of all h."""
        rest = dh if self.residual else np.zeros_like(dh)
        return np.concatenate((*[rest] * (self.layers - 1), dh), axis=-2)

    def output(self, s: Array) -> Array:
        """The last layer's output (..., H, B)."""
        h = blocks(s, self.layers * len(self.STATE))[: self.layers]
        return np.asarray(sum(h)) if self.residual else h[-1]

    def _complete(self, adjoint: Array, above: Array | None) -> Array:
        """The adjoint of a layer's state with what comes to its h from above."""
        if above is None:
            return adjoint
        H = above.shape[-2]
        return np.concatenate((adjoint[..., :H, :] + above, adjoint[..., H:, :]), axis=-2)

    def _passed(self, pulled: Array, above: Array | None) -> Array:
        """The gradient at the output of the layer below."""
        return pulled + above if self.residual and above is not None else pulled

    def _states(self, s: Array) -> list[Array]:
        """The state of each layer, as its cell has it."""
        n, rows = self.layers, blocks(s, self.layers * len(self.STATE))
        return [
            rows[k] if len(rows) == n else np.concatenate(rows[k::n], axis=-2) for k in range(n)
        ]

    def _state(self, states: list[Array]) -> Array:
        """The state of the stack from those of its layers."""
        parts = [blocks(state, len(self.STATE)) for state in states]
        return np.concatenate([own[q] for q in range(len(self.STATE)) for own in parts], axis=-2)

    def _activations(self, a: Array, s: Array) -> tuple[Array, ...]:
        """Those of each layer; behind them are the inputs of all layers but the first."""
        inputs = (self.layers - 1) * s.shape[-2] // (self.layers * len(self.STATE))
        return blocks(a[..., : a.shape[-2] - inputs, :], self.layers)


def _of_layer(tensors: Tensors, k: int) -> dict[str, Array]:
    """A layer's tensors under the names that its cell has for them."""
    end = f"_l{k}"
    return {name.removesuffix(end): a for name, a in tensors.items() if name.endswith(end)}
