"""The forward pass of an ensemble: states and pre-activations, whole or by segments.

Kept whole, a run holds every state and pre-activation. Checkpointed (Chen et al. 2016), it holds
the state at every k-th step, the segment that is being worked on is computed again from there; each
step's arithmetic is the same, so the digits are too. k is a multiple of the number of steps for
which input products and local derivatives are formed at once (`block_steps`): blocks lie at the
same steps whatever k is.

Of a single sequence pre-activations come cheaper from a product over a block of states than step by
step, where its kernel says how. They always do then, checkpoints or not: kept whole, such a run
holds states alone, and goes back in segments whose inputs are asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell
from gradlab.engine.schedule import Schedule, Shared, blocks
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.kernels import kernel_of
from gradlab.kernels.interface import Kernel
from gradlab.nonlinearity import Array
from gradlab.team import ahead

BLOCK = 16  # steps for which input products and local derivatives are formed at once, as a rule
SHORTEST, LONGEST = BLOCK // 4, BLOCK * 32
WIDE = 2**11  # numbers of a member's state, from which on few members are worked on together
MANY = 32  # blocks of a run, from which on they may be longer
NUMBERS = 2**16  # of a member's states in a longer block: what is made of them stays in a cache
LARGE = 2**17  # and in any block, which has some dozen times as many: that is memory


def block_steps(T: int, numbers: int) -> int:
    """Steps of a block, for T steps and states (D, B) of so many numbers: BLOCK, halved or doubled
    some times.

    A block costs some hundred calls, whatever its size: longer ones are for many steps of little
    work, and for members that have them for themselves; shorter ones for large states. It depends
    on nothing but the shape of a member, whose digits it has a part in.
    """
    steps = BLOCK if numbers < WIDE else 2 * BLOCK
    while steps > SHORTEST and steps * numbers > LARGE:
        steps //= 2
    while steps < LONGEST and 2 * steps * MANY <= T and 2 * steps * numbers <= NUMBERS:
        steps *= 2
    return steps


Segments = Callable[[int, int], Array]  # (t0, n) -> x_{t0+1} .. x_{t0+n}: (n, R, I, B)


class Segment(NamedTuple):
    """Steps t0 + 1 .. t0 + n."""

    t0: int
    x: Array  # (n, R, I, B)
    states: Array  # (n + 1, R, D, B): s_{t0} .. s_{t0+n}
    activations: Array  # (n, R, A, B)


@dataclass(frozen=True)
class Trajectory:
    """A finished forward pass.

    overflow: (R,) the first step whose state is not finite, 0 where all are. watched: (m, R, D, B)
    the states at the steps that were asked for. states: (T + 1, R, D, B) all of them, where there
    is no need to go through the steps again.
    """

    cell: Cell
    weights: Schedule
    x: Segments
    T: int
    every: int
    block: int  # steps of a block
    marks: Array  # (number of segments, R, D, B): the states where segments start
    last: Segment
    overflow: NDArray[np.int64]
    watched: Array
    states: Array | None = None

    def backwards(self) -> Iterator[Segment]:
        """The segments from the last to the first; all but the last are computed again."""
        yield self.last
        for index in range(len(self.marks) - 2, -1, -1):
            yield self._again(index)  # no name: it is gone once nobody works on it

    def _again(self, index: int) -> Segment:
        t0 = index * self.every
        x, activations = self.x(t0, self.every), None
        if self.states is None:
            states = _from(self.marks[index], self.every)
            activations = _steps(self.cell, self.weights, x, states, t0, self.block)
        else:
            states = self.states[t0 : t0 + self.every + 1]
        return _segment(self.cell, self.weights, x, states, activations, t0, self.block)

    def whole(self) -> Segment:
        """All steps in one segment."""
        parts = list(self.backwards())[::-1]
        if len(parts) == 1:
            return parts[0]
        x, activations = (np.concatenate([part[k] for part in parts]) for k in (1, 3))
        states = [part.states[:-1] for part in parts[:-1]] + [parts[-1].states]
        return Segment(0, x, np.concatenate(states), activations)


def forward(
    cell: Cell,
    weights: Schedule,
    x: Segments,
    s0: Array,
    T: int,
    every: int | None = None,
    watch: NDArray[np.int64] | None = None,
) -> Trajectory:
    """Run T steps from s0 (R, D, B). every: steps between marks, rounded up to whole blocks; None
    keeps all. watch: steps whose states are wanted, ascending.
    """
    watched = np.empty((0 if watch is None else len(watch), *s0.shape), s0.dtype)
    block = block_steps(T, prod(s0.shape[1:]))
    whole = None
    if every is None and alone(kernel_for(cell, weights, s0.dtype), s0.shape[2]):
        whole, every = _from(s0, T), max(INPUT_BLOCK, block)
    every = T if every is None else min(-(-every // block) * block, T)
    starts = range(0, T, every)
    marks = np.empty((len(starts), *s0.shape), s0.dtype) if whole is None else whole[:T:every]
    overflow = np.zeros(len(s0), np.int64)
    marks[0] = s0
    for index, t0 in enumerate(starts):
        n = min(every, T - t0)
        some = x(t0, n)
        states = _from(marks[index], n) if whole is None else whole[t0 : t0 + n + 1]
        activations = _steps(cell, weights, some, states, t0, block)
        _note_overflow(states, t0, overflow)
        if watch is not None:
            here = (watch > t0) & (watch <= t0 + n)
            watched[here] = states[watch[here] - t0]
        if t0 < starts[-1]:
            marks[index + 1] = states[-1]
            del some, states, activations  # gone before the next are made
    last = _segment(cell, weights, some, states, activations, t0, block)
    return Trajectory(cell, weights, x, T, every, block, marks, last, overflow, watched, whole)


def kernel_for(cell: Cell, weights: Schedule, dtype: np.dtype) -> Kernel | None:
    """The cell's kernel, where it may be used: weights that are those of every step, real."""
    return kernel_of(cell) if isinstance(weights, Shared) and dtype.kind == "f" else None


def alone(kernel: Kernel | None, B: int) -> bool:
    """Whether activations are made from the states of many steps: of one sequence, by a kernel."""
    return kernel is not None and B == 1


def _from(s0: Array, n: int) -> Array:
    """Memory for n steps from s0: (n + 1, R, D, B)."""
    states = np.empty((n + 1, *s0.shape), s0.dtype)
    states[0] = s0
    return states


def _steps(
    cell: Cell, weights: Schedule, x: Array, states: Array, t0: int, block: int
) -> Array | None:
    """Fills states; the activations (n, R, A, B), None where they are made from the states."""
    kernel = kernel_for(cell, weights, states.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if kernel is None:
            return _by_steps(cell, weights, x, states, t0, block)
        if not alone(kernel, states.shape[3]):
            return _by_blocks(kernel, weights.at(1), x, states, block)
        advance = kernel.recurrence(weights.at(1), states[0])
        for at in _blocks(len(x), block):
            advance(x[at], states[at.start : at.stop + 1])
    return None


def _segment(
    cell: Cell,
    weights: Schedule,
    x: Array,
    states: Array,
    activations: Array | None,
    t0: int,
    block: int,
) -> Segment:
    """With activations that are made of the states, where there are none."""
    kernel = kernel_for(cell, weights, states.dtype)
    if activations is None:
        assert kernel is not None  # of one sequence
        p, (n, R, _, B) = weights.at(1), x.shape
        activations = np.empty((n, R, kernel.rows(p).activations, B), states.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for at in _blocks(n, block):
                around = states[at.start : at.stop + 1]
                kernel.activations(p, x[at], around, activations[at])
    return Segment(t0, x, states, activations)


def _blocks(n: int, block: int) -> Iterator[slice]:
    """The blocks of n steps that have one set of weights."""
    for start in range(0, n, block):
        yield slice(start, min(start + block, n))


def _by_blocks(kernel: Kernel, p: Any, x: Array, states: Array, block: int) -> Array:
    """Fills states; the activations (n, R, A, B)."""
    n, R, _, B = x.shape
    activations = np.empty((n, R, kernel.rows(p).activations, B), states.dtype)
    drives = ahead(partial(kernel.drive, p, x[at]) for at in _blocks(n, block))
    for at, u in zip(_blocks(n, block), drives, strict=True):
        kernel.forward(p, u, states[at.start : at.stop + 1], activations[at])
    return activations


def _by_steps(cell: Cell, weights: Schedule, x: Array, states: Array, t0: int, block: int) -> Array:
    """The same by the cell's own steps."""
    n, s = len(x), states[0]
    activations: Array | None = None
    for some in blocks(weights, t0, n, block):
        steps = np.arange(t0 + some.start, t0 + some.stop) + 1
        drives = cell.drive(weights.over(steps), x[some])
        for k, u in enumerate(drives, some.start):
            s, a = cell.step(weights.at(t0 + k + 1), s, u)
            if activations is None:
                activations = np.empty((n, *a.shape), a.dtype)
            states[k + 1], activations[k] = s, a
    assert activations is not None  # a segment has at least one step
    return activations


def _note_overflow(states: Array, t0: int, overflow: NDArray[np.int64]) -> None:
    """A state may come back from inf (ReLU of -inf is 0), so every step is looked at: its sum of
    squares, and where that leaves the range its numbers.
    """
    flat = states[1:].reshape(len(states) - 1, len(overflow), -1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        finite = np.asarray(np.isfinite(np.vecdot(flat, flat)))  # (n, R)
    if not finite.all():
        finite[~finite] = np.isfinite(flat[~finite]).all(axis=-1)
    for r in np.flatnonzero(~finite.all(axis=0) & (overflow == 0)):
        overflow[r] = t0 + 1 + int(np.argmin(finite[:, r]))
