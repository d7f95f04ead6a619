"""What is recorded of a backward pass: the rows of its steps, filled as the blocks go by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Share
from gradlab.engine.backward import Block
from gradlab.engine.forward import Trajectory
from gradlab.engine.gradients import share_norms
from gradlab.engine.largest_product import LargestProducts
from gradlab.engine.product_spectrum import ProductSpectrum
from gradlab.engine.scaled import Scaled, hypot, neighbours
from gradlab.nonlinearity import Array

SATURATED = 0.1  # a unit is saturated where phi' is below a tenth of its largest value


@dataclass(frozen=True)
class Products:
    """Which product singular values and Lyapunov exponents are wanted."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # none: no steps
    values: int | None = None
    sequences: int = 1
    lyapunov: bool = False
    largest: bool = False  # of the products, without the others


@dataclass(frozen=True)
class Wanted:
    """What to record beside norms: at which steps, and how many sequences' singular values (0:
    none).

    weights: for each layer the tensors whose share of every step is recorded, where the parameters'
    gradients are wanted at all. largest: of the steps' singular values.
    """

    rows: NDArray[np.int64]  # steps, ascending, within 0 .. T
    sequences: int = 1
    weights: tuple[tuple[str, ...], ...] = (("weight_hh",),)
    sets: int = 1  # of weights
    gradients: bool = True  # of the parameters
    gates: bool = False  # whether their values are counted
    products: Products = Products()
    largest: bool = False

    @property
    def layers(self) -> int:
        """How many."""
        return len(self.weights)


@dataclass
class Gradients:
    """What one backward pass yielded. N rows (steps), R members.

    norms: by name of the state part (`h`, `c`, `c_total`), (N, R). weight_norm: of the share of
    step t in dL/dW_hh, NaN at t = 0, where gradients are wanted. step_singular_values (N, R,
    sequences, D or 1), NaN at t = 0. clip_scale (N, R). gate_mean, gate_slope and gate_saturation
    (N, R, readings): NaN at t = 0.
    layer_norms, by part of the state, and layer_weight_norm (N, R, layers): of a stack, with every
    path from the layer. path_norms (N, R, paths), factor_histogram (R, bins): of cells that have
    them. gate_histogram (R, readings, bins): where it is wanted. products: their singular values.
    lyapunov (R, sequences, D): exponents, nats per step.
    parameters: dL/d(tensor).
    """

    rows: NDArray[np.int64]
    norms: dict[str, Scaled]
    weight_norm: Scaled | None
    clip_scale: Array
    readings: tuple[str, ...]
    gate_mean: Array
    gate_slope: Array
    gate_saturation: Array
    step_singular_values: Array | None = None
    layer_norms: dict[str, Scaled] = field(default_factory=dict)
    layer_weight_norm: Scaled | None = None
    path_norms: Array | None = None
    factor_histogram: NDArray[np.int64] | None = None
    gate_histogram: NDArray[np.int64] | None = None
    products: ProductSpectrum | LargestProducts | None = None
    lyapunov: Array | None = None
    parameters: dict[str, Scaled] = field(default_factory=dict)


def empty(trajectory: Trajectory, block: Block, wanted: Wanted, R: int) -> Gradients:
    """What there will be, all NaN; a block tells which names the cell has."""
    cell, N = trajectory.cell, len(wanted.rows)
    names = (*cell.STATE, *_totals(trajectory, block, slice(0, 1)))
    readings = tuple(cell.readings(block.local))

    layered = [n for n in names if n != "h_total"] if wanted.layers > 1 else []

    def missing(*shape: int) -> Array:
        return np.full((N, R, *shape), np.nan)

    def zeros(*shape: int) -> Scaled:
        return Scaled(missing(*shape), np.zeros((N, R, *shape), np.int64))

    return Gradients(
        rows=wanted.rows,
        norms={name: zeros() for name in names},
        weight_norm=zeros() if wanted.gradients else None,
        clip_scale=np.ones((N, R)),
        readings=readings,
        gate_mean=missing(len(readings)),
        gate_slope=missing(len(readings)),
        gate_saturation=missing(len(readings)),
        layer_norms={part: zeros(wanted.layers) for part in layered},
        layer_weight_norm=zeros(wanted.layers) if layered and wanted.gradients else None,
    )


def record(
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
    delta = block.delta.at(neighbours(k))
    parts = _norms(delta.mantissa, len(trajectory.cell.STATE))
    for index, name in enumerate(trajectory.cell.STATE):
        _put(out.norms[name], at, Scaled(parts[..., index], delta.exponent))
    out.clip_scale[at] = block.clip_scale[k]
    if k[0] == 0:  # no step leads to s_0: what completes an adjoint is not there
        _record_layers(trajectory, wanted, delta.at(slice(0, 1)), {}, slice(0, 1), out)
        at, k = slice(low + 1, high), k[1:]
    if len(k):
        _record_steps(trajectory, block, wanted, neighbours(k - 1), shares, at, out)


def complete_start(trajectory: Trajectory, out: Gradients) -> None:
    """s_0 is given: its parts have no path through each other, so nothing completes them."""
    if out.rows[0] == 0:
        for name in out.norms.keys() - set(trajectory.cell.STATE):
            part = out.norms[name.removesuffix("_total")]
            _put(out.norms[name], slice(0, 1), part.at(slice(0, 1)))


def _record_steps(
    trajectory: Trajectory,
    block: Block,
    wanted: Wanted,
    k: NDArray[np.int64] | slice,
    shares: tuple[Share, ...],
    at: slice,
    out: Gradients,
) -> None:
    """What belongs to a step: k indexes the steps of the block."""
    cell, frame = trajectory.cell, block.cotangents.exponent
    local, delta = block.local_at(k), block.delta.at(slice(1, None)).at(k)
    totals = _totals(trajectory, block, k)
    for name, total in totals.items():
        _put(out.norms[name], at, Scaled(_norms(total, 1)[..., 0], delta.exponent))
    _record_layers(trajectory, wanted, delta, totals, at, out)
    if out.weight_norm is not None:
        each = [share_norms(shares, tensors, frame, k) for tensors in wanted.weights]
        _put(out.weight_norm, at, each[0] if len(each) == 1 else _all_layers(each))
        if out.layer_weight_norm is not None:
            stacked = Scaled(*(np.stack(a, axis=-1) for a in zip(*each, strict=True)))
            _put(out.layer_weight_norm, at, stacked)
    for index, reading in enumerate(cell.readings(local).values()):
        out.gate_mean[at, :, index] = _mean(reading.value)
        out.gate_slope[at, :, index] = _mean(reading.slope)
        out.gate_saturation[at, :, index] = _mean(reading.slope < SATURATED)


def _record_layers(
    trajectory: Trajectory,
    wanted: Wanted,
    delta: Scaled,
    totals: dict[str, Array],
    at: slice,
    out: Gradients,
) -> None:
    """Norms of each layer's h with every path, of its other parts as adjoints and completed."""
    layers, state = wanted.layers, trajectory.cell.STATE
    own = _norms(delta.mantissa, len(state) * layers)
    parts = {name: own[..., i * layers : (i + 1) * layers] for i, name in enumerate(state)}
    completed = {name: _norms(total, layers) for name, total in totals.items()}
    for name, target in out.layer_norms.items():
        complete = completed.get("h_total" if name == "h" else name)
        plain = parts[name.removesuffix("_total")]
        _put(target, at, _framed(plain if complete is None else complete, delta.exponent))


def _all_layers(each: list[Scaled]) -> Scaled:
    """The norm of norms (n, R)."""
    return hypot([norms.flat() for norms in each]).leading(*each[0].exponent.shape)


def _framed(mantissa: Array, exponent: NDArray[np.int64]) -> Scaled:
    """Norms (n, R, layers) that share the exponent (n, R)."""
    return Scaled(mantissa, np.broadcast_to(exponent[..., None], mantissa.shape))


def _norms(a: Array, parts: int) -> Array:
    """Frobenius norms (n, R, parts) of the row blocks of a (n, R, rows, B)."""
    n, R = a.shape[:2]
    flat = a.astype(float, copy=False).reshape(n, R, parts, -1)
    return np.sqrt(np.vecdot(flat, flat))


def _totals(trajectory: Trajectory, block: Block, k: NDArray[np.int64] | slice) -> dict[str, Array]:
    """The cell's completed adjoints at the ends of the steps k of a block."""
    delta, cotangents = block.delta.mantissa[1:][k], block.cotangents.mantissa[k]
    p = trajectory.weights.over(block.t[k])
    return trajectory.cell.totals(p, block.local_at(k), delta, cotangents)


def _mean(a: Array) -> Array:
    """Mean over units and sequences, whose numbers lie side by side: the same bits for any
    ensemble.
    """
    flat = a.reshape(*a.shape[:-2], -1)
    if flat.dtype == bool:
        # a byte of eight at a time: a sum would make a number of 64 bits of each
        counts = np.bitwise_count(np.packbits(flat, axis=-1))
        return np.add.reduce(counts, axis=-1, dtype=np.int64) / flat.shape[-1]
    total: Array = np.add.reduce(flat, axis=-1, dtype=float)
    return total / flat.shape[-1]


def _put(target: Scaled, at: slice, value: Scaled) -> None:
    target.mantissa[at], target.exponent[at] = value
