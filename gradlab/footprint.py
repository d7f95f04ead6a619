"""What memory a run takes, estimated before anything of it is allocated.

The largest of its stages counts (`stages`). The estimate is within 20 % of the peak of a process,
and a few MiB that the allocator and LAPACK keep (tests/test_footprint.py).

The figures are what a run takes beyond the program itself. That is what free memory is held
against, for the program has its part already; what a user sees as the memory of a process is with
`PROGRAM`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradlab.lasting import records, training
from gradlab.machine import MIB, SHARE, available, room
from gradlab.memory import side_by_side
from gradlab.precision import EXACT, in_double
from gradlab.spec import Spec
from gradlab.split import shared, split
from gradlab.stages import Footprint, stages

PROGRAM = 58 * MIB  # a process that has loaded all that a run needs, and computed nothing
FIGURES = 33 * MIB  # matplotlib, and a figure of any run
STEPS = 24  # bytes a step, once: which weights it has, whether the gradient reaches it
ALWAYS = 2 * MIB  # a run of any size: code that is loaded when it is first used


def footprint(spec: Spec, members: int, jobs: int = 1, draw: bool = False) -> Footprint:
    """Of `members` members of this shape that are computed together, as far as memory allows.

    jobs: threads at most. draw: whether figures are drawn afterwards.
    """
    cut = split(spec, members, jobs)
    together, kept = cut.at_once, records(spec, members) + ALWAYS
    alone, piece = members <= len(spec.seeds), together // cut.workers
    each = stages(spec, cut.every, piece, alone, cut.within)
    peak = max(each, key=lambda stage: stage.bytes)
    if spec.dtype != EXACT and spec.train is None:  # the first member again, in float64
        exact = footprint(in_double(spec), 1, jobs)
        if exact.bytes > together * peak.bytes:
            return replace(exact, records=exact.records + kept)
    if draw and together * peak.bytes < FIGURES:
        return Footprint(0, 0, 0, 0, kept, FIGURES, training(spec, members))
    return Footprint(
        weights=together * peak.weights,
        states=together * peak.states + STEPS * spec.T,
        spectra=together * peak.spectra,
        outputs=together * peak.outputs,
        records=kept,
        training=training(spec, members),
    )


def check_room(specs: Sequence[Spec], processes: int = 1, draw: bool = False) -> None:
    """Raises GradlabError, before anything is allocated, where experiments that are computed
    together would not fit in memory, in so many processes at a time. draw: with their figures.
    """
    spec, members = specs[0], sum(len(each.seeds) for each in specs)
    one = footprint(spec, members, draw=draw)
    sizes = f"hidden_size {spec.H}, seq_len {spec.T}, batch_size {spec.B}, {members} members"
    *most, last = CHANGES[one.largest](spec)
    room(one.bytes, f"this run ({sizes})", f"use {', '.join(most)} or {last}")
    if processes > 1:
        change = "use fewer --jobs"
        room(processes * one.bytes, f"{processes} workers, each with {sizes},", change)


def fitting(spec: Spec, jobs: int) -> int:
    """How many of so many threads fit in memory: each holds members of its own, or works on a large
    one with others.
    """
    there = available()
    members = len(spec.seeds)
    jobs = min(jobs, members * shared(spec))
    while jobs > 1 and there is not None and footprint(spec, members, jobs).bytes > SHARE * there:
        jobs -= 1
    return jobs


def _shorter(spec: Spec) -> list[str]:
    change = ["a smaller hidden_size, input_size, batch_size, seq_len"]
    if spec.checkpoint != "auto" and not side_by_side(spec):
        change.append("checkpoint: auto")
    if spec.lag_split and len(spec.loss_steps) > 1:
        change.append("lag_split: none")
    return change


def _narrower(spec: Spec) -> list[str]:
    return ["a smaller hidden_size, input_size", "fewer layers", "fewer seeds"]


def _thinner(spec: Spec) -> list[str]:
    return ["a larger record_every", "fewer seeds", "fewer spectrum.values"]


def _plainer(spec: Spec) -> list[str]:
    return ["a smaller hidden_size", "fewer seeds", "spectrum: none"]


def _fewer_outputs(spec: Spec) -> list[str]:
    return ["fewer steps in loss.at", "fewer loss.outputs", "a smaller batch_size"]


def _undrawn(spec: Spec) -> list[str]:
    return ["--no-figures", "a larger record_every"]


def _less_learned(spec: Spec) -> list[str]:
    return ["a smaller hidden_size", "fewer seeds", "fewer train.updates", "fewer snapshots"]


CHANGES = {
    "weights": _narrower,
    "states": _shorter,
    "spectra": _plainer,
    "outputs": _fewer_outputs,
    "records": _thinner,
    "figures": _undrawn,
    "training": _less_learned,
}
