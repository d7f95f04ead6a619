"""What memory a run takes, estimated before anything of it is allocated.

The estimate is a sum over what is held at the same time. Factors count the copies that exist at the
peak; they were found by going through the code and held against measured peaks: the estimate is
right to about a factor of two (tests/test_footprint.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from gradlab.engine.forward import BLOCK
from gradlab.engine.lags import AT_ONCE
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.machine import room
from gradlab.memory import (
    ALL_TERMS,
    bytes_between,
    bytes_per_step,
    memory_plan,
    output_bytes,
    side_by_side,
)
from gradlab.spec import Spec

NUMBER = 8  # bytes: whatever is recorded is in float64
WEIGHTS = 3  # tensors, gradients, a term that is added to them
LAGS = 3  # the whole, the sum so far, and what is added to it
LOCAL = 4  # local derivatives, cotangents and shares of a block, beside what is kept of it
STEP, PRODUCT, LYAPUNOV = 3, 7, 3  # D x D matrices a sequence, at the peak of each spectrum
TEXT = 80  # bytes of a field of steps.csv, as a number of Python and as text
COLUMNS = 14  # recorded a step, whatever the cell: norms, scales
READ = 3  # recorded a step and gate
CURVES = 9  # columns of updates.csv
TENSORS = 5  # of a training: those of the start, of now, a gradient, a step, and as they are kept
WRITTEN = 10  # columns of steps.csv, products left aside


@dataclass(frozen=True)
class Footprint:
    """Bytes by what they are for."""

    weights: float
    states: float
    spectra: float
    outputs: float
    records: float
    training: float = 0.0  # what stays of all members while they learn, and is told of it

    @property
    def bytes(self) -> float:
        """All of it."""
        return sum(vars(self).values())

    @property
    def largest(self) -> str:
        """What takes most."""
        return max(vars(self), key=lambda name: float(vars(self)[name]))


def footprint(spec: Spec, members: int) -> Footprint:
    """Of `members` members of this shape that are computed together, as far as memory allows."""
    at_once, every = memory_plan(spec, members)
    return Footprint(
        weights=at_once * _weights(spec),
        states=at_once * _states(spec, every) + _drawn(spec) + 3 * NUMBER * spec.T,
        spectra=at_once * _spectra(spec),
        outputs=at_once * output_bytes(spec),
        records=_records(spec, members, at_once),
        training=_training(spec, members) if spec.train is not None else 0.0,
    )


def check_room(specs: Sequence[Spec], processes: int = 1) -> None:
    """Raises GradlabError, before anything is allocated, where experiments that are computed
    together would not fit in memory, in so many processes at a time.
    """
    spec, members = specs[0], sum(len(each.seeds) for each in specs)
    one = footprint(spec, members)
    sizes = f"hidden_size {spec.H}, seq_len {spec.T}, batch_size {spec.B}, {members} members"
    *most, last = CHANGES[one.largest](spec)
    room(one.bytes, f"this run ({sizes})", f"use {', '.join(most)} or {last}")
    if processes > 1:
        change = "use fewer --jobs"
        room(processes * one.bytes, f"{processes} workers, each with {sizes},", change)


def _shorter(spec: Spec) -> list[str]:
    change = ["a smaller hidden_size, input_size, batch_size, seq_len"]
    if spec.checkpoint != "auto" and not side_by_side(spec):
        change.append("checkpoint: auto")
    if spec.lag_split and len(spec.loss_steps) > 1:
        change.append("lag_split: none")
    return [*change, *_single(spec)]


def _narrower(spec: Spec) -> list[str]:
    return ["a smaller hidden_size, input_size", "fewer layers", "fewer seeds", *_single(spec)]


def _thinner(spec: Spec) -> list[str]:
    return ["a larger record_every", "fewer seeds", "fewer spectrum.values"]


def _plainer(spec: Spec) -> list[str]:
    return ["a smaller hidden_size", "fewer seeds", "spectrum: none"]


def _fewer_outputs(spec: Spec) -> list[str]:
    return ["fewer steps in loss.at", "fewer loss.outputs", "a smaller batch_size", *_single(spec)]


def _less_learned(spec: Spec) -> list[str]:
    return ["a smaller hidden_size", "fewer seeds", "fewer train.updates", "fewer snapshots"]


CHANGES = {
    "weights": _narrower,
    "states": _shorter,
    "spectra": _plainer,
    "outputs": _fewer_outputs,
    "records": _thinner,
    "training": _less_learned,
}


def _single(spec: Spec) -> list[str]:
    return ["dtype: float32"] if spec.dtype.itemsize > 4 else []


def _weights(spec: Spec) -> float:
    """Of one member: its tensors and their gradients."""
    cell, shape = spec.network, spec.topology
    options = cell.Options(**spec.options)
    inputs = [spec.I, *[spec.handed] * (len(spec.chains) - 1)]
    every = [cell.shapes(spec.H, I, 2, options) for I in inputs]
    sets = len(spec.entries) * (spec.steps if not shape.tied else max(len(shape.phases), 1))
    whole = sets * sum(prod(s) for shapes in every for s in shapes.values())
    names = {name for layer in spec.weights for name in layer} | {spec.recurrent}
    split = sets * sum(prod(s) for shapes in every for n, s in shapes.items() if n in names)
    lags = split * LAGS + min(split * BLOCK, max(AT_ONCE, split)) if spec.lag_split else 0
    drawn = 2 * NUMBER * whole / sets  # in float64, whatever the precision
    gathered = 2 * min(BLOCK, spec.steps) * whole / sets if sets > len(spec.entries) else 0
    return spec.dtype.itemsize * (WEIGHTS * whole + gathered) + NUMBER * lags + drawn


def _states(spec: Spec, every: int | None) -> float:
    """Of one member: states and activations of the steps that are held, and of a block at work."""
    state, kept = bytes_per_step(spec)
    T = spec.steps
    segment = min(every or T, T)
    held: float = kept * segment
    if segment < T:  # the last segment, and the one that is computed again; the marks
        held = 2 * held + state * (T / segment)
    elif side_by_side(spec):
        held *= ALL_TERMS
    read = spec.I * spec.topology.stride * spec.B * spec.dtype.itemsize * len(spec.entries)
    return held + LOCAL * (kept - read) * min(BLOCK, T) + bytes_between(spec) * T


def _drawn(spec: Spec) -> float:
    """Inputs are drawn by blocks, for one member after the other, in float64."""
    return 2 * NUMBER * min(INPUT_BLOCK, spec.T) * spec.I * spec.B


def _spectra(spec: Spec) -> float:
    """Of one member: Jacobians, and running products and frames."""
    copies = {"step": STEP, "product": PRODUCT, "lyapunov": LYAPUNOV}
    D = _width(spec)
    return spec.sequences * D**2 * NUMBER * sum(copies[name] for name in spec.spectra)


def _width(spec: Spec) -> int:
    """D, of the state whose Jacobian is taken."""
    shape = spec.topology
    return len(spec.base.STATE) * spec.H * (1 if shape.chained else shape.layers)


def _training(spec: Spec, members: int) -> float:
    """Of all members: the tensors with what the optimiser keeps, the curves, their text, and the
    arrays of all snapshots, one by one and together.
    """
    assert spec.train is not None
    cell, train = spec.network, spec.train
    shapes = cell.shapes(spec.H, spec.I, 2, cell.Options(**spec.options))
    numbers = sum(prod(shape) for shape in shapes.values())
    numbers += spec.outputs * (spec.H + 1) + train.task.symbols * spec.I
    copies = TENSORS + len(train.optimizer.slots)
    curves = train.updates * (NUMBER * 2 + TEXT) * CURVES
    snapshots = 2 * len(train.snapshots) * _arrays(spec, members)
    return members * (spec.dtype.itemsize * numbers * copies + curves) + snapshots


def _arrays(spec: Spec, members: int) -> float:
    """What is recorded of all members, once."""
    N, shape = len(spec.rows), spec.topology
    layers, ends = shape.layers, len(spec.entries)
    gates = READ * max(len(spec.base.PACKED), 1) * layers
    norms = COLUMNS * (layers + (layers > 1))
    values = spec.sequences * (spec.values + 1) * len(spec.spectra - {"lyapunov"})
    arrays: float = NUMBER * N * ends * members * (norms + gates + values)
    if spec.lag_split:
        arrays += NUMBER * spec.steps * ends * members * 4
    return arrays


def _records(spec: Spec, members: int, at_once: int) -> float:
    """Of all members: the arrays, by pieces and whole, and the text of steps.csv."""
    N, layers, ends = len(spec.rows), spec.topology.layers, len(spec.entries)
    arrays = _arrays(spec, members)
    full = NUMBER * N * at_once * spec.sequences * _width(spec) * ("step" in spec.spectra)
    columns = WRITTEN + (spec.values if "product" in spec.spectra else 0)
    return 2 * arrays + full + TEXT * N * ends * layers * members * columns
