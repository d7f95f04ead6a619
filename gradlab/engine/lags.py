"""How much of the gradient comes from how far back: dL/dW split by lag.

    dL/dW = sum over t, k of G_{t,k}        loss term t, weights as step k used them
    A_tau = sum over t of G_{t,t-tau},      dL/dW = sum over tau of A_tau

Truncated BPTT in which every term reaches n steps back is the sum over tau < n. The memory horizon
is the smallest n with ||dL/dW - sum_{tau<n} A_tau|| <= 5 % of ||dL/dW||: norms of parts do not add
up, so it is taken from the partial sums themselves.

With one loss term, A_tau is what the step tau before it gives: a second backward pass yields them
in the order of tau, nothing needs to be kept. With several, all terms go back side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Shape, Share
from gradlab.engine.backward import Block, sweep
from gradlab.engine.forward import Trajectory
from gradlab.engine.gradients import ParameterGradients, block_shares, share_norms
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Exponents, Scaled, add, as_vector, hypot, norm, renormalize, shift
from gradlab.engine.terms import Lag, Whole, by_lag
from gradlab.nonlinearity import Array

HORIZON = 0.05  # of the norm of dL/dW
AT_ONCE = 2**22  # numbers of A that are held at a time
LARGE = 1e100  # of a state: beyond it, products are formed with its size apart


@dataclass(frozen=True)
class LagSplit:
    """dL/dW by lag, M lags 0 .. M - 1. partial is the sum of A over the lags up to this one.

    remainder: ||dL/dW - partial|| / ||dL/dW||. cosine: of the angle between partial and dL/dW.
    horizon (R,): NaN where no lag reaches it.
    """

    norms: Scaled  # (M, R) of A_tau
    whole: Scaled  # (R,) of dL/dW
    remainder: Array  # (M, R)
    cosine: Array  # (M, R)
    horizon: Array  # (R,)


def lag_split(
    trajectory: Trajectory,
    loss: Loss,
    entries: Sequence[int],
    tensors: Mapping[str, Shape],
    full: Mapping[str, Scaled],
    sets: int = 1,
) -> LagSplit:
    """Split the gradient of some tensors (name -> shape), whose full gradient is given, by lag."""
    partial = _Partial(tensors, full, sets)
    found: list[_Part] = []
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if len(entries) == 1:
            for block in sweep(trajectory, loss):
                found += _of_block(trajectory, block, entries[0], partial)
                del block  # gone before the next is made
        else:
            whole = Whole(trajectory)
            for lag in by_lag(whole, loss, entries, trajectory.T):
                found.append(_of_lag(whole, lag, partial))
    remainder = np.concatenate([part.remainder for part in found])
    reached = remainder <= HORIZON
    return LagSplit(
        Scaled(*(np.concatenate(a) for a in zip(*(part.norms for part in found), strict=True))),
        hypot([norm(full[name]) for name in tensors]),
        remainder,
        np.concatenate([part.cosine for part in found]),
        np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.nan),
    )


@dataclass(frozen=True)
class _Part:
    """Some lags in their order, (n, R) each."""

    norms: Scaled
    remainder: Array
    cosine: Array


class _Partial:
    """The sum of A so far, against the whole; all tensors and sets as one vector of P numbers.

    Everything is in the frame in which the largest number of the whole is about 1.
    """

    def __init__(self, tensors: Mapping[str, Shape], full: Mapping[str, Scaled], sets: int) -> None:
        self.tensors, self.sets = tensors, sets
        self.whole, self.frame = renormalize(*as_vector([full[name] for name in tensors]))
        self.size = np.sqrt(np.vecdot(self.whole, self.whole))
        self.total = np.zeros_like(self.whole)
        ends = np.cumsum([0, *(sets * prod(shape) for shape in tensors.values())])
        self.start = dict(zip(tensors, ends.tolist(), strict=False))

    @property
    def at_once(self) -> int:
        """How many lags are held at a time."""
        return max(1, AT_ONCE // self.whole.size)

    def add(self, A: Array) -> tuple[Array, Array]:
        """Remainder and cosine after each of the next lags A (n, R, P), which is overwritten."""
        sums = A
        for k, before in enumerate((self.total, *sums[:-1])):  # cumsum along this axis is slower
            sums[k] += before
        self.total = sums[-1].copy()
        with np.errstate(invalid="ignore", divide="ignore"):
            dot, length = np.vecdot(sums, self.whole), np.sqrt(np.vecdot(sums, sums))
            cosine = dot / (length * self.size)
            rest = np.subtract(self.whole, sums, out=sums)
            return np.sqrt(np.vecdot(rest, rest)) / self.size, cosine


def _of_block(
    trajectory: Trajectory, block: Block, entry: int, partial: _Partial
) -> Iterator[_Part]:
    """The steps of a block that lie at or before the only loss term, the last first."""
    n = min(len(block.cotangents.exponent), entry - block.t0)
    if n <= 0:
        return
    frame = block.cotangents.exponent
    shares = [s for s in block_shares(trajectory.cell, block) if s.tensor in partial.tensors]
    norms = share_norms(tuple(shares), partial.tensors, frame, slice(0, n))
    sets = trajectory.weights.sets(block.t[:n])
    for high in range(n, 0, -partial.at_once):
        k = slice(max(high - partial.at_once, 0), high)
        own = None if sets is None else sets[k]
        # not by a name: these are gone before the next, many times the weights, are there
        remainder, cosine = partial.add(_products(shares, frame, k, own, partial)[::-1])
        yield _Part(norms.at(k).at(slice(None, None, -1)), remainder, cosine)


def _products(
    shares: Sequence[Share],
    frame: Exponents,
    k: slice,
    sets: NDArray[np.int64] | None,
    partial: _Partial,
) -> Array:
    """A of some steps, (n, R, P), in the frame of the whole."""
    A = np.zeros((len(frame[k]), *partial.whole.shape), partial.whole.dtype)
    for share in shares:
        assert share.right is not None  # these are matrices
        left, right = share.left[k], share.right[k]
        exponent = frame[k] - partial.frame
        if not np.abs(right).max() < LARGE:  # a state near the end of the float range
            right, exponent = Scaled(*renormalize(*Scaled(right, exponent).flat())).leading(
                *exponent.shape
            )
        term = shift(left, exponent) @ right.swapaxes(-1, -2)  # (n, R, m, q)
        rows, columns = partial.tensors[share.tensor]
        start = partial.start[share.tensor] + share.row * columns
        flat = term.reshape(*term.shape[:2], -1)
        for index in range(partial.sets):
            mine = slice(None) if sets is None else sets == index
            at = start + index * rows * columns
            A[mine, :, at : at + flat.shape[-1]] += flat[mine]
    return A


def _of_lag(whole: Whole, lag: Lag, partial: _Partial) -> _Part:
    """One lag of several loss terms."""
    trajectory, R = whole.trajectory, len(partial.whole)
    sum_of = ParameterGradients(partial.tensors, R, lag.delta.mantissa.dtype, partial.sets)
    shares = trajectory.cell.shares(lag.cotangents.mantissa, *whole.part(lag.steps))
    sum_of.add(shares, lag.cotangents.exponent, trajectory.weights.sets(lag.steps))
    each = [sum_of.total[name] for name in partial.tensors]
    norms = hypot([norm(g) for g in each])
    vector = as_vector(each)
    A = shift(vector.mantissa, vector.exponent - partial.frame)
    remainder, cosine = partial.add(A[None].copy())
    return _Part(Scaled(norms.mantissa[None], norms.exponent[None]), remainder, cosine)


def deviation(part: Mapping[str, Scaled], full: Mapping[str, Scaled]) -> tuple[Array, Array]:
    """||full - part|| / ||full|| and the cosine between the two, of gradients by tensor: (R,)."""
    size = hypot([norm(g) for g in full.values()])
    rest = hypot([norm(add(full[name], _negative(part[name]))) for name in full])
    return _ratio(rest, size), _cosine(part, full, size)


def _negative(a: Scaled) -> Scaled:
    return Scaled(-a.mantissa, a.exponent)


def _ratio(a: Scaled, b: Scaled) -> Array:
    """a / b of norms (R,): NaN where both are zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return shift(a.mantissa / b.mantissa, a.exponent - b.exponent)


def _cosine(a: Mapping[str, Scaled], b: Mapping[str, Scaled], size_b: Scaled) -> Array:
    """Of the angle between two gradients, (R,)."""
    size_a = hypot([norm(g) for g in a.values()])
    total: Array = np.zeros(len(size_b.mantissa))
    for name in a:
        x, e = renormalize(a[name].mantissa, a[name].exponent)
        y, f = renormalize(b[name].mantissa, b[name].exponent)
        dot = np.vecdot(x.reshape(len(x), -1), y.reshape(len(y), -1))
        total = total + shift(dot, e + f - size_a.exponent - size_b.exponent)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / (size_a.mantissa * size_b.mantissa)
