"""`run(spec) -> Record`: the whole computation of an experiment, or of many that share shapes.

Pure: no files, no clock, no global random state. The members of all experiments are computed
together as far as memory allows; a member's bits do not depend on which others are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab import __version__
from gradlab.analysis.course import Facts, course
from gradlab.analysis.growth import slopes
from gradlab.analysis.summary import summarize
from gradlab.drawn import Member
from gradlab.engine.room import keep_freed
from gradlab.ensemble import Arrays, Names, compute
from gradlab.learned import learned
from gradlab.memory import segment_steps
from gradlab.nonlinearity import Array
from gradlab.predicted import told
from gradlab.record import Record
from gradlab.spec import Spec
from gradlab.split import split
from gradlab.team import team
from gradlab.workers import each

BACK = "backward_"  # arrays of the second direction

Progress = Callable[[float], None]  # the share of the work that is done, 0 to 1


def run(spec: Spec, progress: Progress | None = None, jobs: int = 1) -> Record:
    """The record of one experiment. progress is called now and then. jobs: threads at most."""
    return run_many([spec], progress, jobs)[0]


def run_many(
    specs: Sequence[Spec], progress: Progress | None = None, jobs: int = 1
) -> list[Record]:
    """The records of experiments that share shapes (equal `Spec.shape`), computed together."""
    keep_freed()
    first = specs[0]
    members = [Member(index, spec, seed) for index, spec in enumerate(specs) for seed in spec.seeds]
    cut = split(first, len(members), jobs)
    chunks = [members[rows] for rows in cut.pieces]
    segments = -(-first.steps // segment_steps(first, cut.every))
    passes = 2 * len(first.entries) * len(first.chains)
    tick = _ticker(progress, len(chunks) * passes * segments)
    pieces: list[list[dict[str, Array]]] = [[] for _ in specs]

    def work(some: list[Member], note: Callable[[], None]) -> tuple[Arrays, Names]:
        with team(cut.within):
            return compute(some, cut.every, note)

    computed = each(work, chunks, cut.workers, tick)
    for some in chunks:
        arrays, names = computed.pop(0)  # not held twice where a record joins them
        for index, group in groupby(range(len(some)), key=lambda k: some[k].index):
            rows = list(group)
            part = slice(rows[0], rows[-1] + 1)
            pieces[index].append({name: array[part] for name, array in arrays.items()})
    return [record_of(spec, parts, names) for spec, parts in zip(specs, pieces, strict=True)]


def record_of(spec: Spec, parts: list[dict[str, Array]], names: dict[str, list[str]]) -> Record:
    """One experiment's record from the pieces of its members' arrays."""
    stride = spec.topology.stride
    arrays = {"seeds": np.array(spec.seeds, np.int64), "t": spec.rows * stride}
    arrays |= {key: _joined([part.pop(key) for part in parts]) for key in list(parts[0])}
    if "log10_lag_norm" in arrays:
        arrays["lag_split_lag"] = np.arange(arrays["log10_lag_norm"].shape[1]) * stride
    summary = _summary(spec, arrays, names)
    return Record(spec.config, summary, names, arrays, spec.identity, __version__)


def _joined(pieces: list[Array]) -> Array:
    """One array of its pieces, C-contiguous; what is so already is not copied."""
    return np.ascontiguousarray(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))


def of_member(spec: Spec, record: Record, index: int) -> dict[str, Any]:
    """The summary that one seed alone would have; index: which of the record's seeds."""
    shared = {"t", f"{BACK}t", "lag_split_lag", "snapshot_update"}
    arrays = {
        name: array if name in shared else array[index : index + 1]
        for name, array in record.arrays.items()
    }
    summary = _summary(replace(spec, seeds=(spec.seeds[index],)), arrays, record.names)
    shared_too = {name: record.summary[name] for name in ("precision",) if name in record.summary}
    return summary | shared_too


def _summary(spec: Spec, arrays: dict[str, Array], names: dict[str, list[str]]) -> dict[str, Any]:
    """What the arrays of an experiment come to; adds rates to them."""
    facts = {name: _facts(spec, names, entries) for name, entries in spec.entries.items()}
    arrays |= _rates(arrays, arrays["t"], facts["forward"])
    summary = summarize(arrays, facts["forward"])
    summary["theory"] = told(spec, summary["theory"].get("textbook"))
    derivatives = getattr(spec.base, "DERIVATIVES", None)
    if derivatives is not None:
        summary |= {"derivatives": dict(derivatives)}
    if "train_loss" in arrays:
        summary |= {"train": learned(spec, arrays)}
    if spec.topology.layers > 1:
        summary |= {"layers_rates": _layers(spec, arrays, facts["forward"])}
    if spec.topology.chained:
        summary |= {"backward_layers_rates": _layers(spec, arrays, facts["backward"], BACK)}
    if "backward" in facts:
        arrays |= {BACK + "t": spec.T + 1 - arrays["t"]}
        summary |= {"directions": _directions(arrays, facts)}
    return summary


def _layers(spec: Spec, arrays: dict[str, Array], facts: Facts, prefix: str = "") -> dict[str, Any]:
    """What becomes of the gradient in each layer; s_0 is not below any layer, so from t = 1 on.

    Below the last of several layers with two directions the gradient comes from both. Where that
    is from two ends, or from several steps, a slope says nothing: there is no rate.
    """
    steps, layers = arrays["t"] > 0, spec.topology.layers
    shared = {"overflow_step": arrays["overflow_step"], "t": arrays["t"][steps]}
    curves = arrays[f"{prefix}layer_log10_grad_norm_h"][:, steps]
    told = {}
    for layer in range(layers):
        own = shared | {"log10_grad_norm_h": curves[:, :, layer]}
        rates = _rates(own, own["t"], facts)
        if spec.topology.chained and layer < layers - 1 and not spec.meet:
            rates = {name: np.full_like(rate, np.nan) for name, rate in rates.items()}
        told[f"{layer + 1}"] = course(own | rates, facts)
    return told


def _directions(arrays: dict[str, Array], facts: dict[str, Facts]) -> dict[str, Any]:
    """What becomes of the gradient in each direction; adds the second one's rates."""
    own = arrays | {"log10_grad_norm_h": arrays[BACK + "log10_grad_norm_h"]}
    rates = _rates(own, arrays["t"], facts["backward"])
    arrays |= {BACK + name: rate for name, rate in rates.items()}
    return {
        "forward": course(arrays, facts["forward"]),
        "backward": course(own | rates, facts["backward"]),
    }


def _rates(arrays: Mapping[str, Array], t: Array, facts: Facts) -> dict[str, Array]:
    """Growth rate and its error of every member, over the steps that the gradient travels."""
    travelled = facts.travelled(t)
    curves, lag = arrays["log10_grad_norm_h"][:, travelled], facts.last - t[travelled]
    rate, error = slopes(curves, lag)
    return {"growth_rate": rate, "growth_rate_error": error}


def _facts(spec: Spec, names: dict[str, list[str]], entries: tuple[int, ...]) -> Facts:
    cell, stride, cut = spec.network, spec.topology.stride, spec.truncate
    return Facts(
        reached=_reached(spec, entries),
        last=max(entries) * stride,
        entries=len(entries),
        parts=tuple(names["recurrent"]),
        readings=tuple(names["gates"]),
        # the textbook's bound is about one layer
        max_slope=None if spec.topology.chained else cell.max_slope(cell.Options(**spec.options)),
        clip=spec.clip,
        truncate=cut and (cut.steps * stride, cut.mode),
    )


def _reached(spec: Spec, entries: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which steps of the sequence, 0 .. T, the gradient of any loss term reaches."""
    found = np.zeros(spec.T + 1, bool)
    stride, cut = spec.topology.stride, spec.truncate
    if cut is None:
        found[: max(entries) * stride + 1] = True
        return found
    for last in entries:
        chunk = (last - 1) // cut.steps * cut.steps
        border = last - cut.steps if cut.mode == "sliding" else chunk
        first = border + 1 if border > 0 else 0  # the state at the border is detached
        found[first * stride : last * stride + 1 : stride] = True
    return found


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    """Called at every segment of a forward or backward pass."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done / total, 1.0))

    return tick
