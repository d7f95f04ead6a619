"""The chain rule across the products of a step, for cotangents and gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradlab.cells.interface import Shape, Share
from gradlab.cells.own.partials import Layout
from gradlab.nonlinearity import Array


def widened(a: Array, s: Array) -> Array:
    """a with as many members and sequences as s (R, D, B)."""
    return np.broadcast_to(a, (s.shape[0], a.shape[-2], s.shape[-1]))


def rows_of(p: dict[str, Array], plan: Layout, k: int) -> Array:
    """The matrix of a product (..., rows, columns)."""
    product = plan.products[k]
    return p[product.tensor][..., product.row : product.row + product.rows, :]


def pulled(plan: Layout, source: str, partials: Array, bars: dict[str, Array]) -> Array:
    """The cotangent of a source from those of its targets."""
    (*lead, _, B), rows = bars["new"].shape, plan.sources[source]
    out = np.zeros((*lead, rows, B), partials.dtype)
    for part in plan.of(source):
        out[..., part.of, :] += part.pull(partials, bars[part.target.name])
    return out


def split(plan: Layout, cot: Array, D: int) -> Iterator[tuple[str, Array]]:
    """Cotangents by name, as `vjp` packs them."""
    widths = {f"z{k}": product.rows for k, product in enumerate(plan.products)}
    at = 0
    for name, rows in {**widths, **plan.vectors, "new": D}.items():
        yield name, cot[..., at : at + rows, :]
        at += rows


def disjoint(tensor: str, shape: Shape, terms: list[Share]) -> tuple[Share, ...]:
    """The terms of a tensor; those that share rows become one, with the columns side by side."""
    mine = sorted((t for t in terms if t.tensor == tensor), key=lambda t: t.row)
    ends = [t.row + t.left.shape[-2] for t in mine]
    if all(end <= t.row for end, t in zip(ends, mine[1:], strict=False)):
        return tuple(mine)
    lefts = []
    for t in mine:
        whole = np.zeros((*t.left.shape[:-2], shape[0], t.left.shape[-1]), t.left.dtype)
        whole[..., t.row : t.row + t.left.shape[-2], :] = t.left
        lefts.append(whole)
    rights = [t.right for t in mine if t.right is not None]
    return (Share(tensor, np.concatenate(lefts, axis=-1), np.concatenate(rights, axis=-1)),)


def pushed(p: dict[str, Array], plan: Layout, partials: Array, D: int) -> Array:
    """The Jacobian (..., B, D, D) from the partial derivatives (..., P, B)."""
    *lead, _, B = partials.shape
    dots = {"s": np.broadcast_to(np.eye(D, dtype=partials.dtype), (*lead, B, D, D))}

    def total(target: str, rows: int) -> Array:
        out = np.zeros((*lead, B, rows, D), partials.dtype)
        for part in plan.to(target):
            if part.source.name in dots:
                out[..., part.to, :] += part.push(partials, dots[part.source.name])
        return out

    for k, product in enumerate(plan.products):
        if any(part.source.name in dots for part in plan.to(f"v{k}")):
            dots[f"z{k}"] = rows_of(p, plan, k)[..., None, :, :] @ total(f"v{k}", product.columns)
    return total("new", D)
