"""Derivatives against the complex step: of one step of every cell, and through a whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.cells import CELLS, find
from gradlab.cells.interface import Cell
from gradlab.engine.backward import sweep
from gradlab.engine.collect import parameter_gradients
from gradlab.engine.forward import forward
from gradlab.engine.loss import Injection
from gradlab.engine.scaled import Scaled
from gradlab.engine.schedule import Shared
from gradlab.gradcheck import gradcheck
from gradlab.gradcheck.harness import TINY, Point, random_point, variants
from gradlab.nonlinearity import Array

OWN = Path(__file__).with_name("leaky.py")
SIZE = (4, 4, 2)  # H, I, B; inputs as wide as the state, which every cell can have
STEPS = 21  # one block of the engine, and five steps


def tried() -> dict[str, Cell]:
    """Every cell, and one that is a user's file with `step` alone."""
    return {**CELLS, OWN.name: find(str(OWN))}


def of_one_step(check: str) -> Callable[[], float]:
    """The worst error of one of gradcheck's checks, over all cells, their options, sizes and
    regimes.
    """

    def error() -> float:
        found = [gradcheck(name, cell, [check])[0].error for name, cell in tried().items()]
        return float(np.max(found))

    return error


def of_a_sequence() -> float:
    """The gradient of a loss at every step, by the parameters and the initial state, along one
    random direction; relative to the sum of the sizes of its terms.
    """
    return float(np.max([_sequence_error(at) for at in _points()]))


def _points() -> Iterator[Point]:
    for cell in tried().values():
        for options in variants(cell):
            yield random_point(cell, options, SIZE, "typical")


def _sequence_error(at: Point) -> float:
    random = np.random.default_rng(4)
    R, _, B = at.s_prev.shape
    x = random.standard_normal((STEPS, *at.x.shape))
    dh = random.standard_normal((R, SIZE[0], B))
    toward = {name: random.standard_normal(a.shape) for name, a in at.tensors.items()}
    toward_s = random.standard_normal(at.s_prev.shape)
    judge = _unrolled(at, x, dh, toward, toward_s)
    total, delta = _backpropagated(at, x, dh)
    terms = [(total[name].plain() * toward[name]).ravel() for name in toward]
    flat = np.concatenate([*terms, (delta.plain() * toward_s).ravel()])
    return abs(float(flat.sum()) - judge) / float(np.abs(flat).sum())


def _unrolled(at: Point, x: Array, dh: Array, toward: dict[str, Array], toward_s: Array) -> float:
    """dL along the direction, by the complex step through all steps of the forward pass."""
    moved = {name: a + 1j * TINY * toward[name] for name, a in at.tensors.items()}
    p, s = at.cell.init(moved, at.options), at.s_prev + 1j * TINY * toward_s
    total = 0.0
    for x_t in x:
        s = at.cell.step(p, s, at.cell.drive(p, x_t))[0]
        total += float((dh * s[:, : SIZE[0]].imag).sum())
    return total / TINY


def _backpropagated(at: Point, x: Array, dh: Array) -> tuple[dict[str, Scaled], Scaled]:
    """dL/d(tensor) and delta_0, by the engine."""

    def segment(t0: int, n: int) -> Array:
        return x[t0 : t0 + n]

    way = forward(at.cell, Shared(at.p), segment, at.s_prev, STEPS)
    loss: Any = Injection(dh, range(1, STEPS + 1))
    shapes = {name: a.shape[1:] for name, a in at.tensors.items()}
    *_, first = sweep(way, loss)
    delta = Scaled(first.delta.mantissa[0], first.delta.exponent[0])
    return parameter_gradients(way, loss, shapes, 1), delta
