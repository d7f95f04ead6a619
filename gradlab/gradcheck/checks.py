"""The checks of a cell, their tolerances, and the worst that was found of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.errors import GradlabError
from gradlab.gradcheck.harness import (
    REGIMES,
    SIZES,
    Point,
    adjoint_error,
    analyticity_error,
    described,
    jacobian_error,
    parameter_error,
    random_point,
    variants,
)


class Check(NamedTuple):
    """What is compared, and how far it may be off."""

    what: str
    error: Callable[[Point], float]
    tolerance: float
    regimes: tuple[str, ...] = tuple(REGIMES)


CHECKS: dict[str, Check] = {
    # truncation and rounding of a central difference are each about 1e-10; in saturation the
    # derivative lies below the rounding of the difference, so there it can judge nothing
    "step": Check(
        "complex step against central difference",
        analyticity_error,
        1e-8,
        ("near_zero", "typical"),
    ),
    # both sides are a few products of factors right to 4 eps; 1e-13 leaves a factor of 100
    "jacobian": Check("against complex step, all columns", jacobian_error, 1e-13),
    # sums of up to R B D^2 = 400 terms, errors relative to the sum of their sizes
    "vjp": Check("<g, J v> against <J^T g, v>", adjoint_error, 1e-13),
    # some hundred terms, and the rounding of a pre-activation of size 60 in the exponent of a slope
    "parameters, inputs": Check("a random direction, against complex step", parameter_error, 1e-12),
}


@dataclass(frozen=True)
class Result:
    """The worst of one check: the relative error, and where it was; NaN where something is not
    finite.
    """

    check: str
    error: float
    size: tuple[int, int, int]  # H, I, B
    regime: str
    variant: str  # the cell with its options

    @property
    def tolerance(self) -> float:
        """What the error may be."""
        return CHECKS[self.check].tolerance

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance; NaN is not."""
        return self.error <= self.tolerance


def gradcheck(name: str, cell: Cell, checks: Collection[str] = tuple(CHECKS)) -> list[Result]:
    """The worst of every check, or of some, over option variants, sizes and regimes.

    name: what the cell is called. checks: which of CHECKS. Raises GradlabError where the cell has
    none of the sizes.
    """
    worst: dict[str, Result] = {}
    for where, at in _points(name, cell):
        for check, (_, error, _, regimes) in CHECKS.items():
            if check not in checks or where.regime not in regimes:
                continue
            with np.errstate(all="ignore"):  # what is not finite comes out as NaN, and fails
                found = error(at)
            result = Result(check, found, where.size, where.regime, where.variant)
            if check not in worst or _badness(result) > _badness(worst[check]):
                worst[check] = result
    if not worst:
        raise GradlabError(f"{name} has none of the sizes (H, I) that are tried")
    return [worst[check] for check in CHECKS if check in worst]


def _badness(result: Result) -> float:
    return math.inf if math.isnan(result.error) else result.error


class _Where(NamedTuple):
    """Which point it is."""

    variant: str
    size: tuple[int, int, int]
    regime: str


def _points(name: str, cell: Cell) -> Iterator[tuple[_Where, Point]]:
    for options in variants(cell):
        for size in _possible(cell, options):
            for regime in REGIMES:
                where = _Where(described(name, options), size, regime)
                yield where, random_point(cell, options, size, regime)


def _possible(cell: Cell, options: object) -> list[tuple[int, int, int]]:
    """SIZES, with inputs as wide as the state where the cell wants that."""
    found = []
    for H, I, B in SIZES:
        for size in dict.fromkeys([(H, I, B), (H, H, B)]):
            try:
                cell.shapes(size[0], size[1], cell.BIASES, options)
            except ValueError:
                continue
            found.append(size)
            break
    return found
