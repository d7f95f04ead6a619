"""The derivatives of a step with its products cut out, by complex step.

For analytic f, Im f(y + i h v) / h = f'(y) v up to h^2, without a difference of nearly equal
numbers; with h = 1e-100 the h^2 is gone.

Sources are s, x, the vectors and the results z_k of the products; targets are the operands v_k and
the new state. Rows are taken in blocks of H (or I). What is found once, on a small random case: on
which blocks of sources a block of targets depends, and whether row i on row i alone, as in every
elementwise function. Such a source block costs one evaluation for all its rows, another one for
each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from gradlab.cells.own.products import Product
from gradlab.nonlinearity import Array

TINY = 1e-100

Values = Mapping[str, Array]  # by name: s, x, vectors, z0, z1, ...; v0, v1, ..., new
Evaluate = Callable[[Values], Values]  # sources -> targets, all (R, rows, B)


class Block(NamedTuple):
    """Rows of a source or target: the number-th block of H or I rows, or all rows."""

    name: str
    number: int
    unit: Literal["H", "I", "all"]

    def rows(self, H: int, I: int, total: int) -> slice:
        """Which rows, of `total`."""
        if self.unit == "all":
            return slice(0, total)
        width = H if self.unit == "H" else I
        return slice(self.number * width, (self.number + 1) * width)


class Source(NamedTuple):
    """A source block with the target blocks that depend on it."""

    block: Block
    targets: tuple[Block, ...]
    elementwise: bool  # row i of each of them on row i alone


Pattern = tuple[Source, ...]


def blocks_of(name: str, rows: int, H: int, I: int) -> list[Block]:
    """The blocks of an array with so many rows, told at sizes H and I that are told apart."""
    for unit, width in (("H", H), ("I", I)):
        if rows % width == 0:
            return [Block(name, k, "H" if unit == "H" else "I") for k in range(rows // width)]
    return [Block(name, 0, "all")]


def pattern(cases: Sequence[tuple[Evaluate, Values]], H: int, I: int) -> Pattern:
    """What depends on what, from every row moved by itself, in any of some cases.

    A part that does not depend keeps an imaginary part of exactly zero.
    """
    evaluate, first = cases[0]
    targets = evaluate(first)
    goals = [b for name, a in targets.items() for b in blocks_of(name, a.shape[-2], H, I)]
    found = []
    for name, value in first.items():
        for block in blocks_of(name, value.shape[-2], H, I):
            rows = block.rows(H, I, value.shape[-2])
            depends = _dependence(cases, name, rows, goals, H, I)
            there = tuple(goal for goal, mask in depends.items() if mask.any())
            elementwise = all(_diagonal(depends[goal]) for goal in there)
            if there:
                same = all(goal.unit == block.unit != "all" for goal in there)
                found.append(Source(block, there, elementwise and same))
    return tuple(found)


def _dependence(
    cases: Sequence[tuple[Evaluate, Values]],
    name: str,
    rows: slice,
    goals: list[Block],
    H: int,
    I: int,
) -> dict[Block, Array]:
    """Which rows of each goal depend on which of the rows: masks (target rows, source rows)."""
    masks: dict[Block, Array] = {}
    for evaluate, sources in cases:
        moved = [derivative(evaluate, sources, name, slice(i, i + 1)) for i in _each(rows)]
        for goal in goals:
            values = np.stack([m[goal.name] for m in moved], axis=-1)  # (R, rows, B, moved)
            inner = values[:, goal.rows(H, I, values.shape[1])]
            found = (np.isfinite(inner) & (inner != 0)).any(axis=(0, 2))
            masks[goal] = masks.get(goal, False) | found
    return masks


def _diagonal(mask: Array) -> bool:
    m, n = mask.shape
    return m == n and not (mask & ~np.eye(n, dtype=bool)).any()


def _each(rows: slice) -> range:
    return range(rows.start, rows.stop)


def derivative(evaluate: Evaluate, sources: Values, name: str, rows: slice) -> Values:
    """Targets by some rows of a source, moved together."""
    moved = sources[name].astype(complex)
    moved[..., rows, :] += 1j * TINY
    return {k: a.imag / TINY for k, a in evaluate({**sources, name: moved}).items()}


@dataclass(frozen=True)
class Partial:
    """d(target rows) / d(source rows), and where it is among the partials of a step.

    Elementwise it is one number a row; else the number for target row i and source row j is in row
    i n + j.
    """

    source: Block
    target: Block
    of: slice  # rows of the source
    to: slice  # rows of the target
    at: slice  # rows of the partials
    elementwise: bool

    def pull(self, partials: Array, bar: Array) -> Array:
        """The source's cotangent (..., rows, B) from the target's, `bar` (..., all rows, B)."""
        part, g = partials[..., self.at, :], bar[..., self.to, :]
        if self.elementwise:
            return part * g
        return np.einsum("...ijb,...ib->...jb", self._square(part), g)

    def push(self, partials: Array, dots: Array) -> Array:
        """The target's derivatives (..., B, rows, D) from the source's, `dots` (..., B, all rows,
        D).
        """
        part, d = partials[..., self.at, :], dots[..., self.of, :]
        if self.elementwise:
            return part.swapaxes(-1, -2)[..., None] * d
        return np.moveaxis(self._square(part), -1, -3) @ d

    def _square(self, part: Array) -> Array:
        n = self.of.stop - self.of.start
        return part.reshape(*part.shape[:-2], -1, n, part.shape[-1])


@dataclass(frozen=True)
class Layout:
    """A cell at some sizes: its products, and where each partial derivative is kept."""

    H: int
    I: int
    products: tuple[Product, ...]
    vectors: dict[str, int]  # name -> rows
    partials: tuple[Partial, ...]
    sources: dict[str, int]  # name -> rows

    @property
    def rows(self) -> int:
        """Of the partials of a step."""
        return self.partials[-1].at.stop if self.partials else 0

    def to(self, target: str) -> list[Partial]:
        """The partials of a target."""
        return [p for p in self.partials if p.target.name == target]

    def of(self, source: str) -> list[Partial]:
        """The partials by a source."""
        return [p for p in self.partials if p.source.name == source]


def layout(
    found: Pattern, H: int, I: int, D: int, products: tuple[Product, ...], vectors: dict[str, int]
) -> Layout:
    """The layout at sizes H, I for a cell of this pattern."""
    sources = {"s": D, "x": I, **vectors}
    targets = {"new": D}
    for k, product in enumerate(products):
        sources[f"z{k}"], targets[f"v{k}"] = product.rows, product.columns
    partials, at = [], 0
    for source in found:
        of = source.block.rows(H, I, sources[source.block.name])
        for target in source.targets:
            to = target.rows(H, I, targets[target.name])
            n = of.stop - of.start
            rows = n if source.elementwise else n * (to.stop - to.start)
            where = slice(at, at + rows)
            partials.append(Partial(source.block, target, of, to, where, source.elementwise))
            at += rows
    return Layout(H, I, products, vectors, tuple(partials), sources)


def all_partials(evaluate: Evaluate, sources: Values, plan: Layout) -> Array:
    """Every partial derivative of a step: (R, plan.rows, B)."""
    R, _, B = sources["s"].shape
    out = np.zeros((R, plan.rows, B))
    for block in dict.fromkeys(p.source for p in plan.partials):
        mine = [p for p in plan.partials if p.source == block]
        of = mine[0].of
        if mine[0].elementwise:
            found = derivative(evaluate, sources, block.name, of)
            for p in mine:
                out[:, p.at] = found[p.target.name][:, p.to]
            continue
        n = of.stop - of.start
        for j, row in enumerate(_each(of)):
            found = derivative(evaluate, sources, block.name, slice(row, row + 1))
            for p in mine:
                out[:, p.at.start + j : p.at.stop : n] = found[p.target.name][:, p.to]
    return out
