"""The checks: a claim, how far off it may be and why, and the worst that was found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.errors import GradlabError
from gradlab.gradcheck import CHECKS as OF_A_STEP
from gradlab.verify import bits, derivatives, norms, spectra, textbook, theory

# of linear algebra (numpy's LinAlgError is a ValueError), and of a draw that is beyond range
NUMERICAL = (ArithmeticError, ValueError, GradlabError)


class Check(NamedTuple):
    """What is claimed, how far it may be off, why so far, and what finds the worst of it."""

    claim: str
    tolerance: float
    reason: str
    worst: Callable[[], float]


def _derivative(of: str, claim: str, reason: str) -> Check:
    """One of gradcheck's checks, with its tolerance, for every cell."""
    return Check(claim, OF_A_STEP[of].tolerance, reason, derivatives.of_one_step(of))


CHECKS: dict[str, Check] = {
    "step": _derivative(
        "step",
        "complex step = central difference, every cell",
        "truncation and rounding of the difference are 1e-10 each",
    ),
    "jacobian": _derivative(
        "jacobian",
        "J_t = complex step, every cell",
        "a few products of factors that are right to 4 eps each",
    ),
    "vjp": _derivative(
        "vjp",
        "<g, J v> = <J^T g, v>, every cell",
        "sums of up to 400 terms, relative to the sum of their sizes",
    ),
    "parameters": _derivative(
        "parameters, inputs",
        "dL/dW, dL/dx = complex step, every cell",
        "hundreds of terms; the rounding of a pre-activation of 60 is in the exponent of a slope",
    ),
    "bptt": Check(
        "21 steps back = complex step of 21 forward",
        1e-12,
        "21 steps, each right to some eps times the norm of its Jacobian, below 10",
        derivatives.of_a_sequence,
    ),
    "determinant": Check(
        "sum of ln sigma_i(J_t) = ln|det J_t|",
        1e-10,
        "eps times the condition of J_t, 1e6 at most; 3e-11 in 150 draws",
        spectra.determinants,
    ),
    "lyapunov": Check(
        "sum of exponents = mean of ln|det J_t|",
        1e-10,
        "eps times the condition of J_t, 1e6 at most; 3e-11 in 150 draws",
        spectra.lyapunov_sum,
    ),
    "rotation": Check(
        "W = gQ: ln of sigmas, exponents, norms",
        1e-12,
        "some eps a step over 200 steps, and the rounding of a logarithm of 50",
        spectra.rotations,
    ),
    "products": Check(
        "ln sigma_i(J_T...J_t) = Jacobi rotations",
        1e-9,
        "1 to 100 eps times the condition of a step, 1e6 at most, over a range of 10^2000; 1.5e-10 "
        "in 12 draws",
        spectra.products,
    ),
    "saturated": Check(
        "the same, saturated = 1200 digits",
        1e-9,
        "phi' goes down to 1e-43, but is told apart from W: only the condition of W counts, 5",
        spectra.saturated,
    ),
    "far": Check(
        "log10 of the norm of W = gQ, 100000 steps",
        1e-9,
        "100000 eps / ln 10 is 1e-11, and so is the rounding in gQ",
        norms.far_norms,
    ),
    "plain": Check(
        "delta = a loop in plain floats, differing",
        0,
        "powers of two are exact",
        norms.plain_bits,
    ),
    "textbook": Check(
        "the twenty norms of seed 3, relative",
        1e-12,
        "20 steps at eps each",
        textbook.digits,
    ),
    "members": Check(
        "a seed among others = alone, differing",
        0,
        "each member is computed with the shapes that it has alone",
        bits.members,
    ),
    "checkpoints": Check(
        "states made again = kept, differing",
        0,
        "the same products in the same shapes",
        bits.checkpoints,
    ),
    "mean_field": Check(
        "growth rate of tanh, H = 256, = theory",
        0.01,
        "half of .02 in ln of the square: a standard error of .002 and what the theory leaves out, "
        ".003; other roundings of the chaotic run move it by .001",
        theory.mean_field_rate,
    ),
    "sigma_max": Check(
        "of Gaussian W, H = 64, = Tracy-Widom",
        0.02,
        "4 standard errors of 200 draws, .0035, and .005 of the asymptotic law",
        theory.largest_singular_value,
    ),
    "untied": Check(
        "exponents = Newman's, in standard errors",
        4.5,
        "the law is exact; the largest of 8 deviations exceeds it once in 3000 draws",
        theory.untied,
    ),
}


@dataclass(frozen=True)
class Result:
    """What one check found. worst: NaN where something is not finite, or where it raised."""

    name: str
    worst: float
    seconds: float
    error: str = ""  # what was raised instead

    @property
    def check(self) -> Check:
        """The claim, and its tolerance."""
        return CHECKS[self.name]

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance; NaN is not."""
        return self.worst <= self.check.tolerance


def verify(names: Collection[str] = ()) -> Iterator[Result]:
    """The result of each named check, or of all, as they are done; a check that raises a numerical
    error has failed. Raises KeyError for an unknown name.
    """
    for name in names or CHECKS:
        began, worst, error = time.perf_counter(), math.nan, ""
        try:
            with np.errstate(all="ignore"):  # what is not finite comes out as NaN, and fails
                worst = CHECKS[name].worst()
        except NUMERICAL as raised:
            error = f"{type(raised).__name__}: {raised}"
        yield Result(name, worst, time.perf_counter() - began, error)
