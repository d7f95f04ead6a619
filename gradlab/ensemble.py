"""One ensemble: draw its members, run them forward, backpropagate, hand over the arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradlab.drawn import Drawing, Member, Tensors, schedule
from gradlab.engine.clip import StepClip
from gradlab.engine.collect import Truncation, backpropagate, parameter_gradients
from gradlab.engine.forward import Trajectory, forward
from gradlab.engine.lags import lag_split
from gradlab.engine.loss import Injection, Injections, Loss, read_out, upstream
from gradlab.engine.recording import Gradients, Products, Wanted
from gradlab.engine.scaled import Scaled
from gradlab.networks import entering, output
from gradlab.nonlinearity import Array
from gradlab.recorded import clipped, lags, lost, recurrent_spectrum, steps, truncation_loss
from gradlab.spec import Spec

Arrays = dict[str, Array]
Names = dict[str, list[str]]


@dataclass(frozen=True)
class _Direction:
    """One direction of the network: its weights and its finished forward pass."""

    name: str
    tensors: Tensors  # (sets, R, ...)
    trajectory: Trajectory
    entries: tuple[int, ...]  # where the gradient enters, in the direction's own time


def compute(
    members: Sequence[Member], every: int | None, tick: Callable[[], None]
) -> tuple[Arrays, Names]:
    """The arrays of some members of one shape, (R, ...), and the names of their last axes.

    every: steps between checkpoints. tick is called at every segment of a pass.
    """
    drawing = Drawing(members)
    directions = _forward(drawing, every, tick)
    losses, arrays, parameters = _losses(drawing, directions)
    names: Names = {"tensors": []}
    for direction, loss in zip(directions, losses, strict=True):
        found, own, gradients = _backward(drawing.spec, members, direction, loss)
        prefix = "" if direction.name == "forward" else f"{direction.name}_"
        arrays |= {prefix + name: array for name, array in found.items()}
        names = own | names
        parameters |= _named(gradients.parameters, drawing.spec, direction.name)
    names["tensors"] = list(parameters)
    arrays |= clipped(parameters, members)
    overflow = np.max([d.trajectory.overflow for d in directions], axis=0)
    lost(arrays, overflow > 0)
    arrays["overflow_step"] = overflow
    spectrum, names["recurrent"] = recurrent_spectrum(drawing.spec, directions[0].tensors)
    return arrays | spectrum, names


def _forward(drawing: Drawing, every: int | None, tick: Callable[[], None]) -> list[_Direction]:
    """Every direction, its weights and initial state drawn, run forward."""
    spec = drawing.spec
    entries = list(spec.entries.items())
    tensors = [drawing.weights(k) for k in range(len(entries))]
    starts = [drawing.start(k) for k in range(len(entries))]
    directions = []
    for k, (name, at) in enumerate(entries):
        watch = None if spec.loss == "upstream" else np.array(at)
        trajectory = forward(
            spec.network,
            schedule(spec, tensors[k]),
            drawing.inputs(k, tick),
            starts[k],
            spec.steps,
            every,
            watch,
        )
        directions.append(_Direction(name, tensors[k], trajectory, at))
    return directions


def _losses(
    drawing: Drawing, directions: Sequence[_Direction]
) -> tuple[list[Loss], Arrays, dict[str, Scaled]]:
    """What each direction's backward pass starts from; the loss itself, and the gradients of the
    output layer, where there is one.
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
        return [Injection(enters, frozenset(d.entries)) for d in directions], {}, {}
    # the second direction's own time runs against the first's
    flips = [slice(None), slice(None, None, -1)]
    h = [
        output(cell, d.trajectory.watched[flip]) for d, flip in zip(directions, flips, strict=False)
    ]
    layer = drawing.output(spec.H * len(h))
    y = drawing.targets(spec.loss_steps)
    read = read_out(
        spec.loss, np.concatenate(h, axis=-2), layer["weight_out"], layer["bias_out"], y
    )
    parts = np.split(read.dh, len(h), axis=-2)
    losses: list[Loss] = [
        Injections(entering(cell, part[flip]), np.array(d.entries))
        for d, part, flip in zip(directions, parts, flips, strict=False)
    ]
    return losses, {"loss": read.value}, read.gradients


def _backward(
    spec: Spec, members: Sequence[Member], direction: _Direction, loss: Loss
) -> tuple[Arrays, Names, Gradients]:
    """One direction's backward pass, with truncation and the split by lag."""
    trajectory, sets = direction.trajectory, int(spec.sets.max()) + 1
    shapes = {name: a.shape[2:] for name, a in direction.tensors.items()}
    wanted = Wanted(
        spec.rows,
        spec.sequences if "step" in spec.spectra else 0,
        spec.weights,
        sets,
        Products(
            spec.rows[:: -spec.every][::-1] if "product" in spec.spectra else spec.rows[:0],
            spec.values,
            spec.sequences,
            "lyapunov" in spec.spectra,
        ),
    )
    clip, cut = _step_clip(members), _truncation(spec)
    gradients = backpropagate(trajectory, loss, shapes, wanted, clip, cut)
    arrays = steps(gradients, spec)
    full = gradients.parameters
    recurrent = {name: shapes[name] for layer in spec.weights for name in layer}
    if spec.truncate is not None:
        full = parameter_gradients(trajectory, loss, recurrent, sets, clip)
        arrays |= truncation_loss(gradients.parameters, full)
    if spec.lag_split:
        split = lag_split(trajectory, loss, direction.entries, recurrent, full, sets)
        arrays |= lags(split, spec.topology.stride)
    names = {
        "parts": list(gradients.norms),
        "gates": list(gradients.readings),
        "weights": ["weight_hh" if spec.base.GATES else "weight_ih"],
        "paths": list(getattr(trajectory.cell, "PATHS", ())),
    }
    return arrays, names, gradients


def _truncation(spec: Spec) -> Truncation:
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


def _step_clip(members: Sequence[Member]) -> StepClip | None:
    """The thresholds (R,) of a clip of delta itself; all members have one, or none has."""
    thresholds = [m.spec.clip[0] for m in members if m.spec.clip and m.spec.clip[1] == "step_norm"]
    return StepClip(np.array(thresholds)) if thresholds else None
