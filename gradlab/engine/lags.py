"""How much of the gradient comes from how far back: dL/dW split by lag, and truncated BPTT.

    dL/dW = sum over t, k of G_{t,k}        loss term t, weights as step k used them
    A_tau = sum over t of G_{t,t-tau},      dL/dW = sum over tau of A_tau

One backward pass cannot tell lags apart where the loss has terms at several steps. All terms
are sent back side by side instead, one axis for them: Delta_tau[t], the adjoint that term t has at
step t - tau, costs one batched vjp for every tau. Truncated BPTT in which every term reaches n
steps back is the sum over tau < n.

The memory horizon is the smallest n with ||dL/dW - sum_{tau<n} A_tau|| <= 5 % of ||dL/dW||: norms
of parts do not add up, so it is taken from the partial sums themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Shape
from gradlab.engine.backward import Block, State, inject, within_window
from gradlab.engine.forward import BLOCK, Segment, Trajectory
from gradlab.engine.gradients import ParameterGradients
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Exponents, Scaled, add, hypot, norm, renormalize, shift
from gradlab.nonlinearity import Array

HORIZON = 0.05  # of the norm of dL/dW


class Lag(NamedTuple):
    """All loss terms, tau steps before their own step."""

    steps: NDArray[np.int64]  # (m,) t - tau of each term that reaches as far
    delta: Scaled  # (m, R, D, B) the adjoint there
    cotangents: Scaled  # (m, R, A', B) of the pre-activations of that step
    pulled: Array  # (m, R, D, B) the adjoint one step further back, in the frame of delta


class _Whole:
    """A trajectory kept whole, with all local derivatives."""

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory, self.segment = trajectory, trajectory.whole()
        segment, T = self.segment, trajectory.T
        p = trajectory.weights.over(np.arange(1, T + 1))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self.local = trajectory.cell.linearize(
                p, segment.states[:-1], segment.activations, segment.states[1:]
            )

    def local_at(self, steps: NDArray[np.int64]) -> Any:
        """Local derivatives of some steps, arrays (m, R, rows, B)."""
        k = _index(steps - 1)
        return type(self.local)(*(field[k] for field in self.local))

    def part(self, steps: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Pre-activations, states before, and inputs of some steps."""
        k = _index(steps - 1)
        return self.segment.activations[k], self.segment.states[k], self.segment.x[k]


def _index(k: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same elements; as a slice, which copies nothing, where they are neighbours."""
    return slice(int(k[0]), int(k[-1]) + 1) if k[-1] - k[0] == len(k) - 1 else k


def _by_lag(whole: _Whole, loss: Loss, entries: Sequence[int], most: int) -> Iterator[Lag]:
    """The loss terms at `entries`, at lags 0 .. most - 1."""
    trajectory = whole.trajectory
    R, D, B = trajectory.marks.shape[1:]
    steps = np.array(sorted(entries), np.int64)
    start = [_entry(loss, int(t), (R, D, B), trajectory.marks.dtype) for t in steps]
    delta, exponent = np.stack(start), np.zeros((len(steps), R), np.int64)
    for _ in range(most):
        alive = steps >= 1
        steps, delta, exponent = steps[alive], delta[alive], exponent[alive]
        if not len(steps):
            return
        flat = State(delta.reshape(-1, D, B), exponent.reshape(-1))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            flat = within_window(flat)
            delta, exponent = flat.delta.reshape(delta.shape), flat.exponent.reshape(exponent.shape)
            p = trajectory.weights.over(steps)
            g, cotangents = trajectory.cell.vjp(p, whole.local_at(steps), delta)
        yield Lag(steps, Scaled(delta, exponent), Scaled(cotangents, exponent), g)
        steps, delta = steps - 1, g


def _entry(loss: Loss, t: int, shape: Shape, dtype: np.dtype) -> Array:
    zero = State(np.zeros(shape, dtype), np.zeros(shape[0], np.int64))
    return inject(zero, loss.at(t)).delta


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
    whole, R = _Whole(trajectory), trajectory.marks.shape[1]
    target = {name: full[name] for name in tensors}
    whole_norm = hypot([norm(g) for g in target.values()])
    partial: dict[str, Scaled] | None = None
    norms, remainders, cosines = [], [], []
    for lag in _by_lag(whole, loss, entries, trajectory.T):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            term = _gradient(whole, lag, tensors, R, sets)
            norms.append(hypot([norm(g) for g in term.values()]))
            partial = term if partial is None else {n: add(partial[n], term[n]) for n in term}
            remainder, cosine = deviation(partial, target)
        remainders.append(remainder)
        cosines.append(cosine)
    left = np.stack(remainders)
    reached = left <= HORIZON
    horizon = np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.nan)
    stacked = Scaled(np.stack([n.mantissa for n in norms]), np.stack([n.exponent for n in norms]))
    return LagSplit(stacked, whole_norm, left, np.stack(cosines), horizon)


def _gradient(
    whole: _Whole, lag: Lag, tensors: Mapping[str, Shape], R: int, sets: int
) -> dict[str, Scaled]:
    """A_tau of every tensor."""
    trajectory = whole.trajectory
    sum_of = ParameterGradients(tensors, R, lag.delta.mantissa.dtype, sets)
    shares = trajectory.cell.shares(lag.cotangents.mantissa, *whole.part(lag.steps))
    sum_of.add(shares, lag.cotangents.exponent, trajectory.weights.sets(lag.steps))
    return sum_of.total


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


def sliding(
    trajectory: Trajectory, loss: Loss, entries: Sequence[int], reach: int
) -> Iterator[Block]:
    """The blocks of a backward pass in which every loss term reaches `reach` steps back.

    delta_s is the sum of the adjoints Delta_tau[s + tau] with tau < reach; what is linear in delta
    (cotangents, gradients) follows from it as in the ordinary pass.
    """
    whole = _Whole(trajectory)
    R, D, B = trajectory.marks.shape[1:]
    T = trajectory.T
    total = Scaled(np.zeros((T + 1, R, D, B), trajectory.marks.dtype), np.zeros((T + 1, R), int))
    for lag in _by_lag(whole, loss, entries, reach):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            _collect(total, lag.steps, lag.delta)
            if lag.steps[0] == 1:  # s_0 is given, there is nothing to detach
                _collect(total, lag.steps[:1] - 1, Scaled(lag.pulled[:1], lag.delta.exponent[:1]))
    for t0 in range((T - 1) // BLOCK * BLOCK, -1, -BLOCK):
        yield _block(whole, total, t0, min(BLOCK, T - t0))


def _collect(total: Scaled, steps: NDArray[np.int64], delta: Scaled) -> None:
    """Add adjoints (m, R, D, B) to those of their steps, which are distinct."""
    here = Scaled(total.mantissa[steps], total.exponent[steps])
    total.mantissa[steps], total.exponent[steps] = _plus(here, delta)


def _plus(a: Scaled, b: Scaled) -> Scaled:
    """a + b of arrays (m, R, D, B) with exponents (m, R)."""
    shape = a.mantissa.shape

    def flat(c: Scaled) -> Scaled:
        return Scaled(c.mantissa.reshape(-1, *shape[2:]), c.exponent.reshape(-1))

    both = add(flat(a), flat(b))
    return Scaled(both.mantissa.reshape(shape), both.exponent.reshape(shape[:2]))


def _block(whole: _Whole, total: Scaled, t0: int, n: int) -> Block:
    """Steps t0 + 1 .. t0 + n of that pass."""
    steps = np.arange(t0, t0 + n) + 1
    local, trajectory = whole.local_at(steps), whole.trajectory
    delta = Scaled(total.mantissa[t0 : t0 + n + 1], total.exponent[t0 : t0 + n + 1])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        p = trajectory.weights.over(steps)
        cotangents = trajectory.cell.vjp(p, local, delta.mantissa[1:])[1]
    frame: Exponents = delta.exponent[1:]
    segment: Segment = whole.segment
    scale = np.ones((n + 1, delta.mantissa.shape[1]))
    return Block(t0, local, delta, Scaled(cotangents, frame), scale, segment, slice(t0, t0 + n))
