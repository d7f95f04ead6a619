"""The harness that holds any cell's derivatives against its own `step`, at the cells of gradlab.

It is that of `gradlab gradcheck`; here are the names by which the tests go through all cells.
"""

from __future__ import annotations

from gradlab.cells import CELLS
from gradlab.gradcheck.harness import (
    REGIMES,
    SIZES,
    TINY,
    Point,
    R,
    adjoint_error,
    analyticity_error,
    described,
    gradients,
    jacobian_by_complex_step,
    jacobian_error,
    largest,
    outer,
    parameter_error,
    random_point,
    variants,
    with_vjp,
)
from gradlab.nonlinearity import Array

__all__ = [
    "REGIMES",
    "SIZES",
    "TINY",
    "VARIANTS",
    "Array",
    "Point",
    "R",
    "adjoint_error",
    "analyticity_error",
    "described",
    "gradients",
    "jacobian_by_complex_step",
    "jacobian_error",
    "largest",
    "outer",
    "parameter_error",
    "point",
    "variants",
    "with_vjp",
]

VARIANTS = {
    described(name, options): (cell, options)
    for name, cell in CELLS.items()
    for options in variants(cell)
}


def fits(variant: str, size: tuple[int, ...]) -> bool:
    """Whether the cell can have these H, I; its `shapes` raises where it cannot."""
    cell, options = VARIANTS[variant]
    try:
        cell.shapes(*size[:2], cell.BIASES, options)
    except ValueError:
        return False
    return True


def point(variant: str, size: tuple[int, int, int], regime: str) -> Point:
    """A random step whose pre-activations have standard deviation about REGIMES[regime].

    It has every bias that the cell can have. Inputs are as wide as the state for a cell that wants
    it so.
    """
    cell, options = VARIANTS[variant]
    return random_point(cell, options, size if fits(variant, size) else wide(size), regime)


def wide(size: tuple[int, int, int]) -> tuple[int, int, int]:
    """Inputs as wide as the state."""
    H, _, B = size
    return H, H, B
