"""How an ensemble is cut so that its states and activations fit a share of the memory.

Neither the size of the pieces nor checkpointing changes a bit of the result.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.engine.forward import alone, block_steps
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.kernels import kernel_of
from gradlab.spec import Spec
from gradlab.trial import one_step

NUMBER = 8  # bytes: whatever is recorded is in float64
MEMORY = 128 * 2**20  # bytes of states and activations that are held at a time
CACHE = 2**20  # bytes that every step reads of the members worked on: what stays close to a core
ALL_TERMS = 4  # states and activations, local derivatives, every loss term on its way
OUTPUT_ARRAYS = 6  # outputs, targets and what a loss makes of them, at all its steps at once
READ_ARRAYS = 4  # the states that outputs are made of, their gradients, and a copy of either
TENSORS = 3  # weights, their gradients, and a term that is added to them
PROBED = 10**6  # weights of a network that is tried out; of a larger one, a smaller one is:
SMALLER = 16  # units and inputs, for the rows grow with either
ENOUGH = 8  # members at a time, of all workers, that keep the per-step overhead small


def memory_plan(spec: Spec, members: int, workers: int = 1) -> tuple[int, int | None]:
    """How many members of this shape each of the workers has at a time, and the steps between
    checkpoints.

    MEMORY is what all workers have together; 0 members where several are too many for it, while a
    single one always has a member. None in place of the steps: everything is kept, or the states
    alone where `states_alone`. The optimum distance is sqrt(T s / c) for states of s bytes and
    segments of c bytes a step.
    """
    share, enough, least = MEMORY // workers, -(-ENOUGH // workers), int(workers == 1)
    members = _between(share // output_bytes(spec), -(-members // workers), least)
    state, kept = bytes_per_step(spec)
    between, weights = bytes_between(spec), weight_bytes(spec)
    weights *= TENSORS if spec.weight_gradients else 1
    members = _between(CACHE // (_weights(spec) + kept), members, min(1, members))
    if side_by_side(spec):
        kept *= ALL_TERMS
    T = spec.steps
    if side_by_side(spec):  # they need the whole trajectory: checkpoints would spare nothing
        return _between(share // ((kept + between) * T + weights), members, least), T
    whole = state * T + (kept - state) * segment_steps(spec, None) + between * T
    plain = _between(share // (whole + weights), members, least), None
    # checkpoints spare states, not weights: these count for the cut alone
    if spec.checkpoint == "none":
        return plain
    if spec.checkpoint == "auto" and share // whole >= min(members, enough):
        return plain
    block = block_steps(T, state // spec.dtype.itemsize)
    if spec.checkpoint == "auto":
        every = int(np.sqrt(T * state / kept))
        # a block of inputs is drawn again for every segment that has a part in it
        every = _nearest(every, max(INPUT_BLOCK, block) if every > INPUT_BLOCK // 2 else block)
    else:
        every = _multiple(spec.checkpoint, block)
    marked = int(kept * min(every, T) + state * T / every + between * T)
    return _between(share // (marked + weights), members, least), every


def segment_steps(spec: Spec, every: int | None) -> int:
    """Steps that the engine works on at a time, for so many between checkpoints."""
    if every is None and states_alone(spec):
        every = max(INPUT_BLOCK, block_steps(spec.steps, len(spec.base.STATE) * spec.H))
    return min(every or spec.steps, spec.steps)


def states_alone(spec: Spec) -> bool:
    """Whether of a run without checkpoints the states are all that is kept: activations are made
    from them, inputs drawn again.
    """
    return one_set(spec) and alone(kernel_of(spec.network), spec.B)


def side_by_side(spec: Spec) -> bool:
    """Whether every loss term goes back on its own, all at the same time."""
    sliding = spec.truncate is not None and spec.truncate.mode == "sliding"
    return len(spec.loss_steps) > 1 and (spec.lag_split or sliding)


class PerStep(NamedTuple):
    """Bytes of a step, for one member: a state, all that forward keeps with it, and inputs, a part
    of that, of all chains; of one chain what backward makes of a step of a block: its
    local derivatives, cotangents, terms of the gradients, and the local derivatives that a kernel
    makes, in memory that is used again.
    """

    state: int
    kept: int
    inputs: int
    local: int
    cotangents: int
    shares: int
    reused: int


def per_step(spec: Spec) -> PerStep:
    """What a step takes."""
    each = np.array([_rows_per_step(I, spec) for I in _widths(spec)]) * spec.dtype.itemsize * spec.B
    state, kept = (each[:, :2].sum(axis=0) * len(spec.entries)).tolist()
    drawn = spec.I * spec.topology.stride * spec.dtype.itemsize * spec.B * len(spec.entries)
    return PerStep(state, kept, drawn, *each[:, 2:].max(axis=0).tolist())


def bytes_per_step(spec: Spec) -> tuple[int, int]:
    """Bytes of a state, and of all that is kept of a step, for one member: of all chains."""
    return per_step(spec)[:2]


def _widths(spec: Spec) -> list[int]:
    """The inputs of each chain of a direction."""
    return [spec.I, *[spec.handed] * (len(spec.chains) - 1)]


def _rows_per_step(I: int, spec: Spec) -> tuple[int, ...]:
    """The rows of a chain with so many inputs, in the order of `PerStep`, `inputs` left out."""
    if sum(map(prod, tensor_shapes(spec, I).values())) <= PROBED:
        return _tried(spec.H, I, spec)
    H, i = min(spec.H, SMALLER), min(I, SMALLER)
    if I == spec.H:
        return tuple(rows * spec.H // H for rows in _tried(H, H, spec))
    some, twice = np.array(_tried(H, i, spec)), np.array(_tried(H, 2 * i, spec))
    more = twice - some  # for i inputs
    return tuple(((some - more) * spec.H // H + more * I // i).tolist())


def _tried(H: int, I: int, spec: Spec) -> tuple[int, ...]:
    """The rows of a chain of H units and I inputs, found by doing a step."""
    step = one_step(spec, H, I)
    kept = step.state + I * spec.topology.stride + step.activations
    shares = step.shares if spec.weight_gradients else 0
    return step.state, kept, step.local, step.cotangents, shares, step.reused


def bytes_between(spec: Spec) -> int:
    """Bytes of a step that layers of chains hand each other, for one member, checkpoints or not:
    the outputs of all, the states and the gradients of one.
    """
    above = len(spec.chains) - 1
    if not above:
        return 0
    states = len(spec.base.STATE) * spec.H * len(spec.entries)
    return (spec.handed * (above + 2 + 2) + states) * spec.dtype.itemsize * spec.B


def output_bytes(spec: Spec) -> int:
    """Bytes of the outputs that a loss looks at, for one member; at least 1."""
    if spec.loss == "upstream":
        return 1
    each = spec.dtype.itemsize * spec.B * len(spec.loss_steps)
    if by_pieces(spec):
        return READ_ARRAYS * each * spec.handed
    return OUTPUT_ARRAYS * each * spec.outputs


def by_pieces(spec: Spec) -> bool:
    """Whether no more than a piece of the outputs is there at a time: those of classes that are
    learned (gradlab.engine.softmax).
    """
    return spec.train is not None and spec.loss == "cross_entropy"


def weight_bytes(spec: Spec) -> int:
    """Bytes of all weights of one member: of every layer, direction and set."""
    return spec.dtype.itemsize * weight_sets(spec) * set_weights(spec)


def one_set(spec: Spec) -> bool:
    """Whether all steps of a direction have the same weights."""
    return weight_sets(spec) == len(spec.entries)


def weight_sets(spec: Spec) -> int:
    """How many sets of weights there are: one, or one a phase or a step, in each direction."""
    shape = spec.topology
    return len(spec.entries) * (spec.steps if not shape.tied else max(len(shape.phases), 1))


def set_weights(spec: Spec) -> int:
    """Numbers in one set of weights, of all its layers."""
    every = [tensor_shapes(spec, I) for I in _widths(spec)]
    return sum(prod(shape) for shapes in every for shape in shapes.values())


def tensor_shapes(spec: Spec, I: int) -> dict[str, Shape]:
    """Of the tensors of a layer with so many inputs."""
    return spec.network.shapes(spec.H, I, 2, spec.network.Options(**spec.options))


def _weights(spec: Spec) -> int:
    """Bytes of the weights that a step reads, for one member."""
    return spec.dtype.itemsize * sum(map(prod, tensor_shapes(spec, spec.I).values()))


def _between(n: int, most: int, least: int) -> int:
    return max(least, min(n, most))


def _multiple(n: int, of: int) -> int:
    return max(of, -(-n // of) * of)


def _nearest(n: int, of: int) -> int:
    """The nearest multiple, at least one."""
    return max(of, (n + of // 2) // of * of)


def state_rows(spec: Spec) -> int:
    """D, of the state whose Jacobian is taken."""
    shape = spec.topology
    return len(spec.base.STATE) * spec.H * (1 if shape.chained else shape.layers)
