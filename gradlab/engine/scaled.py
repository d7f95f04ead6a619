"""Numbers beyond float range: a mantissa array times a power of two, one exponent for each member.

value = mantissa * 2**exponent. Scaling by powers of two is exact, so as long as nothing leaves the
float range the digits are those of the plain computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array

Exponents = NDArray[np.int64]
LOG10_2 = float(np.log10(2.0))


class Scaled(NamedTuple):
    """mantissa times 2**exponent; the exponent's axes are the leading axes of the mantissa."""

    mantissa: Array
    exponent: Exponents

    def at(self, k: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Scaled:
        """Some elements of the first axis."""
        return Scaled(self.mantissa[k], self.exponent[k])

    def flat(self) -> Scaled:
        """The axes of the exponent as one: (R, ...)."""
        axes = self.exponent.ndim
        return Scaled(
            self.mantissa.reshape(-1, *self.mantissa.shape[axes:]), self.exponent.reshape(-1)
        )

    def leading(self, *shape: int) -> Scaled:
        """The first axis as these, what `flat` undoes."""
        return Scaled(
            self.mantissa.reshape(*shape, *self.mantissa.shape[1:]), self.exponent.reshape(shape)
        )

    def log10(self) -> Array:
        """log10 of norms (both arrays of one shape): -inf for an exact zero, NaN for NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            m, e = np.frexp(self.mantissa)
            return np.log10(m) + (e + self.exponent) * LOG10_2

    def plain(self) -> Array:
        """The value as a float: NaN where it is outside float range, an exact zero stays 0."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            value = shift(self.mantissa, self.exponent)
        lost = np.isinf(value) | ((np.abs(value) < np.finfo(float).tiny) & (self.mantissa != 0))
        return np.where(lost, np.nan, value)


def neighbours(k: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same elements, k ascending; as a slice, which copies nothing, where none is left out."""
    return slice(int(k[0]), int(k[-1]) + 1) if k[-1] - k[0] == len(k) - 1 else k


def shift(a: Array, exponent: Exponents) -> Array:
    """a * 2**exponent, the exponent (R,) or (n, R) belonging to the leading axes of a."""
    if not exponent.any():
        return a
    tail = (1,) * (a.ndim - exponent.ndim)
    return np.ldexp(a, _int32(exponent).reshape(exponent.shape + tail))


def renormalize(a: Array, exponent: Exponents) -> tuple[Array, Exponents]:
    """The same value (R, ...), the largest entry of each member in [1/2, 1); zeros stay."""
    axes = tuple(range(1, a.ndim))  # abs would be a copy
    top = np.maximum(a.max(axis=axes, initial=0.0), -a.min(axis=axes, initial=0.0))
    k = np.frexp(top)[1].astype(np.int64)
    k[~np.isfinite(top)] = 0
    return shift(a, -k), np.where(top > 0, exponent + k, exponent)


def add(a: Scaled, b: Scaled) -> Scaled:
    """a + b for arrays (R, ...), in the frame of the larger exponent of each member."""
    frame = np.maximum(_frame(a), _frame(b))
    frame = np.where(frame == _NONE, 0, frame)
    total = shift(a.mantissa, a.exponent - frame) + shift(b.mantissa, b.exponent - frame)
    return Scaled(total, frame)


def largest_frame(parts: Sequence[Scaled]) -> Exponents:
    """The largest exponent of each member of what is not all zero; 0 where all is."""
    frame = np.max([_frame(p) for p in parts], axis=0)
    return np.where(frame == _NONE, 0, frame)


def side_by_side(parts: list[Scaled]) -> Scaled:
    """Arrays (R, ...) as (R, parts, ...), in the frame of the largest exponent of each member."""
    frame = largest_frame(parts)
    return Scaled(np.stack([shift(p.mantissa, p.exponent - frame) for p in parts], axis=1), frame)


def as_vector(parts: Sequence[Scaled]) -> Scaled:
    """Arrays (R, ...) one after the other, (R, P), in the frame of each member's largest."""
    frame = largest_frame(parts)
    flat = [shift(p.mantissa, p.exponent - frame).reshape(len(frame), -1) for p in parts]
    return Scaled(np.concatenate(flat, axis=1), frame)


def norm(a: Scaled) -> Scaled:
    """Euclidean norm of each member of (R, ...): mantissa and exponent (R,). Never over- or
    underflows.
    """
    flat = a.mantissa.reshape(len(a.mantissa), -1).astype(float, copy=False)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = np.vecdot(flat, flat)
        exponent = a.exponent.copy()
        far = np.flatnonzero(~((square > _SAFE[0]) & (square < _SAFE[1])))
        if len(far):  # squares leave the range before the numbers do
            unit, exponent[far] = renormalize(flat[far], a.exponent[far])
            square[far] = np.vecdot(unit, unit)
    return Scaled(np.sqrt(square), exponent)


def squares(a: Array) -> Array:
    """The squared Frobenius norm of each matrix of (..., m, n), as it comes: it may leave the
    range.
    """
    flat = a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1])
    return np.vecdot(flat, flat)


_SAFE = (2.0**-700, 2.0**900)  # no square of a number that counts is out of range


def hypot(parts: list[Scaled]) -> Scaled:
    """sqrt of the sum of squares of several norms (R,)."""
    frame = np.max([_frame(p) + np.frexp(p.mantissa)[1] for p in parts], axis=0)
    frame = np.where(frame < _NONE // 2, 0, frame)
    total = np.zeros(len(frame))
    for part in parts:  # one after the other: the same bits for any number of members
        total = total + shift(part.mantissa, part.exponent - frame) ** 2
    return Scaled(np.sqrt(total), frame)


_NONE = np.int64(-(2**60))


def _frame(a: Scaled) -> Exponents:
    """The exponent of each member, or a very small number where the member is all zero."""
    zero = ~a.mantissa.any(axis=tuple(range(1, a.mantissa.ndim)))
    return np.where(zero, _NONE, a.exponent)


def _int32(exponent: Exponents) -> NDArray[np.int32]:
    """ldexp wants 32 bits; beyond +-5000 a double is inf or 0 anyhow."""
    return np.clip(exponent, -5000, 5000).astype(np.int32)
