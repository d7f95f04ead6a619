"""The loss of one batch and its gradient by every tensor: forward, read out, backward.

All arrays are for R members side by side; a member's bits do not depend on the others. An embedding
is a table whose rows are looked up, and its gradient has the rows that were: no one-hot product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.backward import Block, sweep
from gradlab.engine.between import InputGradients
from gradlab.engine.clip import StepClip
from gradlab.engine.forward import Trajectory, forward
from gradlab.engine.gradients import ParameterGradients, block_shares
from gradlab.engine.loss import Injections, read_out
from gradlab.engine.scaled import Scaled, shift
from gradlab.engine.schedule import Shared
from gradlab.engine.sliding import sliding
from gradlab.engine.softmax import classify
from gradlab.ensemble import truncation
from gradlab.networks import entering, output
from gradlab.nonlinearity import Array
from gradlab.spec import Spec
from gradlab.tasks.interface import Batch

Tensors = dict[str, Array]
OUTPUT = ("weight_out", "bias_out")
EMBEDDING = "embedding"


class Rows(NamedTuple):
    """The rows of an embedding that a batch has, and their gradients, of one member."""

    at: NDArray[np.int64]  # (U,) ascending, each once
    values: Array  # (U, I)


class Answers(NamedTuple):
    """What the outputs came to."""

    value: Array  # (R,) the loss
    right: Array  # (R,) the share of right answers; NaN where there are no classes
    dh: Array  # (m, R, H, B)
    gradients: dict[str, Scaled]  # of the output layer


@dataclass(frozen=True)
class Found:
    """One batch's loss and gradient."""

    loss: Array  # (R,)
    right: Array  # (R,)
    gradients: dict[str, Scaled]  # of all tensors but the embedding, (R, ...)
    rows: list[Rows]  # of the embedding, one for each member; [] without one
    last: Array  # (R, D, B) the state after the last step
    overflow: NDArray[np.int64]  # (R,) first step whose state is not finite, or 0


def stacked(batches: Sequence[Batch], dtype: np.dtype) -> tuple[Array, Array]:
    """The batches of R members: inputs (T, R, I, B) or symbols (T, R, B), targets (m, R, ...)."""
    x = np.stack([batch.x for batch in batches], axis=1)
    y = np.stack([batch.y for batch in batches], axis=1)
    as_numbers = [a if np.issubdtype(a.dtype, np.integer) else a.astype(dtype) for a in (x, y)]
    return as_numbers[0], as_numbers[1]


def looked_up(x: Array, tensors: Mapping[str, Array]) -> Array:
    """Inputs (T, R, I, B): those of the batch, or the rows of the embedding (R, V, I)."""
    if EMBEDDING not in tensors:
        return x
    table = tensors[EMBEDDING]
    found = np.stack([table[r][x[:, r]] for r in range(len(table))], axis=1)  # (T, R, B, I)
    return np.ascontiguousarray(found.swapaxes(-1, -2))


def answers(spec: Spec, h: Array, tensors: Mapping[str, Array], y: Array) -> Answers:
    """The loss of the outputs that the states h (m, R, H, B) give."""
    V, c = (tensors[name] for name in OUTPUT)
    if spec.loss == "cross_entropy":
        found = classify(h, V, c, y)
        return Answers(*found)
    read = read_out(spec.loss, h, V, c, y)
    return Answers(read.value, np.full(len(V), np.nan), read.dh, read.gradients)


def gradient(
    spec: Spec,
    tensors: Mapping[str, Array],
    x: Array,
    y: Array,
    s0: Array,
    every: int | None,
    clip: StepClip | None = None,
) -> Found:
    """Of some members: tensors (R, ...), inputs or symbols x, targets y, initial states (R, D, B).

    every: steps between checkpoints.
    """
    cell, inputs = spec.network, looked_up(x, tensors)
    own = {name: a for name, a in tensors.items() if name not in (*OUTPUT, EMBEDDING)}
    p = Shared(cell.init(own, spec.base.Options(**spec.options)))
    steps = np.array(spec.loss_steps)
    trajectory = forward(
        cell, p, lambda t0, n: inputs[t0 : t0 + n], s0, spec.steps, every, watch=steps
    )
    read = answers(spec, output(cell, trajectory.watched), tensors, y)
    loss = Injections(entering(cell, read.dh), steps)
    shapes = {name: a.shape[1:] for name, a in own.items()}
    total = ParameterGradients(shapes, len(s0), trajectory.marks.dtype)
    pulled = InputGradients(trajectory) if EMBEDDING in tensors else None
    for block in _blocks(spec, trajectory, loss, clip):
        total.add(block_shares(cell, block), block.cotangents.exponent)
        if pulled is not None:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                pulled.add(block)
    rows = [] if pulled is None else _rows(x, pulled.found)
    last = trajectory.last.states[-1]
    gradients = total.total | read.gradients
    return Found(read.value, read.right, gradients, rows, last, trajectory.overflow)


def _blocks(
    spec: Spec, trajectory: Trajectory, loss: Injections, clip: StepClip | None
) -> Iterator[Block]:
    """The backward pass, cut as the config says; within a batch whose state is carried on, the
    first step is a border already.
    """
    if spec.truncate is None or spec.truncate.steps >= spec.steps:
        return sweep(trajectory, loss, clip)
    cut = truncation(spec)
    if cut.reach is not None:
        return sliding(trajectory, loss, cut.entries, cut.reach)
    return sweep(trajectory, loss, clip, cut.cuts)


def _rows(x: Array, pulled: Scaled) -> list[Rows]:
    """The gradient of the embedding: for each symbol of the batch the sum of dL/dx where it stands.

    Symbols x (T, R, B), pulled (T, R, I, B) with exponents (T, R).
    """
    with np.errstate(over="ignore", under="ignore"):
        plain = shift(pulled.mantissa, pulled.exponent)
    found = []
    for r in range(x.shape[1]):
        symbols = x[:, r].ravel()
        own = plain[:, r].swapaxes(-1, -2).reshape(len(symbols), -1)
        order = np.argsort(symbols, kind="stable")
        at, starts = np.unique(symbols[order], return_index=True)
        found.append(Rows(at, np.add.reduceat(own[order], starts, axis=0)))
    return found
