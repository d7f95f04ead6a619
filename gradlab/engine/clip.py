"""Gradient clipping: by global norm, by value, by the norm of delta at every step.

By global norm (Pascanu, Mikolov, Bengio 2013; the constant 1e-6 is PyTorch's):

    rate = threshold / (norm + 1e-6),   gradients times rate where rate < 1

with norm = sqrt(sum of squares of all entries of all parameters' gradients). The norm is taken with
exponents apart, so it is right where the sum of squares, or the norm itself, is beyond float range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradlab.engine.scaled import Exponents, Scaled, hypot, norm, shift
from gradlab.nonlinearity import Array

EPSILON = 1e-6


class Clipped(NamedTuple):
    """Gradients after clipping with the norms before and after, each of R members."""

    gradients: dict[str, Scaled]
    norm: Scaled  # (R,)
    rate: Array  # (R,) the factor that would be applied if it is below 1
    clipped_norm: Scaled  # (R,)


def global_norm(gradients: Mapping[str, Scaled]) -> Scaled:
    """Norm (R,) over all tensors, each (R, ...)."""
    return hypot([norm(g) for g in gradients.values()])


def clip_by_global_norm(gradients: Mapping[str, Scaled], threshold: float) -> Clipped:
    """Scale all gradients of a member by threshold / (norm + 1e-6) where that is below 1."""
    before = global_norm(gradients)
    factor, frame = _rate(before, threshold)
    clipped = {name: _times(g, factor, frame) for name, g in gradients.items()}
    rate = np.ldexp(threshold / _plus_epsilon(before), -_small(before.exponent))
    return Clipped(clipped, before, rate, global_norm(clipped))


def clip_by_value(gradients: Mapping[str, Scaled], threshold: float) -> Clipped:
    """Clamp every entry to [-threshold, threshold]. rate is the norm after over the norm before."""
    before = global_norm(gradients)
    clipped = {}
    for name, g in gradients.items():
        with np.errstate(over="ignore", under="ignore"):
            value = shift(
                g.mantissa, g.exponent
            )  # inf where beyond float range: clamped all the same
        clipped[name] = Scaled(np.clip(value, -threshold, threshold), np.zeros_like(g.exponent))
    after = global_norm(clipped)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = shift(after.mantissa / before.mantissa, after.exponent - before.exponent)
    return Clipped(clipped, before, np.where(before.mantissa == 0, 1.0, ratio), after)


@dataclass(frozen=True)
class StepClip:
    """Clip delta_t itself, over state and batch, at every step of the way down."""

    threshold: float

    def __call__(self, delta: Array, exponent: Exponents) -> tuple[Array, Exponents, Array]:
        """delta (R, D, B) with its exponent (R,), clipped, and the scale (R,) that was applied."""
        before = norm(Scaled(delta, exponent))
        factor, frame = _rate(before, self.threshold)
        clipped = _times(Scaled(delta, exponent), factor, frame)
        applied = np.ldexp(factor, -_small(frame))
        return clipped.mantissa, clipped.exponent, applied


def _rate(before: Scaled, threshold: float) -> tuple[Array, Exponents]:
    """The factor to apply as m * 2**-frame, so that it does not underflow; 1 where nothing is to
    be done.
    """
    m = threshold / _plus_epsilon(before)
    applies = (before.mantissa > 0) & (np.log2(m) < before.exponent)
    return np.where(applies, m, 1.0), np.where(applies, before.exponent, 0)


def _plus_epsilon(before: Scaled) -> Array:
    """Mantissa of norm + 1e-6 in the frame of the norm."""
    with np.errstate(over="ignore", under="ignore"):
        return before.mantissa + np.ldexp(EPSILON, -_small(before.exponent))


def _times(g: Scaled, factor: Array, frame: Exponents) -> Scaled:
    tail = (1,) * (g.mantissa.ndim - 1)
    return Scaled(g.mantissa * factor.reshape(-1, *tail), g.exponent - frame)


def _small(exponent: Exponents) -> np.ndarray:
    return np.clip(exponent, -5000, 5000).astype(np.int32)
