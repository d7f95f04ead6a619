"""One ensemble: draw its members, run them forward, backpropagate, hand over the arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gradlab.chains import Chain, run_chains
from gradlab.drawn import Drawing, Member
from gradlab.engine.between import InputGradients, hand_down
from gradlab.engine.clip import StepClip
from gradlab.engine.collect import Truncation, backpropagate, parameter_gradients
from gradlab.engine.lags import lag_split
from gradlab.engine.loss import Injection, Injections, Loss, upstream
from gradlab.engine.recording import Gradients, Products, Wanted
from gradlab.engine.scaled import Scaled
from gradlab.networks import entering
from gradlab.nonlinearity import Array
from gradlab.recorded import (
    by_layer,
    clipped,
    lags,
    lost,
    recurrent_spectrum,
    steps,
    truncation_loss,
)
from gradlab.spec import Spec
from gradlab.team import begin

Arrays = dict[str, Array]
Names = dict[str, list[str]]


@dataclass(frozen=True)
class _Pass:
    """One chain's backward pass."""

    chain: Chain
    gradients: Gradients
    arrays: Arrays  # of the split by lag and of truncation


def compute(
    members: Sequence[Member],
    every: int | None,
    tick: Callable[[], None],
    drawing: Drawing | None = None,
) -> tuple[Arrays, Names]:
    """The arrays of some members of one shape, (R, ...), and the names of their last axes.

    every: steps between checkpoints. tick is called at every segment of a pass. drawing: what the
    members draw, where that is not what their seeds say.
    """
    drawing = Drawing(members) if drawing is None else drawing
    spec = drawing.spec
    tensors = [drawing.weights(k) for k in range(len(spec.entries))]
    # of the weights alone: other threads have the time for it
    spectrum = begin([partial(recurrent_spectrum, spec, tensors[0])])
    layers, read = run_chains(drawing, tensors, every, tick)
    losses, arrays, parameters = _losses(drawing, layers[-1], read)
    passes = _backward(spec, members, layers, losses)
    overflow = _overflow(layers)
    names: Names = {"tensors": []}
    for column in zip(*passes, strict=True):  # the passes of one direction, the first layer first
        direction = column[0].chain.direction
        found, own = _recorded(spec, column)
        prefix = "" if direction == "forward" else f"{direction}_"
        arrays |= {prefix + name: array for name, array in found.items()}
        names = own | names
        gradients = {
            name + each.chain.end: g
            for each in column
            for name, g in each.gradients.parameters.items()
        }
        parameters |= _named(gradients, spec, direction)
    names["tensors"] = list(parameters)
    del layers, read, losses, passes, column  # states are needed no more, gradients are
    arrays |= clipped(parameters, members)
    lost(arrays, overflow > 0)
    arrays["overflow_step"] = overflow
    ((found, names["recurrent"]),) = spectrum.results()
    return arrays | found, names


def _losses(
    drawing: Drawing, chains: Sequence[Chain], read: Sequence[Array]
) -> tuple[list[Loss], Arrays, dict[str, Scaled]]:
    """What each direction's backward pass starts from; the loss itself, and the gradients of the
    output layer, where there is one. read: the outputs of each direction at the loss's steps.
    """
    spec, cell = drawing.spec, drawing.spec.network
    if spec.loss == "upstream":
        dh = np.stack(
            [
                upstream(own, m.spec.loss_value, spec.H, spec.B)
                for m, own in zip(drawing.members, drawing.streams, strict=True)
            ]
        )
        enters = entering(cell, dh.astype(spec.dtype))
        return [Injection(enters, frozenset(c.entries)) for c in chains], {}, {}
    # the second direction's own time runs against the first's
    flips = [slice(None), slice(None, None, -1)]
    h = [own[flip] for own, flip in zip(read, flips, strict=False)]
    found = drawing.read(h[0] if len(h) == 1 else np.concatenate(h, axis=-2))
    parts = np.split(found.dh, len(h), axis=-2)
    losses: list[Loss] = [
        Injections(entering(cell, part[flip]), np.array(c.entries))
        for c, part, flip in zip(chains, parts, flips, strict=False)
    ]
    return losses, {"loss": found.value}, found.gradients


def _backward(
    spec: Spec,
    members: Sequence[Member],
    layers: Sequence[tuple[Chain, ...]],
    losses: list[Loss],
) -> list[tuple[_Pass, ...]]:
    """The backward passes of all chains, from the last layer, where the losses enter, down."""
    passes: list[tuple[_Pass, ...]] = []
    for depth in reversed(range(len(layers))):
        wanted = _wanted(spec, last=depth == len(layers) - 1)
        inputs = [InputGradients(chain.trajectory) if depth else None for chain in layers[depth]]
        own = zip(layers[depth], losses, inputs, strict=True)
        passes.insert(0, tuple(_pass(spec, members, wanted, *each) for each in own))
        if depth:
            pulled = [each.found for each in inputs if each is not None]
            losses = hand_down(pulled, losses, spec.topology.residual)
    return passes


def _pass(
    spec: Spec,
    members: Sequence[Member],
    wanted: Wanted,
    chain: Chain,
    loss: Loss,
    inputs: InputGradients | None,
) -> _Pass:
    """One chain's backward pass, with truncation and the split by lag. inputs takes what a layer
    below is handed.
    """
    trajectory, sets = chain.trajectory, wanted.sets
    shapes = {name: a.shape[2:] for name, a in chain.tensors.items()}
    clip, cut = step_clip(members), truncation(spec)
    gradients = backpropagate(trajectory, loss, shapes, wanted, clip, cut, inputs)
    arrays: Arrays = {}
    full = gradients.parameters
    recurrent = {name: shapes[name] for layer in spec.chain_weights for name in layer}
    if spec.truncate is not None and spec.weight_gradients:
        full = parameter_gradients(trajectory, loss, recurrent, sets, clip)
        arrays |= truncation_loss(gradients.parameters, full)
    if spec.lag_split:
        split = lag_split(trajectory, loss, chain.entries, recurrent, full, sets)
        arrays |= lags(split, spec.topology.stride)
    return _Pass(chain, gradients, arrays)


def _wanted(spec: Spec, last: bool) -> Wanted:
    """What is recorded of a chain; without singular values where it is not of the last layer."""
    spectra = spec.spectra if last else frozenset()
    return Wanted(
        spec.rows,
        spec.sequences if "step" in spectra else 0,
        spec.chain_weights,
        int(spec.sets.max()) + 1,
        spec.weight_gradients,
        spec.gate_histogram,
        Products(
            spec.rows[:: -spec.every][::-1] if "product" in spectra else spec.rows[:0],
            spec.kept("product"),
            spec.sequences,
            "lyapunov" in spectra,
            "product" in spec.largest,
        ),
        "step" in spec.largest,
    )


def _recorded(spec: Spec, column: Sequence[_Pass]) -> tuple[Arrays, Names]:
    """The arrays of one direction's passes, the first layer first, and the names of their axes.

    What is not told by layer is of the last one.
    """
    last = column[-1]
    each = [one.gradients for one in column]
    arrays = steps(last.gradients, spec) | last.arrays
    if len(column) > 1:
        arrays |= by_layer(each)
    names = {
        "parts": list(last.gradients.norms),
        "gates": [f"{name}{one.chain.end}" for one in column for name in one.gradients.readings],
        "weights": [spec.recurrent],
        "paths": list(getattr(last.chain.trajectory.cell, "PATHS", ())),
    }
    return arrays, names


def _overflow(layers: Sequence[tuple[Chain, ...]]) -> NDArray[np.int64]:
    """(R,) where the first layer overflows that does; what is above it only follows."""
    found = np.zeros_like(layers[0][0].trajectory.overflow)
    for chains in layers:
        own = np.max([c.trajectory.overflow for c in chains], axis=0)
        found = np.where(found > 0, found, own)
    return found


def truncation(spec: Spec) -> Truncation:
    """Where the gradient is cut. With one loss term, sliding is a single cut."""
    if spec.truncate is None:
        return Truncation()
    k, mode = spec.truncate
    if mode == "chunked":
        return Truncation(range(k, spec.steps, k))
    if len(spec.loss_steps) == 1:
        return Truncation(frozenset([spec.loss_steps[0] - k]) - {0})
    return Truncation(reach=k, entries=spec.loss_steps)


def _named(parameters: dict[str, Scaled], spec: Spec, direction: str) -> dict[str, Scaled]:
    """The gradients under the names of the record: one for each direction and phase."""
    if direction == "backward":
        return {f"{name}_reverse": g for name, g in parameters.items()}
    if not spec.topology.phases:
        return parameters
    return {
        f"{phase}.{name}": Scaled(g.mantissa[:, k], g.exponent)
        for k, phase in enumerate(("encoder", "decoder"))
        for name, g in parameters.items()
    }


def step_clip(members: Sequence[Member]) -> StepClip | None:
    """The thresholds (R,) of a clip of delta itself; all members have one, or none has."""
    thresholds = [m.spec.step_clip[0] for m in members if m.spec.step_clip is not None]
    return StepClip(np.array(thresholds)) if thresholds else None
