"""What a user's file is held to before anything is computed with it: a small random case.

The step must run, keep its shape, be a function of its arguments alone, give finite numbers, keep
sequences and members apart, and be analytic: a complex step against a central difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradlab.cells.own.adapter import OwnCell
from gradlab.cells.own.faults import OwnCellError
from gradlab.cells.own.folding import folding
from gradlab.cells.own.partials import TINY, pattern
from gradlab.cells.own.products import Tape, noted
from gradlab.nonlinearity import Array

R, B = 2, 3
SIZES = ((5, 7), (6, 7), (8, 3), (5, 5), (6, 6))  # (H, I) to try; H and I apart where possible
SCALES = (1.0, 0.1, 10.0)  # of the state and inputs: where something is off at one of them
H_STEP = 5e-6  # of the central difference: truncation h^2 and rounding eps / h are about 1e-10
TOLERANCE = 1e-6

NOT_ANALYTIC = (
    "step is not analytic: with a small imaginary part in s, x and p its derivative comes out "
    "wrong. Avoid abs, max of two signals, sign, .real, float(), arrays of a fixed float dtype; "
    "gradlab.nonlinearity has relu and sigmoid that work"
)


class Case(NamedTuple):
    """A random step, folded."""

    H: int
    I: int
    tensors: dict[str, Array]  # (R, rows, columns)
    s: Array  # (R, D, B)
    x: Array  # (R, I, B)


def check(cell: OwnCell) -> None:
    """Fill in what the cell learns of its file. Raises OwnCellError where it cannot be used."""
    if not cell.STATE or cell.STATE[0] != "h" or len(set(cell.STATE)) < len(cell.STATE):
        raise OwnCellError(f"{cell.path.name}: STATE names the parts of the state, 'h' first")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a cast that drops the imaginary part is told below
        case = _case_that_runs(cell)
        _check_values(cell, case)
        _check_apart(cell, case)
        _check_analytic(cell, case)
        shapes = cell.every(case.H, case.I)
        cases = [cell.cut(case.tensors, shapes, scale * case.s, scale * case.x) for scale in SCALES]
        cell.pattern = pattern(cases, case.H, case.I)
        cell.width = case.H
        tape = Tape()
        cell.call(noted(case.tensors, shapes, tape), case.s, case.x)
        cell.multiplied = tuple(product.tensor for product in tape.products)


def _case_that_runs(cell: OwnCell) -> Case:
    """The first of SIZES that the cell can have."""
    first: OwnCellError | None = None
    for H, I in SIZES:
        try:
            case = _case(cell, H, I)
            _step(cell, case)
        except OwnCellError as error:
            first = first or error
            continue
        cell.square = H == I
        return case
    assert first is not None
    raise first


def _case(cell: OwnCell, H: int, I: int) -> Case:
    random = np.random.default_rng([H, I])
    shapes, D = cell.every(H, I), len(cell.STATE) * H
    tensors = {
        name: random.standard_normal((R, *shape)) / np.sqrt(shape[-1] if shape[1:] else 1)
        for name, shape in shapes.items()
    }
    s, x = random.standard_normal((R, D, B)), random.standard_normal((R, I, B))
    return Case(H, I, folding(tensors, shapes, s).tensors(tensors, shapes), s, x)


def _step(cell: OwnCell, case: Case) -> Array:
    tape = Tape()
    shapes = cell.every(case.H, case.I)
    return cell.call(noted(case.tensors, shapes, tape), case.s, case.x)


def _check_values(cell: OwnCell, case: Case) -> None:
    new = _step(cell, case)
    if not np.issubdtype(new.dtype, np.floating):
        raise OwnCellError(f"{cell.path.name}: step returned {new.dtype}, not floating point")
    if not np.isfinite(new).all():
        raise OwnCellError(f"{cell.path.name}: step gives NaN or infinity for numbers around 1")
    if not np.array_equal(new, _step(cell, case)):
        raise OwnCellError(f"{cell.path.name}: step gives another state for the same arguments")


def _check_apart(cell: OwnCell, case: Case) -> None:
    """A sequence's, and a member's, next state hangs on none of the others."""
    new = _step(cell, case)
    for axis, what in ((-1, "sequences (the last axis)"), (0, "members (the first axis)")):
        s, x = np.moveaxis(case.s, axis, 0).copy(), np.moveaxis(case.x, axis, 0).copy()
        s[0] += 1
        x[0] += 1
        moved = case._replace(s=np.moveaxis(s, 0, axis), x=np.moveaxis(x, 0, axis))
        others = [np.moveaxis(a, axis, 0)[1:] for a in (new, _step(cell, moved))]
        if np.abs(others[0] - others[1]).max() > TOLERANCE:
            raise OwnCellError(f"{cell.path.name}: step mixes {what}; each must go its own way")


def _check_analytic(cell: OwnCell, case: Case) -> None:
    """Complex step against central difference along a few random directions of everything."""
    for seed in range(3):
        moved = _along(cell, case, np.random.default_rng(seed))
        central = (moved(H_STEP) - moved(-H_STEP)).real / (2 * H_STEP)
        by_step = moved(1j * TINY).imag / TINY
        if not np.abs(central - by_step).max() <= TOLERANCE * max(np.abs(central).max(), 1e-3):
            raise OwnCellError(f"{cell.path.name}: {NOT_ANALYTIC}")


def _along(cell: OwnCell, case: Case, random: np.random.Generator) -> Callable[[complex], Array]:
    def direction(a: Array) -> Array:
        return random.standard_normal(a.shape)

    v_s, v_x = direction(case.s), direction(case.x)
    v_p = {name: direction(tensor) for name, tensor in case.tensors.items()}

    def moved(h: complex) -> Array:
        tensors = {name: tensor + h * v_p[name] for name, tensor in case.tensors.items()}
        return _step(cell, Case(case.H, case.I, tensors, case.s + h * v_s, case.x + h * v_x))

    return moved
