"""One backward pass, with everything that is recorded of it taken as the blocks go by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Shape, Share
from gradlab.engine.backward import Block, sweep
from gradlab.engine.clip import StepClip
from gradlab.engine.forward import Trajectory
from gradlab.engine.gradients import ParameterGradients, block_shares, share_norms
from gradlab.engine.loss import Injection
from gradlab.engine.scaled import Scaled
from gradlab.engine.spectrum import step_singular_values
from gradlab.nonlinearity import Array

SATURATED = 0.1  # a unit is saturated where phi' is below a tenth of its largest value


@dataclass(frozen=True)
class Wanted:
    """What to record beside norms: at which steps, and how many sequences' singular values (0:
    none).
    """

    rows: NDArray[np.int64]  # steps, ascending, within 0 .. T
    sequences: int = 1


@dataclass
class Gradients:
    """What one backward pass yielded. N rows (steps), R members.

    norms: by name of the state part (`h`, `c`, `c_total`), (N, R). weight_norm: of the share of
    step t in dL/dW_hh, NaN at t = 0. step_singular_values (N, R, sequences, D), NaN at t = 0.
    clip_scale (N, R). gate_mean, gate_slope and gate_saturation (N, R, readings): NaN at t = 0.
    parameters: dL/d(tensor).
    """

    rows: NDArray[np.int64]
    norms: dict[str, Scaled]
    weight_norm: Scaled
    clip_scale: Array
    readings: tuple[str, ...]
    gate_mean: Array
    gate_slope: Array
    gate_saturation: Array
    step_singular_values: Array | None
    parameters: dict[str, Scaled] = field(default_factory=dict)


def backpropagate(
    trajectory: Trajectory,
    loss: Injection,
    shapes: dict[str, Shape],
    wanted: Wanted,
    clip: StepClip | None = None,
) -> Gradients:
    """Send the gradient from T to 0 and record it. shapes: of the tensors to differentiate by."""
    R, D = trajectory.marks.shape[1:3]
    total = ParameterGradients(shapes, R, trajectory.marks.dtype)
    out: Gradients | None = None
    for block in sweep(trajectory, loss, clip):
        if out is None:
            out = _empty(trajectory, block, wanted, R, D)
        shares = block_shares(trajectory.cell, block)
        total.add(shares, block.cotangents.exponent)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            _record(trajectory, block, wanted, shares, out)
    assert out is not None  # T is at least 1
    out.parameters = total.total
    if wanted.rows[0] == 0:  # s_0 is given: its parts have no path through each other
        for name in out.norms.keys() - set(trajectory.cell.STATE):
            part = out.norms[name.removesuffix("_total")]
            _put(out.norms[name], slice(0, 1), Scaled(part.mantissa[:1], part.exponent[:1]))
    return out


def _empty(trajectory: Trajectory, block: Block, wanted: Wanted, R: int, D: int) -> Gradients:
    cell, N = trajectory.cell, len(wanted.rows)
    names = (*cell.STATE, *_totals(trajectory, block, slice(0, 1)))
    readings = tuple(cell.readings(block.local))

    def missing(*shape: int) -> Array:
        return np.full((N, R, *shape), np.nan)

    return Gradients(
        rows=wanted.rows,
        norms={name: Scaled(missing(), np.zeros((N, R), np.int64)) for name in names},
        weight_norm=Scaled(missing(), np.zeros((N, R), np.int64)),
        clip_scale=np.ones((N, R)),
        readings=readings,
        gate_mean=missing(len(readings)),
        gate_slope=missing(len(readings)),
        gate_saturation=missing(len(readings)),
        step_singular_values=missing(wanted.sequences, D) if wanted.sequences else None,
    )


def _record(
    trajectory: Trajectory, block: Block, wanted: Wanted, shares: tuple[Share, ...], out: Gradients
) -> None:
    """Fill the rows that lie in t0 .. t0 + n; t0 itself is the next block's, but for t0 = 0."""
    n = len(block.delta.mantissa) - 1
    low = int(np.searchsorted(wanted.rows, block.t0 + (block.t0 > 0)))
    high = int(np.searchsorted(wanted.rows, block.t0 + n, side="right"))
    at = slice(low, high)
    k = wanted.rows[at] - block.t0  # index into delta
    if len(k) == 0:
        return
    delta = Scaled(block.delta.mantissa[_index(k)], block.delta.exponent[_index(k)])
    parts = _norms(delta.mantissa, len(trajectory.cell.STATE))
    for index, name in enumerate(trajectory.cell.STATE):
        _put(out.norms[name], at, Scaled(parts[..., index], delta.exponent))
    out.clip_scale[at] = block.clip_scale[k]
    if k[0] == 0:  # no step leads to s_0
        at, k = slice(low + 1, high), k[1:]
        delta = Scaled(delta.mantissa[1:], delta.exponent[1:])
    if len(k):
        _record_steps(trajectory, block, _index(k - 1), delta, shares, at, out)


def _index(k: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """The same elements; as a slice, which copies nothing, where they are neighbours."""
    return slice(int(k[0]), int(k[-1]) + 1) if k[-1] - k[0] == len(k) - 1 else k


def _record_steps(
    trajectory: Trajectory,
    block: Block,
    k: NDArray[np.int64] | slice,
    delta: Scaled,
    shares: tuple[Share, ...],
    at: slice,
    out: Gradients,
) -> None:
    """What belongs to a step: k indexes the steps of the block, delta is at their ends."""
    cell, p = trajectory.cell, trajectory.p
    local = type(block.local)(*(f[k] for f in block.local))
    for name, total in _totals(trajectory, block, k).items():
        _put(out.norms[name], at, Scaled(_norms(total, 1)[..., 0], delta.exponent))
    _put(out.weight_norm, at, share_norms(shares, "weight_hh", block.cotangents.exponent, k))
    for index, reading in enumerate(cell.readings(local).values()):
        out.gate_mean[at, :, index] = _mean(reading.value)
        out.gate_slope[at, :, index] = _mean(reading.slope)
        out.gate_saturation[at, :, index] = _mean(reading.slope < SATURATED)
    if out.step_singular_values is not None:
        for row, fields in enumerate(zip(*local, strict=True), at.start):
            out.step_singular_values[row] = step_singular_values(
                cell, p, type(local)(*fields), out.step_singular_values.shape[2]
            )


def _norms(a: Array, parts: int) -> Array:
    """Frobenius norms (n, R, parts) of the row blocks of a (n, R, rows, B)."""
    n, R = a.shape[:2]
    flat = a.astype(float, copy=False).reshape(n, R, parts, -1)
    return np.sqrt(np.vecdot(flat, flat))


def _totals(trajectory: Trajectory, block: Block, k: NDArray[np.int64] | slice) -> dict[str, Array]:
    """The cell's completed adjoints at the ends of the steps k of a block."""
    local = type(block.local)(*(f[k] for f in block.local))
    delta, cotangents = block.delta.mantissa[1:][k], block.cotangents.mantissa[k]
    return trajectory.cell.totals(trajectory.p, local, delta, cotangents)


def _mean(a: Array) -> Array:
    """Mean over units and sequences, each row contiguous: the same bits for any ensemble."""
    flat = np.ascontiguousarray(a).reshape(*a.shape[:-2], -1)
    return flat.mean(axis=-1, dtype=float)


def _put(target: Scaled, at: slice, value: Scaled) -> None:
    target.mantissa[at], target.exponent[at] = value
