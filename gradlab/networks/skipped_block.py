"""A residual block: n layers, and the block's input added inside the last nonlinearity.

    z^1 = W_1 a^0 + ...,  a^1 = phi(z^1),  ...,  a^n = phi(z^n + a^0)

(He et al. 2016, Deep residual learning; the teaching texts' block has n = 2: a^{l+2} =
phi(z^{l+2} + a^l).) One step of the network is one block, its state is the block's output; the
inputs of its n layers lie side by side, (n I, B). The cell is one nonlinearity around an affine map
(linear, rnn).

With a cotangent g at a^n, the last layer's pre-activation has g phi', and so has the skip:
    g^0 = (g pulled through the n layers) + g phi'(z^n + a^0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.affine import blocks
from gradlab.cells.interface import Cell, Reading, Shape, Share, Tensors
from gradlab.networks.parts import Locals, apart, jacobian_by_vjp, joined
from gradlab.nonlinearity import Array


class SkippedBlock:
    """n layers with a skip as one cell; tied: all of them have the same weights."""

    def __init__(self, cell: Cell, n: int, tied: bool, H: int) -> None:
        self.cell, self.n, self.D = cell, n, len(cell.STATE) * H
        self.ends = ("",) * n if tied else tuple(f"_b{k}" for k in range(n))
        self.SOURCE, self.EQUATIONS = cell.SOURCE, cell.EQUATIONS
        sets = list(dict.fromkeys(self.ends))
        self.GATES = tuple(f"{gate}{end}" for end in sets for gate in cell.GATES)
        self.PACKED = tuple(f"{gate}{end}" for end in sets for gate in cell.PACKED)
        self.STATE, self.KEEPS, self.BIASES = cell.STATE, cell.KEEPS, cell.BIASES
        self.Options, self.Local = cell.Options, Locals

    def shapes(self, H: int, I: int, biases: int, options: Any) -> dict[str, Shape]:
        own = self.cell.shapes(H, I, biases, options)
        return {f"{name}{end}": own[name] for end in self.ends for name in own}

    def init(self, tensors: Tensors, options: Any) -> tuple[Any, ...]:
        def own(end: str) -> dict[str, Array]:
            return {name.removesuffix(end): a for name, a in tensors.items() if name.endswith(end)}

        return tuple(self.cell.init(own(end), options) for end in self.ends)

    def max_slope(self, options: Any) -> None:
        return None  # the textbook's bound knows no skip

    def drive(self, p: tuple[Any, ...], x: Array) -> Array:
        every = zip(p, blocks(x, self.n), strict=True)
        return np.concatenate([self.cell.drive(*each) for each in every], axis=-2)

    def step(self, p: tuple[Any, ...], s: Array, u: Array) -> tuple[Array, Array]:
        layers, inner = [], s
        for own, drive in zip(p, self._last_plus(blocks(u, self.n), s), strict=True):
            inner, a = self.cell.step(own, inner, drive)
            layers += [a, inner]
        return inner, np.concatenate(layers, axis=-2)

    def linearize(self, p: tuple[Any, ...], s_prev: Array, a: Array, s: Array) -> Locals:
        parts = blocks(a, 2 * self.n)
        before = (s_prev, *parts[1:-1:2])
        every = zip(p, before, parts[::2], parts[1::2], strict=True)
        return joined([self.cell.linearize(*each) for each in every])

    def vjp(self, p: tuple[Any, ...], loc: Locals, g: Array) -> tuple[Array, Array]:
        cotangents = []
        for own, local in reversed(list(zip(p, apart(self.cell, loc, self.n), strict=True))):
            g, cot = self.cell.vjp(own, local, g)
            cotangents.append(cot)
        return g + cotangents[0], np.concatenate(cotangents[::-1], axis=-2)

    def jacobian(self, p: tuple[Any, ...], loc: Locals) -> Array:
        return jacobian_by_vjp(self, p, loc, self.D)

    def pull(self, p: tuple[Any, ...], loc: Locals, cot: Array) -> Array:
        every = zip(p, apart(self.cell, loc, self.n), blocks(cot, self.n), strict=True)
        return np.concatenate([self.cell.pull(*each) for each in every], axis=-2)

    def shares(self, cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
        parts = blocks(a, 2 * self.n)
        before = (s_prev, *parts[1:-1:2])
        every = zip(blocks(cot, self.n), parts[::2], before, blocks(x, self.n), strict=True)
        layers = [self.cell.shares(*each) for each in every]
        if len(set(self.ends)) == 1:  # one tensor: its terms side by side, as more sequences
            return tuple(_side_by_side(terms) for terms in zip(*layers, strict=True))
        return tuple(
            share._replace(tensor=f"{share.tensor}{end}")
            for end, terms in zip(self.ends, layers, strict=True)
            for share in terms
        )

    def totals(self, p: tuple[Any, ...], loc: Locals, g: Array, cot: Array) -> dict[str, Array]:
        return {}

    def readings(self, loc: Locals) -> dict[str, Reading]:
        each = [self.cell.readings(local) for local in apart(self.cell, loc, self.n)]
        return {
            name: Reading(
                np.concatenate([one[name].value for one in each], axis=-2),
                np.concatenate([one[name].slope for one in each], axis=-2),
            )
            for name in each[0]
        }

    def _last_plus(self, drives: tuple[Array, ...], skip: Array) -> tuple[Array, ...]:
        return (*drives[:-1], drives[-1] + skip)


def _side_by_side(terms: tuple[Share, ...]) -> Share:
    """The sum of terms that go to the same rows of a tensor."""
    rights = [term.right for term in terms if term.right is not None]
    return terms[0]._replace(
        left=np.concatenate([term.left for term in terms], axis=-1),
        right=np.concatenate(rights, axis=-1) if rights else None,
    )
