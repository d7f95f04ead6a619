"""Dynamic mean-field theory of the gradient in lstm, gru (PyTorch's forms) and gru_minimal.

Gaussian recurrent weights, N(0, g^2 / H) in every gate; the input part of every pre-activation has
variance s2 and is drawn anew at every step; every gate has the bias `bias`, that which keeps the
state (f or z) has `forget_bias` on top. H -> infinity.

The mean field of vanilla nets does not carry over: forget and update gates hand delta_t on to the
same unit, so a unit's delta remembers what the shared W did to it at later steps. Theory with
fresh weights at every step is off by up to 0.54 nats per step in the slope of ln E||delta_h||^2.
So the correlations between any two steps are kept, in a population of N units that stand for the
net (derivation: docs/theory.md):

- forward: the recurrent part w_k(t) of gate k is a Gaussian process over t, independent from unit
  to unit and gate to gate, with covariance g^2 C(t, t'), C(t, t') = E h_{t-1} h_{t'-1}. C is
  measured on the population and put back, ROUNDS times.
- backward: delta_{t-1} = (what the unit hands on itself) + e_t, with e a Gaussian process of
  covariance g^2 sum_k E d_k(t) d_k(t'), d_k the cotangent of w_k; e_t is drawn conditionally on
  the later ones.

Accuracy, slope per step of ln E||delta_h||^2 against H = 512: 0.012 for lstm and gru; 0.01 to 0.05
for gru_minimal, and up to 0.17 at H = 32, above what is measured. From seed to seed of the
population it varies by 0.001 to 0.016. About a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from gradlab.analysis.units import UNITS, Unit
from gradlab.nonlinearity import Array

SOURCE = (
    "docs/theory.md, after Sompolinsky, Crisanti, Sommers 1988, Chaos in random neural networks"
)

STEPS = 120  # forward, long enough to forget the zero state in all settings measured
BACK = 60  # lags backward
FIT = (10, 60)  # lags between which the slope is taken
SIZE = 4000  # N, units of the population
ROUNDS = 8
DIGITS = 10  # after the point; beyond them the number of BLAS threads shows
VERSION = 1  # raise it with every change of a digit: what was kept under another is not used
TINY = 1e-200  # a variance of the field that is as good as none


class Domain(Enum):
    """Where the theory is off. `value` is the sentence."""

    WIDTH = (
        "Infinite width: a net of 32 units lies lower, by up to 0.17 per step in "
        "ln ||delta||^2, one of 512 by about 0.01."
    )
    SAMPLED = "Computed from a random population of 4000 units: off by 0.001 to 0.016 per step."
    UPDATE_GATE_ONLY = (
        "Update gate alone: measured slopes of ln ||delta||^2 at H = 512 differ from it "
        "by 0.01 to 0.05 per step."
    )
    AT_REST = (
        "No input: a net whose state starts at 0 stays there (`critical` has its critical gain). "
        "The theory is of a state that starts elsewhere."
    )
    STILL_SETTLING = (
        "The gate that keeps the state forgets over more steps than the theory runs (120): the "
        "state has not become stationary."
    )


@dataclass(frozen=True)
class GatedTheory:
    """The theory at one point. Rates in nats per step."""

    cell: str
    g: float
    s2: float
    forget_bias: float
    bias: float
    log_slope: float  # of ln E||delta_h||^2 over lags 10 to 60, per step
    q_h: float  # E h^2 at the last step
    log_mean_square: tuple[float, ...]  # ln E||delta_h||^2 at lags 0 .. BACK, 0 at lag 0
    caveats: tuple[Domain, ...]
    source: str = SOURCE

    @property
    def growth_rate(self) -> float:
        """Slope of ln||delta_h||: half of log_slope."""
        return self.log_slope / 2


@lru_cache(maxsize=256)
def dynamic_mean_field(
    cell: str, g: float, s2: float, forget_bias: float = 0.0, bias: float = 0.0, seed: int = 0
) -> GatedTheory:
    """The theory for one of UNITS. g and s2 as in `meanfield`; the same seed gives the same digits.

    ValueError as `checked` has it.
    """
    checked(cell, g, s2, forget_bias, bias)
    unit, random = UNITS[cell], np.random.default_rng(seed)
    shift = np.full((unit.gates, 1), bias)
    shift[unit.keeps] += forget_bias
    locals_, q_h = _forward(unit, g, s2, shift, random)
    curve = np.round(_backward(unit, g, locals_, random), DIGITS)
    first, last = FIT
    return GatedTheory(
        cell,
        g,
        s2,
        forget_bias,
        bias,
        log_slope=float(curve[last] - curve[first]) / (last - first),
        q_h=round(q_h, DIGITS),
        log_mean_square=tuple(map(float, curve)),
        caveats=caveats(cell, s2, forget_bias, bias),
    )


def checked(cell: str, g: float, s2: float, forget_bias: float = 0.0, bias: float = 0.0) -> None:
    """ValueError for a cell that is none of UNITS, or outside 1e-50 <= g <= 1e10, 0 <= s2 <= 1e10,
    |biases| <= 100.
    """
    if cell not in UNITS:
        raise ValueError(f"no dynamic mean field for {cell!r}; there is: {', '.join(UNITS)}")
    if not (1e-50 <= g <= 1e10 and 0 <= s2 <= 1e10 and max(abs(bias), abs(forget_bias)) <= 100):
        given = f"g = {g}, s2 = {s2}, biases {bias} and {forget_bias}"
        raise ValueError(f"the dynamic mean field is not computed at {given}")


def caveats(
    cell: str, s2: float, forget_bias: float = 0.0, bias: float = 0.0
) -> tuple[Domain, ...]:
    """Where the theory of these parameters is off; known without computing it."""
    applies = {
        Domain.WIDTH: True,
        Domain.SAMPLED: True,
        Domain.UPDATE_GATE_ONLY: cell == "gru_minimal",
        Domain.AT_REST: s2 == 0 and bias == 0,
        Domain.STILL_SETTLING: math.exp(bias + forget_bias) > STEPS,  # 1 / (1 - f), about
    }
    return tuple(domain for domain, holds in applies.items() if holds)


Locals = list[tuple[Array, ...]]


def _forward(
    unit: Unit, g: float, s2: float, shift: Array, random: np.random.Generator
) -> tuple[Locals, float]:
    """The self-consistent forward pass: what backward needs at the last BACK steps, and E h^2."""
    C = 0.01 * np.eye(STEPS)
    for _ in range(ROUNDS):
        K = g * g * C
        # C is measured, so semidefinite up to rounding: the smallest of lifts makes it definite
        root = np.linalg.cholesky(K + 1e-10 * max(1e-3, K.max()) * np.eye(STEPS))
        w = root @ random.standard_normal((unit.gates, STEPS, SIZE))
        x = math.sqrt(s2) * random.standard_normal((unit.gates, STEPS, SIZE))
        h, c = np.zeros(SIZE), np.zeros(SIZE)
        before, locals_ = np.empty((STEPS, SIZE)), []
        for t in range(STEPS):
            before[t] = h
            h, c, local = unit.step(w[:, t], x[:, t] + shift, h, c)
            locals_.append(local)
        C = before @ before.T / SIZE
    return locals_[-BACK:], float(h @ h) / SIZE


def _backward(unit: Unit, g: float, locals_: Locals, random: np.random.Generator) -> Array:
    """ln E||delta_h||^2 at lags 0 .. BACK, from independent normal delta_h at the last step."""
    field = _Field()
    cotangents = np.empty((BACK, unit.gates * SIZE))
    dh, dc = random.standard_normal(SIZE), np.zeros(SIZE)
    curve, size = [], 0.0
    for lag in range(BACK + 1):
        curve.append(size + math.log(float(dh @ dh)))
        if lag == BACK:
            break
        d, own, dc = unit.back(locals_[-1 - lag], dh, dc)
        cotangents[lag] = d.ravel()
        covariance = g * g / SIZE * (cotangents[: lag + 1] @ cotangents[lag])
        dh = own + field.draw(covariance, random)
        # every lag in a frame of its own: plain numbers would leave the range of a float
        frame = math.sqrt(float(dh @ dh + dc @ dc))
        dh, dc, size = dh / frame, dc / frame, size + 2 * math.log(frame)
    return np.array(curve) - curve[0]


class _Field:
    """A Gaussian process over the lags, one path for each unit, drawn lag by lag.

    Kept with unit variances, so that the frame of each lag may be any.
    """

    def __init__(self) -> None:
        self.scale: Array = np.empty(BACK)  # standard deviations
        self.paths: Array = np.empty((BACK, SIZE))  # over their standard deviations
        self.correlation: Array = np.eye(BACK)
        self.lags = 0

    def draw(self, covariance: Array, random: np.random.Generator) -> Array:
        """The next lag (N,), from its covariances (lags + 1,) with the earlier ones and itself."""
        s, std = self.lags, math.sqrt(max(float(covariance[-1]), TINY))
        noise = random.standard_normal(SIZE)
        self.scale[s] = std
        rho = covariance[:s] / (self.scale[:s] * std)
        weights = np.linalg.solve(self.correlation[:s, :s] + 1e-9 * np.eye(s), rho)
        rest = max(1 - float(weights @ rho), 1e-12)
        self.paths[s] = weights @ self.paths[:s] + math.sqrt(rest) * noise
        self.correlation[s, :s] = self.correlation[:s, s] = rho
        self.lags += 1
        return std * self.paths[s]
