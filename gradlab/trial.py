"""One step of a network, tried out with weights of zero: the names and the rows that it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gradlab.kernels import kernel_of
from gradlab.nonlinearity import Array
from gradlab.spec import Spec


@dataclass(frozen=True)
class Step:
    """What a step of one chain has, for one sequence.

    parts: of the state that have norms; gates: that are read. Rows: of the state, of what forward
    keeps beside it, and, without what these are views of, of the local derivatives, of the
    cotangents, of the terms of the parameters' gradients, and of the local derivatives that a
    kernel makes.
    """

    parts: tuple[str, ...]
    gates: tuple[str, ...]
    state: int
    activations: int
    local: int
    cotangents: int
    shares: int
    reused: int


def one_step(spec: Spec, H: int, I: int) -> Step:
    """A step of the experiment's network, were it of H units and I inputs."""
    cell = replace(spec, H=H).network
    options = cell.Options(**spec.options)
    shapes = cell.shapes(H, I, 2, options)
    p = cell.init({n: np.zeros((1, *shape), spec.dtype) for n, shape in shapes.items()}, options)
    layers = 1 if spec.topology.chained else spec.topology.layers
    s = np.zeros((1, len(cell.STATE) * H * layers, 1), spec.dtype)
    x = np.zeros((1, spec.topology.stride * I, 1), spec.dtype)  # a block takes those of its steps
    after, a = cell.step(p, s, cell.drive(p, x))
    local = cell.linearize(p, s, a, after)
    g, cotangents = cell.vjp(p, local, np.ones_like(s))
    totals, readings = cell.totals(p, local, g, cotangents), cell.readings(local)
    shares = cell.shares(cotangents, a, s, x)
    terms = [array for share in shares for array in (share.left, share.right) if array is not None]
    kept, kernel = [s, x, after, a], kernel_of(cell)
    return Step(
        parts=(*cell.STATE, *totals),
        gates=tuple(readings),
        state=s.shape[1],
        activations=a.shape[1],
        local=_rows(local, kept),
        cotangents=cotangents.shape[1],
        shares=_rows(terms, [*kept, cotangents, *local]),
        reused=0 if kernel is None else kernel.rows(p).local,
    )


def _rows(arrays: Iterable[Array], there: Iterable[Array]) -> int:
    """Rows of arrays (1, rows, 1), each once, without those that are parts of what is there."""
    known = {id(_owner(a)) for a in there}
    new = {id(_owner(a)): _owner(a) for a in arrays if id(_owner(a)) not in known}
    return sum(a.size for a in new.values())


def _owner(a: Array) -> Array:
    """The array that a view is of."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a
