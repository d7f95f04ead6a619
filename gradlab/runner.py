"""`run(spec) -> Record`: the whole computation of an experiment, or of many that share shapes.

Pure: no files, no clock, no global random state. The members of all experiments are computed
together as far as memory allows; a member's bits do not depend on which others are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from gradlab import __version__
from gradlab.analysis.growth import slopes
from gradlab.analysis.summary import Facts, summarize
from gradlab.cells import find
from gradlab.ensemble import Member, compute
from gradlab.memory import memory_plan
from gradlab.nonlinearity import Array
from gradlab.plan import Spec
from gradlab.record import Record

Progress = Callable[[float], None]  # the share of the work that is done, 0 to 1


def run(spec: Spec, progress: Progress | None = None) -> Record:
    """The record of one experiment. progress is called now and then."""
    return run_many([spec], progress)[0]


def run_many(specs: Sequence[Spec], progress: Progress | None = None) -> list[Record]:
    """The records of experiments that share shapes (equal `Spec.shape`), computed together."""
    first, cell = specs[0], find(specs[0].cell, specs[0].config["cell"].get("sha256"))
    members = [Member(index, spec, seed) for index, spec in enumerate(specs) for seed in spec.seeds]
    chunk, every = memory_plan(cell, first, len(members))
    chunks = [members[start : start + chunk] for start in range(0, len(members), chunk)]
    tick = _ticker(progress, len(chunks) * 2 * -(-first.T // (every or first.T)))
    pieces: list[list[dict[str, Array]]] = [[] for _ in specs]
    for some in chunks:
        arrays, names = compute(cell, some, every, tick)
        for index, group in groupby(range(len(some)), key=lambda k: some[k].index):
            rows = list(group)
            part = slice(rows[0], rows[-1] + 1)
            pieces[index].append({name: array[part] for name, array in arrays.items()})
    return [_record(spec, parts, names) for spec, parts in zip(specs, pieces, strict=True)]


def _record(spec: Spec, parts: list[dict[str, Array]], names: dict[str, list[str]]) -> Record:
    """One experiment's record from the pieces of its members' arrays."""
    arrays = {"seeds": np.array(spec.seeds, np.int64), "t": spec.rows}
    arrays |= {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    facts = _facts(spec, names)
    travelled = spec.rows <= facts.last
    curves, lag = arrays["log10_grad_norm_h"][:, travelled], facts.last - spec.rows[travelled]
    arrays["growth_rate"], arrays["growth_rate_error"] = slopes(curves, lag)
    return Record(spec.config, summarize(arrays, facts), names, arrays, spec.identity, __version__)


def _facts(spec: Spec, names: dict[str, list[str]]) -> Facts:
    cell = find(spec.cell)
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
