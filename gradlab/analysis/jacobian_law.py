"""Singular values of one step's Jacobian, J = D W, at large width.

W is H x H with independent entries of variance g^2 / H, D = diag phi'(a) with a ~ N(b, q), and W
and D are taken as independent. Then J J^T is a sample covariance matrix of as many samples as
dimensions, whose population t = g^2 phi'(a)^2 has distribution P, and the Stieltjes transform m(z)
of its eigenvalues x = sigma^2 solves (Marchenko, Pastur 1967; Silverstein, Bai 1995)

    z = -1 / m + E[t / (1 + t m)],        Im m > 0 for Im z > 0,

one solution. The density of x is Im m(x + i0) / pi, that of sigma 2 sigma / pi times Im m. The
right edge is z(m) where z'(m) = 0, 1 / m^2 = E[t^2 / (1 + t m)^2], on (-1 / t_max, 0) (Silverstein,
Choi 1995). Moments: E sigma^2 = E t = chi of the mean field, E sigma^4 = E t^2 + (E t)^2.

D = 1 is the quarter circle. Where phi' = 0 (ReLU), so many singular values are exactly 0: an atom,
that is not part of the density, which then has a lower edge too. The trap: near 0 the density of
saturated units piles up over many decades, so x is approached from the complex plane along
z = x exp(i angle), at a distance that is relative to x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.analysis.moments import nodes, positive
from gradlab.nonlinearity import NONLINEARITIES, Array

NEGLIGIBLE = 1e-15  # probability of a value that is left out
ROUNDING = 1e-12  # of a sum of probabilities
EQUAL = 1e-13  # relative: phi'(a) and phi'(-a) are computed the same to within rounding
FAR = 100.0  # times the mean of t: there m is -1 / z, nearly
CLOSER = 1 / 16  # |z| from one start to the next on the imaginary axis
ANGLES = np.pi / 16.0 ** np.arange(1, 9)  # of z, from there down to 7e-10
NEWTON = 40  # iterations, at most; two or three are usual
CLOSE = 1e-10  # relative change at which they end


@dataclass(frozen=True)
class Population:
    """The positive values t = g^2 phi'(a)^2, ascending, and their probabilities: (K,) each."""

    t: Array
    weight: Array

    @property
    def zeros(self) -> float:
        """The probability of t = 0: the share of singular values that are exactly 0."""
        missing = 1.0 - float(self.weight.sum())
        return missing if missing > ROUNDING else 0.0

    def moment(self, k: int) -> float:
        """E t^k, k >= 1."""
        return float(self.weight @ self.t**k)


def population(activation: str, g: float, bias: float, q: float) -> Population:
    """t over units with a ~ N(bias, q)."""
    if activation in ("linear", "relu"):  # a step is nothing for a quadrature
        share = 1.0 if activation == "linear" else positive(bias, q)
        return of_values(np.array([g * g]), np.array([share]))
    z, weight = nodes(q)
    slope = NONLINEARITIES[activation].slope(bias + math.sqrt(q) * z)
    return of_values(g * g * slope**2, weight)


def of_values(t: Array, weight: Array) -> Population:
    """The Population of values t >= 0 with these probabilities; equal values become one."""
    kept = (t > 0) & (weight > NEGLIGIBLE)
    order = np.argsort(t[kept])
    t, weight = t[kept][order], weight[kept][order]
    first = np.diff(t, prepend=0.0) > EQUAL * t
    return Population(t[first], np.bincount(np.cumsum(first) - 1, weight, int(first.sum())))


def density(sigma: Array, units: Population) -> Array:
    """Density of the singular values at sigma > 0 (N,); it integrates to 1 - units.zeros."""
    if len(units.t) == 0:
        return np.zeros_like(sigma)
    x = np.asarray(sigma, float) ** 2
    return np.asarray(2 * sigma * np.maximum(stieltjes(x, units).imag, 0.0) / math.pi)


def edge(units: Population) -> float:
    """The largest singular value at H -> infinity; 0 where all are 0."""
    if len(units.t) == 0:
        return 0.0

    def excess(m: float) -> float:
        ratio = units.t * m / (1 + units.t * m)
        return float(units.weight @ (ratio * ratio)) - 1

    low, high = -1.0 / float(units.t[-1]), 0.0  # excess falls from infinity to -1
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return math.sqrt(-1 / high + float(units.weight @ (units.t / (1 + units.t * high))))


def stieltjes(x: Array, units: Population) -> NDArray[np.complex128]:
    """m(x + i0) for x > 0 (N,), t positive for some unit.

    Newton's method, each time from the solution before: down the imaginary axis to i x, then on
    the circle |z| = x to the real axis.
    """
    far = FAR * units.moment(1) + x
    steps = math.ceil(math.log(float((far / x).max(initial=1.0))) / -math.log(CLOSER))
    path = [1j * np.maximum(x, far * CLOSER**k) for k in range(steps + 1)]
    path += [x * np.exp(1j * angle) for angle in ANGLES]
    m = -1 / path[0]
    for z in path:
        m = _solution(m, z, units)
    return m


def _solution(
    m: NDArray[np.complex128], z: NDArray[np.complex128], units: Population
) -> NDArray[np.complex128]:
    """Newton's method for z m + P(t = 0) + E[1 / (1 + t m)] = 0, which is the equation without its
    cancellation at large m. Where a step leaves the upper half plane, half of it, and so on.
    """
    for _ in range(NEWTON):
        inverse = 1 / (1 + m[:, None] * units.t)
        value = z * m + units.zeros + inverse @ units.weight
        step = value / (z - (inverse * inverse) @ (units.weight * units.t))
        while (outside := (m - step).imag <= 0).any():
            step = np.where(outside, step / 2, step)
        m = m - step
        if (np.abs(step) <= CLOSE * np.abs(m)).all():
            break
    return m
