"""One ensemble: draw its members, run them forward, backpropagate, hand over the arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.draws import Streams
from gradlab.engine import clip as clipping
from gradlab.engine.collect import Gradients, Wanted, backpropagate
from gradlab.engine.forward import forward
from gradlab.engine.loss import LOSSES, Injection
from gradlab.engine.scaled import Scaled, norm
from gradlab.engine.spectrum import weight_spectrum
from gradlab.errors import GradlabError
from gradlab.initial import member
from gradlab.nonlinearity import Array
from gradlab.plan import Spec, Start


@dataclass(frozen=True)
class Member:
    """One seed of one experiment; `index` tells which experiment."""

    index: int
    spec: Spec
    seed: int


def compute(
    cell: Cell, members: Sequence[Member], every: int | None, tick: Callable[[], None]
) -> tuple[dict[str, Array], dict[str, list[str]]]:
    """The arrays of some members of one shape, (R, ...), and the names of their last axes.

    every: steps between checkpoints. tick is called at every segment of a pass.
    """
    spec = members[0].spec  # whatever is the same for all
    streams = [Streams(m.seed, m.spec.generator) for m in members]
    tensors, s0, dh = _draw(cell, members, streams)
    p = cell.init(tensors, cell.Options(**spec.options))
    trajectory = forward(cell, p, _inputs(members, streams, tick), s0, spec.T, every)
    gradients = backpropagate(
        trajectory,
        Injection(dh, spec.loss_steps),
        {name: a.shape[1:] for name, a in tensors.items()},
        Wanted(spec.rows, spec.sequences if spec.values else 0),
        _step_clip(members),
    )
    arrays = _recorded(gradients, spec) | _clipped(gradients.parameters, members)
    lost = trajectory.overflow > 0  # there is no gradient through a state that is not finite
    for array in arrays.values():
        array[lost] = np.nan
    arrays["overflow_step"] = trajectory.overflow
    if "weight_hh" in tensors:
        values, radius = weight_spectrum(cell, tensors["weight_hh"])
        arrays["weight_singular_values"], arrays["weight_spectral_radius"] = values, radius
    names = {
        "parts": list(gradients.norms),
        "gates": list(gradients.readings),
        "tensors": list(gradients.parameters),
    }
    return arrays, names


def _draw(
    cell: Cell, members: Sequence[Member], streams: Sequence[Streams]
) -> tuple[dict[str, Array], Array, Array]:
    """Tensors (R, ...), initial states (R, D, B) and dh (R, H, B), drawn in this order."""
    spec, D = members[0].spec, len(cell.STATE) * members[0].spec.H
    options = cell.Options(**spec.options)
    drawn, starts, upstream = [], [], []
    for m, own in zip(members, streams, strict=True):
        with np.errstate(over="ignore"):
            weights = member(cell, options, m.spec.init, spec.H, spec.I, m.spec.weight_scale, own)
            start = _start(m.spec.start, D, spec.B, own)
        drawn.append(
            {n: _within_range(a, spec.dtype, CAUSES.get(n, "init")) for n, a in weights.items()}
        )
        starts.append(_within_range(start, spec.dtype, "initial_state"))
        upstream.append(LOSSES[m.spec.loss](own, m.spec.loss_value, spec.H, spec.B))
    tensors = {name: np.stack([t[name] for t in drawn]) for name in drawn[0]}
    return tensors, np.stack(starts), np.stack(upstream).astype(spec.dtype)


# the key that makes a drawn array too large
CAUSES = {
    "weight_hh": "weight_scale",
    **dict.fromkeys(("peephole_i", "peephole_f", "peephole_o"), "weight_scale"),
    "weight_ih": "init.input_scale",
    "bias_ih": "init.bias",
    "bias_hh": "init.bias",
}


def _within_range(array: Array, dtype: np.dtype[Any], key: str) -> Array:
    """The array in the run's precision. Raises GradlabError where that cannot hold it."""
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        raise GradlabError(f"{key} goes beyond the range of {dtype.name}; use a smaller value")
    return cast


def _inputs(
    members: Sequence[Member], streams: list[Streams], tick: Callable[[], None]
) -> Callable[[int, int], Array]:
    """The engine's x(t0, n), drawn experiment by experiment."""
    groups = [list(g) for _, g in groupby(range(len(members)), key=lambda r: members[r].index)]

    def x(t0: int, n: int) -> Array:
        tick()
        dtype = members[0].spec.dtype
        with np.errstate(over="ignore"):
            segments = [
                members[g[0]].spec.inputs.segment([streams[r] for r in g], t0, n, dtype)
                for g in groups
            ]
        for segment in segments:
            _within_range(segment, dtype, "inputs")
        return segments[0] if len(segments) == 1 else np.concatenate(segments, axis=1)

    return x


def _step_clip(members: Sequence[Member]) -> clipping.StepClip | None:
    """The thresholds (R,) of a clip of delta itself; all members have one, or none has."""
    thresholds = [m.spec.clip[0] for m in members if m.spec.clip and m.spec.clip[1] == "step_norm"]
    return clipping.StepClip(np.array(thresholds)) if thresholds else None


def _start(start: Start, D: int, B: int, streams: Streams) -> Array:
    """s_0 of one member: (D, B)."""
    if start.given is not None:
        return start.given
    if start.kind == "normal":
        return streams.of("state").standard_normal((D, B)) * start.std
    return np.zeros((D, B))


def _recorded(gradients: Gradients, spec: Spec) -> dict[str, Array]:
    """What one backward pass yielded as the arrays of a record: (R, N, ...), (R, ...)."""
    arrays: dict[str, Array] = {}
    for part, scaled in gradients.norms.items():
        arrays[f"grad_norm_{part}"] = scaled.plain().T.copy()
        arrays[f"log10_grad_norm_{part}"] = scaled.log10().T
    arrays["weight_grad_norm"] = gradients.weight_norm.plain().T.copy()
    arrays["log10_weight_grad_norm"] = gradients.weight_norm.log10().T
    for name in ("gate_mean", "gate_slope", "gate_saturation", "clip_scale"):
        arrays[name] = np.ascontiguousarray(getattr(gradients, name).swapaxes(0, 1))
    values = gradients.step_singular_values
    if values is not None:
        values = values.swapaxes(0, 1)
        arrays["step_singular_values"] = np.ascontiguousarray(values[..., : spec.values])
        arrays["step_sigma_min"] = np.ascontiguousarray(values[..., -1])
    norms = [norm(g).log10() for g in gradients.parameters.values()]
    arrays["log10_parameter_grad_norm"] = np.stack(norms, axis=-1)
    return arrays


def _clipped(parameters: dict[str, Scaled], members: Sequence[Member]) -> dict[str, Array]:
    """The global norm of the parameters' gradients, and what clipping makes of it."""
    before = clipping.global_norm(parameters)
    arrays = {"clip_norm": before.plain(), "log10_clip_norm": before.log10()}
    arrays["clip_rate"] = np.full(len(members), np.nan)
    arrays["clipped_norm"] = np.full(len(members), np.nan)
    by = {"global_norm": clipping.clip_by_global_norm, "value": clipping.clip_by_value}
    for clip, group in groupby(range(len(members)), key=lambda r: members[r].spec.clip):
        if clip is None or clip[1] not in by:
            continue
        rows = list(group)
        own = {name: Scaled(g.mantissa[rows], g.exponent[rows]) for name, g in parameters.items()}
        clipped = by[clip[1]](own, clip[0])
        arrays["clip_rate"][rows] = clipped.rate
        arrays["clipped_norm"][rows] = clipped.clipped_norm.plain()
    return arrays
