"""Backpropagation through time:  delta_{t-1} = J_t^T delta_t + dL_{t-1}/ds_{t-1}.

`sweep` goes from t = T down to 0 in blocks of steps and yields each block with what was found
there; who needs what (norms, gradients of the parameters, singular values) takes it from the block.

delta carries a power-of-two exponent for each member, so that it neither overflows nor underflows.
The exponent moves lazily: at the start of a block when the norm has drifted out of a window. A
block in which the norm still leaves the safe range is done again, rescaled after every few steps,
and if need be at every step. Powers of two are exact, so none of it changes a digit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell
from gradlab.engine.clip import StepClip
from gradlab.engine.forward import BLOCK, Segment, Trajectory, kernel_for
from gradlab.engine.loss import Loss
from gradlab.engine.room import Room
from gradlab.engine.scaled import Exponents, Scaled, add, renormalize, shift
from gradlab.engine.schedule import Schedule, blocks
from gradlab.engine.window import State, unsafe_members, within_window
from gradlab.kernels.interface import Kernel
from gradlab.nonlinearity import Array

RESCALED = 128  # steps after which a kernel stops to rescale: 3.4 bits a step are safe in float64


class Block(NamedTuple):
    """Steps t0 + 1 .. t0 + n of the backward pass. Good until the next, which has its memory."""

    t0: int
    local: Any  # the cell's local derivatives, arrays (n, R, rows, B)
    delta: Scaled  # (n + 1, R, D, B): delta_{t0} .. delta_{t0+n}, before a step clip
    cotangents: Scaled  # (n, R, A', B) of the pre-activations; exponent (n, R)
    clip_scale: Array  # (n + 1, R) the factor of a step clip, 1 where none
    segment: Segment  # where states, inputs and pre-activations of these steps are
    steps: slice  # of this block within the segment

    @property
    def t(self) -> NDArray[np.int64]:
        """(n,): the steps."""
        return np.arange(self.t0, self.t0 + len(self.cotangents.exponent)) + 1

    def local_at(self, k: NDArray[np.int64] | slice) -> Any:
        """Local derivatives of some of the steps."""
        if isinstance(k, slice) and k == slice(0, len(self.cotangents.exponent)):
            return self.local
        return type(self.local)(*(field[k] for field in self.local))


class _Road(NamedTuple):
    """What happens to delta between the steps."""

    loss: Loss
    clip: StepClip | None
    cuts: Collection[int]

    def stops(self, t0: int, n: int) -> list[int]:
        """The steps between t0 and t0 + n where something enters or is cut, descending."""
        found: set[int] = set()
        for steps in (self.loss.steps, self.cuts):
            if len(steps) < n:
                found.update(t for t in steps if t0 < t < t0 + n)
            else:
                found.update(t for t in range(t0 + 1, t0 + n) if t in steps)
        return sorted(found, reverse=True)


def sweep(
    trajectory: Trajectory,
    loss: Loss,
    clip: StepClip | None = None,
    cuts: Collection[int] = (),
) -> Iterator[Block]:
    """Blocks from the last to the first. clip scales delta_t at every step on its way down; at the
    steps of `cuts` the gradient from later steps stops (the state there is detached).
    """
    R, D, B = trajectory.marks.shape[1:]
    cell, weights = trajectory.cell, trajectory.weights
    road = _Road(loss, clip, cuts)
    state = State(np.zeros((R, D, B), trajectory.marks.dtype), np.zeros(R, np.int64))
    top = inject(state, loss.at(trajectory.T))
    room = Room()
    for segment in trajectory.backwards():
        for steps in [*blocks(weights, segment.t0, len(segment.x), trajectory.block)][::-1]:
            # not around the loop: an errstate would leak to the caller at every yield
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                block = _block(cell, weights, segment, steps, top, road, room)
            yield block
            # a copy: its memory is used again
            top = State(block.delta.mantissa[0].copy(), block.delta.exponent[0])
            del block  # gone before the next is made, as the segment is
        del segment


def _block(
    cell: Cell,
    weights: Schedule,
    segment: Segment,
    steps: slice,
    top: State,
    road: _Road,
    room: Room,
) -> Block:
    t0, n = segment.t0 + steps.start, steps.stop - steps.start
    local = _local(cell, weights, segment, steps, room)
    descent = _Descent(cell, weights, local, t0, n, road, room)
    way = descent.safe(top)
    return Block(
        descent.t0,
        local,
        Scaled(way.delta, way.exponent),
        Scaled(way.cotangents, way.frame),
        way.clip_scale,
        segment,
        steps,
    )


def _local(cell: Cell, weights: Schedule, segment: Segment, steps: slice, room: Room) -> Any:
    """The local derivatives of a block; by a kernel in memory that is used again."""
    states, activations = segment.states[steps.start : steps.stop + 1], segment.activations[steps]
    kernel = kernel_for(cell, weights, states.dtype)
    if kernel is None:
        t = np.arange(segment.t0 + steps.start, segment.t0 + steps.stop) + 1
        return cell.linearize(weights.over(t), states[:-1], activations, states[1:])
    (n, R, _, B), p = activations.shape, weights.at(1)
    memory = room.array("local", (n, R, kernel.rows(p).local, B), states.dtype)
    return kernel.linearize(p, states, activations, memory)


class _Way(NamedTuple):
    """delta through the n steps of a block."""

    delta: Array  # (n + 1, R, D, B)
    exponent: Exponents  # (n + 1, R) of delta
    cotangents: Array  # (n, R, A', B)
    frame: Exponents  # (n, R) exponent of the cotangents
    clip_scale: Array  # (n + 1, R)


def _replace(way: _Way, other: _Way, members: Array) -> _Way:
    """`way` with those members (a mask (R,)) taken from `other`."""
    for mine, theirs in zip(way, other, strict=True):
        mine[:, members] = theirs[:, members]
    return way


class _Descent:
    """What goes from the top of a block to its bottom."""

    def __init__(
        self, cell: Cell, weights: Schedule, local: Any, t0: int, n: int, road: _Road, room: Room
    ) -> None:
        self.cell, self.weights, self.t0, self.n, self.road = cell, weights, t0, n, road
        self.local, self.room = local, room

    def safe(self, top: State) -> _Way:
        """Pull delta through the steps, rescaled as often as every member needs it. Only what needs
        it is done again: a member's bits do not depend on its neighbours.
        """
        if self.road.clip is not None:
            return self.run(top, eager=True)
        kernel = kernel_for(self.cell, self.weights, top.delta.dtype)
        if kernel is None:
            way = self.run(top, eager=False)
        else:
            way = self.by_kernel(kernel, top, "delta", RESCALED)
        unsafe = unsafe_members(way.delta)
        if kernel is not None and self.n > BLOCK and unsafe.any():
            way = _replace(way, self.by_kernel(kernel, top, "delta again", BLOCK), unsafe)
            unsafe = unsafe_members(way.delta)
        if unsafe.any():
            way = _replace(way, self.run(top, eager=True), unsafe)
        return way

    def run(self, top: State, eager: bool) -> _Way:
        """Pull delta through the steps; eager: rescale at every step, not only at the top."""
        R, n = len(top.delta), self.n
        delta = np.empty((n + 1, *top.delta.shape), top.delta.dtype)
        exponent, frame = np.empty((n + 1, R), np.int64), np.empty((n, R), np.int64)
        cotangents, clip_scale = [], np.ones((n + 1, R))
        at_step = [type(self.local)(*fields) for fields in zip(*self.local, strict=True)]
        state = State(*renormalize(*top)) if eager else within_window(top)
        delta[n], exponent[n] = state
        for k in range(n - 1, -1, -1):
            if self.road.clip is not None:
                clipped, e, clip_scale[k + 1] = self.road.clip(*state)
                state = State(clipped, e)
            p = self.weights.at(self.t0 + k + 1)
            g, cotangent = self.cell.vjp(p, at_step[k], state.delta)
            cotangents.append(cotangent)
            frame[k] = state.exponent
            state = State(g, state.exponent)
            if self.t0 + k in self.road.cuts:
                state = State(np.zeros_like(g), np.zeros_like(state.exponent))
            state = inject(state, self.road.loss.at(self.t0 + k))
            if eager:
                state = State(*renormalize(*state))
            delta[k], exponent[k] = state
        return _Way(delta, exponent, np.stack(cotangents[::-1]), frame, clip_scale)

    def by_kernel(self, kernel: Kernel, top: State, name: str, most: int) -> _Way:
        """The same by the cell's kernel, rescaled at the top and after every `most` steps. It stops
        where something enters or is cut, too. name: of the memory that is used again.
        """
        R, n, p = len(top.delta), self.n, self.weights.at(1)
        shape, dtype = top.delta.shape, top.delta.dtype
        delta = self.room.array(name, (n + 1, *shape), dtype)
        rows = kernel.rows(p).work
        work = self.room.array(f"work of {name}", (n, R, rows, shape[2]), dtype)
        exponent, frame = np.empty((n + 1, R), np.int64), np.empty((n, R), np.int64)
        state = within_window(top)
        delta[n], exponent[n] = state
        high, t0 = n, self.t0
        stops = [t - t0 for t in self.road.stops(t0, n)] + [0]
        while stops:
            k = stops.pop(0) if high - stops[0] <= most else high - most
            dh, cut = self.road.loss.at(t0 + k), t0 + k in self.road.cuts
            steps = slice(k, high)
            local = type(self.local)(*(field[steps] for field in self.local))
            kernel.backward(p, local, delta[k : high + 1], work[steps])
            exponent[steps] = frame[steps] = state.exponent
            if cut:
                delta[k], exponent[k] = 0, 0
            state = inject(State(delta[k], exponent[k]), dh)
            if k and high - k == most:
                state = within_window(state)
            delta[k], exponent[k] = state
            high = k
        return _Way(delta, exponent, kernel.cotangents(work), frame, np.ones((n + 1, R)))


def inject(state: State, dh: Array | Scaled | None) -> State:
    """delta + dh, dh entering the first rows (h). A delta far below 1 comes back to the plain
    frame; where dh has exponents of its own, to that of the larger.
    """
    if dh is None:
        return state
    if isinstance(dh, Scaled):
        whole = np.zeros_like(state.delta)
        whole[:, : dh.mantissa.shape[1]] = dh.mantissa
        return State(*add(Scaled(*state), Scaled(whole, dh.exponent)))
    below = np.minimum(state.exponent, 0)
    delta, exponent = shift(state.delta, below), state.exponent - below
    if delta is state.delta:
        delta = delta.copy()
    delta[:, : dh.shape[1]] += shift(dh, -exponent)
    return State(delta, exponent)
