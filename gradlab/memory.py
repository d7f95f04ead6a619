"""How an ensemble is cut so that its states and activations fit a share of the memory.

Neither the size of the pieces nor checkpointing changes a bit of the result.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.engine.forward import block_steps
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.spec import Spec

MEMORY = 128 * 2**20  # bytes of states and activations that are held at a time
CACHE = 2**20  # bytes that every step reads of the members worked on: what stays close to a core
ALL_TERMS = 4  # states and activations, local derivatives, every loss term on its way
OUTPUT_ARRAYS = 6  # outputs, targets and what a loss makes of them, at all its steps at once
PROBED = 10**6  # weights of a network that is tried out; of a larger one, a smaller one is:
SMALLER = 16  # units and inputs, for the rows grow with either
ENOUGH = 8  # members at a time that keep the per-step overhead small


def memory_plan(spec: Spec, members: int) -> tuple[int, int | None]:
    """How many members of this shape at a time, and the steps between checkpoints.

    None in place of the steps: everything is kept. The optimum distance is sqrt(T s / c) for states
    of s bytes and segments of c bytes a step.
    """
    members = _between(MEMORY // output_bytes(spec), members)
    state, kept = bytes_per_step(spec)
    between = bytes_between(spec)
    members = _between(CACHE // (_weights(spec) + kept), members)
    if side_by_side(spec):
        kept *= ALL_TERMS
    if not spec.topology.tied:  # a step has weights of its own, and gradients of them
        kept += 2 * _weights(spec)
    T = spec.steps
    fitting = MEMORY // ((kept + between) * T)
    if side_by_side(spec):  # they need the whole trajectory: checkpoints would spare nothing
        return _between(fitting, members), None
    if spec.checkpoint == "none":
        return _between(fitting, members), None
    if spec.checkpoint == "auto" and fitting >= min(members, ENOUGH):
        return _between(fitting, members), None
    block = block_steps(T, state // spec.dtype.itemsize)
    if spec.checkpoint == "auto":
        every = int(np.sqrt(T * state / kept))
        # a block of inputs is drawn again for every segment that has a part in it
        every = _multiple(every, INPUT_BLOCK if every > INPUT_BLOCK // 2 else block)
    else:
        every = _multiple(spec.checkpoint, block)
    fitting = int(MEMORY // (kept * min(every, T) + state * T / every + between * T))
    return _between(fitting, members), every


def side_by_side(spec: Spec) -> bool:
    """Whether every loss term goes back on its own, all at the same time."""
    sliding = spec.truncate is not None and spec.truncate.mode == "sliding"
    return len(spec.loss_steps) > 1 and (spec.lag_split or sliding)


def bytes_per_step(spec: Spec) -> tuple[int, int]:
    """Bytes of a state, and of all that is kept of a step, for one member: of all chains."""
    cell, stride = spec.network, spec.topology.stride
    widths = [spec.I, *[spec.handed] * (len(spec.chains) - 1)]
    each = [_rows_per_step(cell, I, I * stride, spec) for I in widths]
    itemsize = spec.dtype.itemsize * spec.B * len(spec.entries)
    D, kept = (sum(rows) for rows in zip(*each, strict=True))
    return D * itemsize, kept * itemsize


def _rows_per_step(cell: Cell, I: int, width: int, spec: Spec) -> tuple[int, int]:
    """Rows of a chain's state, and of all that is kept of a step. width: of the inputs of a step
    of the network.
    """
    options = cell.Options(**spec.options)
    layers = 1 if spec.topology.chained else spec.topology.layers
    D = len(cell.STATE) * spec.H * layers
    weights = sum(prod(shape) for shape in cell.shapes(spec.H, I, 2, options).values())
    if weights <= PROBED:
        return D, D + width + _activations(cell, spec.H, I, width, spec)
    H, i, stride = min(spec.H, SMALLER), min(I, SMALLER), width // I
    small = replace(spec, H=H)
    cell = cell if spec.topology.chained else small.network
    if I == spec.H:
        return D, D + width + _activations(cell, H, H, H * stride, small) * spec.H // H
    some = _activations(cell, H, i, i * stride, small)
    more = _activations(cell, H, 2 * i, 2 * i * stride, small) - some  # an input's, i times
    return D, D + width + (some - more) * spec.H // H + more * I // i


def _activations(cell: Cell, H: int, I: int, width: int, spec: Spec) -> int:
    """Rows of what a step keeps beside its state, found by doing one with weights of zero."""
    options = cell.Options(**spec.options)
    shapes = cell.shapes(H, I, 2, options)
    p = cell.init({n: np.zeros((1, *shape), spec.dtype) for n, shape in shapes.items()}, options)
    layers = 1 if spec.topology.chained else spec.topology.layers
    s = np.zeros((1, len(cell.STATE) * H * layers, 1), spec.dtype)
    _, a = cell.step(p, s, cell.drive(p, np.zeros((1, width, 1), spec.dtype)))
    return int(a.shape[1])


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
    each = spec.dtype.itemsize * spec.B * spec.outputs
    return OUTPUT_ARRAYS * each * len(spec.loss_steps)


def _weights(spec: Spec) -> int:
    """Bytes of the weights that a step reads, for one member."""
    cell = spec.network
    shapes = cell.shapes(spec.H, spec.I, 2, cell.Options(**spec.options))
    return spec.dtype.itemsize * sum(prod(shape) for shape in shapes.values())


def _between(n: int, most: int) -> int:
    return max(1, min(n, most))


def _multiple(n: int, of: int) -> int:
    return max(of, -(-n // of) * of)
