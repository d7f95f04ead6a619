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
    rate = _rate(before, threshold)
    factor, frame = _applied(rate)
    clipped = {name: _times(g, factor, frame) for name, g in gradients.items()}
    with np.errstate(under="ignore"):
        return Clipped(clipped, before, shift(rate[0], -rate[1]), global_norm(clipped))


def clip_by_value(gradients: Mapping[str, Scaled], threshold: float) -> Clipped:
    """Clamp every entry to [-threshold, threshold]. rate is the norm after over the norm before."""
    before = global_norm(gradients)
    clipped = {}
    for name, g in gradients.items():
        with np.errstate(over="ignore", under="ignore"):
            # inf where beyond float range: clamped all the same
            value = shift(g.mantissa, g.exponent)
        clipped[name] = Scaled(np.clip(value, -threshold, threshold), np.zeros_like(g.exponent))
    after = global_norm(clipped)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = shift(after.mantissa / before.mantissa, after.exponent - before.exponent)
    return Clipped(clipped, before, np.where(before.mantissa == 0, 1.0, ratio), after)


@dataclass(frozen=True)
class StepClip:
    """Clip delta_t itself, over state and batch, at every step of the way down."""

    threshold: float | Array  # one for all members, or (R,)

    def __call__(self, delta: Array, exponent: Exponents) -> tuple[Array, Exponents, Array]:
        """delta (R, D, B) with its exponent (R,), clipped, and the scale (R,) that was applied."""
        before = norm(Scaled(delta, exponent))
        factor, frame = _applied(_rate(before, self.threshold))
        clipped = _times(Scaled(delta, exponent), factor, frame)
        with np.errstate(under="ignore"):
            return clipped.mantissa, clipped.exponent, shift(factor, -frame)


def _rate(before: Scaled, threshold: float | Array) -> tuple[Array, Exponents]:
    """threshold / (norm + 1e-6) as m * 2**-frame, so that it does not underflow; never NaN.

    1 for a norm that is not finite: there is nothing to scale.
    """
    finite = np.isfinite(before.mantissa)
    frame = np.where(finite, np.maximum(before.exponent, 0), 0)
    mantissa = np.where(finite, before.mantissa, 0.0)
    with np.errstate(under="ignore"):
        norm_plus = shift(mantissa, before.exponent - frame) + shift(
            np.full_like(mantissa, EPSILON), -frame
        )
    return np.where(finite, threshold / norm_plus, 1.0), frame


def _applied(rate: tuple[Array, Exponents]) -> tuple[Array, Exponents]:
    """The rate where it is below 1, else 1."""
    m, frame = rate
    acts = np.log2(m) < frame
    return np.where(acts, m, 1.0), np.where(acts, frame, 0)


def _times(g: Scaled, factor: Array, frame: Exponents) -> Scaled:
    tail = (1,) * (g.mantissa.ndim - 1)
    scale = factor.astype(g.mantissa.dtype).reshape(-1, *tail)
    return Scaled(g.mantissa * scale, g.exponent - frame)
