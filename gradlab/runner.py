"""`run(spec) -> Record`: the whole computation of one experiment.

Pure: no files, no clock, no global random state. The members are computed together as far as memory
allows; neither the size of these ensembles nor checkpointing changes a bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradlab import __version__
from gradlab.analysis.growth import slopes
from gradlab.analysis.summary import Facts, summarize
from gradlab.cells import CELLS
from gradlab.cells.interface import Cell
from gradlab.draws import Streams
from gradlab.engine import clip as clipping
from gradlab.engine.collect import Gradients, Wanted, backpropagate
from gradlab.engine.forward import BLOCK, forward
from gradlab.engine.loss import LOSSES, Injection
from gradlab.engine.scaled import Scaled, norm
from gradlab.engine.spectrum import weight_spectrum
from gradlab.initial import member
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.nonlinearity import Array
from gradlab.plan import Spec, Start
from gradlab.record import Record

MEMORY = 256 * 2**20  # bytes of states and activations that are held at a time
ENOUGH = 8  # members at a time that keep the per-step overhead small

Progress = Callable[[float], None]  # the share of the work that is done, 0 to 1


def run(spec: Spec, progress: Progress | None = None) -> Record:
    """The record of one experiment. progress is called now and then."""
    cell = CELLS[spec.cell]
    chunk, every = memory_plan(cell, spec)
    groups = [spec.seeds[start : start + chunk] for start in range(0, len(spec.seeds), chunk)]
    tick = _ticker(progress, len(groups) * 2 * -(-spec.T // (every or spec.T)))
    parts = [_ensemble(cell, spec, seeds, every, tick) for seeds in groups]
    names = parts[0].names
    arrays = {key: np.concatenate([p.arrays[key] for p in parts]) for key in parts[0].arrays}
    arrays = {"seeds": np.array(spec.seeds, np.int64), "t": spec.rows, **arrays}
    facts = _facts(cell, spec, names)
    travelled = spec.rows <= facts.last
    curves, lag = arrays["log10_grad_norm_h"][:, travelled], facts.last - spec.rows[travelled]
    arrays["growth_rate"], arrays["growth_rate_error"] = slopes(curves, lag)
    return Record(spec.config, summarize(arrays, facts), names, arrays, spec.identity, __version__)


def _facts(cell: Cell, spec: Spec, names: dict[str, list[str]]) -> Facts:
    return Facts(
        last=max(spec.loss_steps),
        entries=len(spec.loss_steps),
        parts=cell.GATES,
        readings=tuple(names["gates"]),
        max_slope=cell.max_slope(cell.Options(**spec.options)),
        clip=spec.clip,
    )


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    """Called at every segment of a forward or backward pass."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done / total, 1.0))

    return tick


def memory_plan(cell: Cell, spec: Spec) -> tuple[int, int | None]:
    """How many members at a time, and the steps between checkpoints (None: everything is kept).

    The optimum distance is sqrt(T s / c) for states of s and segments of c bytes a step.
    """
    state, kept = _bytes_per_step(cell, spec)
    fitting = MEMORY // (kept * spec.T)
    if spec.checkpoint == "none":
        return _between(fitting, len(spec.seeds)), None
    if spec.checkpoint == "auto" and fitting >= min(len(spec.seeds), ENOUGH):
        return _between(fitting, len(spec.seeds)), None
    if spec.checkpoint == "auto":
        every = int(np.sqrt(spec.T * state / kept))
        every = _multiple(every, INPUT_BLOCK if every > INPUT_BLOCK else BLOCK)
    else:
        every = _multiple(spec.checkpoint, BLOCK)
    fitting = int(MEMORY // (kept * min(every, spec.T) + state * spec.T / every))
    return _between(fitting, len(spec.seeds)), every


def _bytes_per_step(cell: Cell, spec: Spec) -> tuple[int, int]:
    """Bytes of a state, and of all that is kept of a step, for one member."""
    tensors = {
        name: np.zeros((1, *shape), spec.dtype)
        for name, shape in cell.shapes(spec.H, spec.I, 2).items()
    }
    p = cell.init(tensors, cell.Options(**spec.options))
    D = len(cell.STATE) * spec.H
    s = np.zeros((1, D, 1), spec.dtype)
    _, a = cell.step(p, s, cell.drive(p, np.zeros((1, spec.I, 1), spec.dtype)))
    itemsize = spec.dtype.itemsize * spec.B
    return D * itemsize, (D + spec.I + a.shape[1]) * itemsize


def _between(n: int, most: int) -> int:
    return max(1, min(n, most))


def _multiple(n: int, of: int) -> int:
    return max(of, -(-n // of) * of)


@dataclass(frozen=True)
class _Part:
    """The arrays of some members, the member axis first."""

    arrays: dict[str, Array]
    names: dict[str, list[str]]


def _ensemble(
    cell: Cell, spec: Spec, seeds: tuple[int, ...], every: int | None, tick: Callable[[], None]
) -> _Part:
    """Draw, run forward, backpropagate."""
    members = [Streams(seed, spec.generator) for seed in seeds]
    tensors = [member(cell, spec.init, spec.H, spec.I, spec.weight_scale, m) for m in members]
    stacked = {name: np.stack([t[name] for t in tensors]).astype(spec.dtype) for name in tensors[0]}
    s0 = np.stack([_start(spec.start, len(cell.STATE) * spec.H, spec.B, m) for m in members])
    dh = np.stack([LOSSES[spec.loss](m, spec.loss_value, spec.H, spec.B) for m in members])
    p = cell.init(stacked, cell.Options(**spec.options))

    def x(t0: int, n: int) -> Array:
        tick()
        return spec.inputs.segment(members, t0, n, spec.dtype)

    trajectory = forward(cell, p, x, s0.astype(spec.dtype), spec.T, every)
    threshold, by = spec.clip or (None, None)
    gradients = backpropagate(
        trajectory,
        Injection(dh.astype(spec.dtype), spec.loss_steps),
        {name: a.shape[1:] for name, a in stacked.items()},
        Wanted(spec.rows, spec.sequences if spec.values else 0),
        clipping.StepClip(threshold) if threshold and by == "step_norm" else None,
    )
    arrays = _arrays(gradients, spec)
    lost = trajectory.overflow > 0  # there is no gradient through a state that is not finite
    for array in arrays.values():
        array[lost] = np.nan
    arrays["overflow_step"] = trajectory.overflow
    if "weight_hh" in stacked:
        values, radius = weight_spectrum(cell, stacked["weight_hh"])
        arrays["weight_singular_values"], arrays["weight_spectral_radius"] = values, radius
    names = {
        "parts": list(gradients.norms),
        "gates": list(gradients.readings),
        "tensors": list(gradients.parameters),
    }
    return _Part(arrays, names)


def _start(start: Start, D: int, B: int, streams: Streams) -> Array:
    """s_0 of one member: (D, B)."""
    if start.given is not None:
        return start.given
    if start.kind == "normal":
        return streams.of("state").standard_normal((D, B)) * start.std
    return np.zeros((D, B))


def _arrays(gradients: Gradients, spec: Spec) -> dict[str, Array]:
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
    return arrays | _clipped(gradients.parameters, spec.clip)


def _clipped(parameters: dict[str, Scaled], clip: tuple[float, str] | None) -> dict[str, Array]:
    """The global norm of the parameters' gradients, and what clipping makes of it."""
    before = clipping.global_norm(parameters)
    arrays = {"clip_norm": before.plain(), "log10_clip_norm": before.log10()}
    if clip is not None and clip[1] != "step_norm":
        by = {"global_norm": clipping.clip_by_global_norm, "value": clipping.clip_by_value}
        clipped = by[clip[1]](parameters, clip[0])
        arrays["clip_rate"] = clipped.rate
        arrays["clipped_norm"] = clipped.clipped_norm.plain()
    return arrays
