"""Mean-field theory of h_t = phi(a_t), a_t = W h_{t-1} + U x_t + b, at large width.

W_ij ~ N(0, g^2 / H); s2 is the variance of the input part U x_t of a pre-activation, drawn anew at
every step; b is one bias for all units. A pre-activation is then N(b, q), and

    q = g^2 E phi(a)^2 + s2                        the variance repeats itself from step to step
    chi = g^2 E phi'(a)^2                          growth of E||delta||^2 per step backwards

so ln E||delta||^2 grows by ln chi per lag, and ln||delta|| by ln(chi) / 2 nats per step, which is
also the largest Lyapunov exponent. At finite width H the mean of ln||delta||^2 lies lower,

    ln chi - [1 + 1.5 (m4 / m2^2 - 1)] / H,        m_k = E phi'(a)^k.

The trap: iterating the map for q stalls near g = 1, so it is solved by bisection. docs/theory.md
has the derivations, and what simulation says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gradlab.analysis.moments import LARGEST_Q, mean_log_slope, second_moment, slope_moment

SOURCE = (
    "chi: Schoenholz et al. 2017, Deep information propagation; in a recurrent net with input: "
    "Molgedey, Schuchhardt, Schuster 1992; finite width: docs/theory.md"
)
ACTIVATIONS = ("linear", "tanh", "relu", "sigmoid")

LARGEST = 1e100  # of g, s2 and the bias: their squares are floats
LINEAR_REGIME = 1.2  # m4 / m2^2 below which phi' varies too little from step to step
STEEP_RELU = 1.5  # g^2 from which the second moment of a ReLU net is no longer that of a real one
QUIET = 0.01  # s2 below which input no longer hides the fluctuations around the transition
TRANSITION = (0.9, 2.0)  # g of tanh where that matters


class Domain(Enum):
    """Where the theory does not hold, or not well. `value` is the sentence."""

    DIVERGES = (
        "q has no fixed point: the state grows without end; chi does not depend on it and holds."
    )
    SAME_SLOPE = (
        "phi' hardly varies from step to step, so that beyond about 20 lags the shared matrix "
        "takes over and the slope goes to that of its spectral radius, at finite width above "
        "ln chi; no finite-width value."
    )
    QUENCHED = (
        "The mean of phi is not 0: a part of each pre-activation stays the same from step to step. "
        "ln chi holds at large width (within 0.002 at H = 512); the finite-width value does not."
    )
    TRANSITION = (
        "Little input and g near the transition: fluctuations of finite width count, the measured "
        "slope is lower by 0.02 to 0.04 at H = 512, more at smaller H."
    )
    HEAVY_TAIL = (
        "ReLU with g^2 near 2: q of a net of finite width fluctuates widely and is larger; "
        "chi is right at large width."
    )
    AT_REST = (
        "No input and no bias: a net whose state starts at 0 stays there, linear with phi'(0) "
        "(ReLU: with a gradient of exact zeros). The theory is of a state that starts elsewhere."
    )
    NO_RECURRENCE = "The recurrent weights are zero: nothing is carried back, there is no rate."
    QUADRATURE = "q is above 4 million: the quadrature does not resolve phi there."


WITHOUT_WIDTH = {Domain.SAME_SLOPE, Domain.QUENCHED, Domain.NO_RECURRENCE}


@dataclass(frozen=True)
class MeanField:
    """The theory at one point. Rates are in nats per step; None where there is none."""

    activation: str
    g: float
    s2: float
    bias: float
    q: float | None  # variance of a pre-activation; None where it diverges
    chi: float
    peakedness: float  # m4 / m2^2, at least 1: 1 where phi' is the same for all units
    mean_log_slope: float  # E ln phi'; -inf for ReLU
    caveats: tuple[Domain, ...]
    source: str = SOURCE

    @property
    def log_chi(self) -> float | None:
        """Slope of ln E||delta||^2 against the lag, H -> infinity."""
        return math.log(self.chi) if self.chi > 0 else None

    @property
    def growth_rate(self) -> float | None:
        """ln(chi) / 2: slope of ln||delta||, and the largest Lyapunov exponent, H -> infinity."""
        return None if self.log_chi is None else self.log_chi / 2

    def log_slope_at(self, H: int, fresh: bool = False) -> float | None:
        """Slope of the mean of ln||delta||^2 at width H. The next order, 1 / H^2, is left out: off
        by .01 at H = 32 with input, more without. None where the formula does not hold (caveats);
        with fresh weights at every step it does: nothing stays the same from step to step.
        """
        if self.log_chi is None or (WITHOUT_WIDTH.intersection(self.caveats) and not fresh):
            return None
        return self.log_chi - (1 + 1.5 * (self.peakedness - 1)) / H

    def growth_rate_at(self, H: int, fresh: bool = False) -> float | None:
        """Slope of the mean of ln||delta|| at width H: half of log_slope_at."""
        slope = self.log_slope_at(H, fresh)
        return None if slope is None else slope / 2

    @property
    def mean_exponent(self) -> float | None:
        """Mean of all H Lyapunov exponents, ln g - 1/2 + E ln phi': that of ln|det J_t| / H
        (Engelken, Wolf, Abbott 2023). None where phi' is zero for some units.
        """
        if self.g == 0 or not math.isfinite(self.mean_log_slope):
            return None
        return math.log(self.g) - 0.5 + self.mean_log_slope


@lru_cache(maxsize=4096)
def mean_field(activation: str, g: float, s2: float, bias: float = 0.0) -> MeanField:
    """The theory for one of ACTIVATIONS, g >= 0, s2 >= 0. ValueError for anything else."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"no mean field for {activation!r}; there is: {', '.join(ACTIVATIONS)}")
    if not (0 <= g <= LARGEST and 0 <= s2 <= LARGEST and abs(bias) <= LARGEST):
        raise ValueError(f"0 <= g, s2 <= {LARGEST:g} and |bias| too; not {g}, {s2}, {bias}")
    q = fixed_point(activation, g, s2, bias)
    at = 1.0 if q is None else q  # where q diverges, phi' is the same at any
    centre = 0.0 if q is None else bias
    m2, m4 = slope_moment(activation, centre, at, 2), slope_moment(activation, centre, at, 4)
    peakedness = m4 / m2 / m2 if m2 > 0 else math.inf  # m2^2 may underflow
    return MeanField(
        activation,
        g,
        s2,
        bias,
        q,
        chi=g * g * m2,
        peakedness=peakedness,
        mean_log_slope=mean_log_slope(activation, centre, at),
        caveats=_caveats(activation, g, s2, bias, q, peakedness),
    )


def _caveats(
    activation: str, g: float, s2: float, bias: float, q: float | None, peakedness: float
) -> tuple[Domain, ...]:
    sigmoid, relu, tanh = (activation == name for name in ("sigmoid", "relu", "tanh"))
    applies = {
        Domain.NO_RECURRENCE: g == 0,
        Domain.DIVERGES: q is None,
        Domain.SAME_SLOPE: peakedness < LINEAR_REGIME,
        Domain.QUENCHED: sigmoid or (tanh and bias != 0),
        Domain.TRANSITION: tanh and s2 < QUIET and TRANSITION[0] < g < TRANSITION[1],
        Domain.HEAVY_TAIL: relu and g * g >= STEEP_RELU,
        Domain.AT_REST: (relu or tanh) and s2 == 0 and bias == 0,
        Domain.QUADRATURE: q is not None and q > LARGEST_Q and (tanh or sigmoid),
    }
    return tuple(domain for domain, holds in applies.items() if holds)


def fixed_point(activation: str, g: float, s2: float, bias: float = 0.0) -> float | None:
    """q, or None where it diverges: linear from g = 1 on, ReLU from g^2 = 2 on (if anything drives
    them; without input and bias they stay at 0).
    """
    steepness = {"linear": 1.0, "relu": 0.5}.get(activation, 0.0) * g * g
    if steepness > 0 and s2 == 0 and bias == 0:
        return 0.0 if steepness < 1 else None
    if steepness >= 1:
        return None
    if activation == "linear":
        return (s2 + g * g * bias * bias) / (1 - g * g)
    if activation == "tanh" and s2 == 0 and bias == 0 and g <= 1:
        return 0.0

    def excess(q: float) -> float:
        return g * g * second_moment(activation, bias, q) + s2 - q

    low, high = s2 if s2 > 0 else 1e-12, s2 + g * g + 1e-9  # |phi| <= 1: nothing beyond it
    while excess(high) > 0:  # ReLU
        high *= 2
    return low if excess(low) <= 0 else bisect(excess, low, high)


def critical_gain(activation: str, s2: float = 0.0) -> float:
    """g at which chi = 1, without bias: below it the gradient vanishes, above it explodes (H ->
    infinity). Linear 1 and ReLU sqrt(2) whatever s2; tanh 1 at s2 = 0, then larger.

    chi = 1 gives g^2 = 1 / E phi'^2 for each q, and the map for q gives the s2 that belongs to it,
    which grows with q: so one bisection, for q.
    """
    if activation in ("linear", "relu"):
        return {"linear": 1.0, "relu": math.sqrt(2)}[activation]
    if activation == "tanh" and s2 == 0:
        return 1.0

    def missing(q: float) -> float:
        g2 = 1 / slope_moment(activation, 0.0, q, 2)
        return s2 - (q - g2 * second_moment(activation, 0.0, q))

    high = 1.0
    while missing(high) > 0:
        high *= 2
    return 1 / math.sqrt(slope_moment(activation, 0.0, bisect(missing, 0.0, high), 2))


def bisect(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f goes from positive at low to not positive at high, to the last bit."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return high
