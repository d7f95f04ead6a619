"""One workload: every program in a process of its own, checked against the others, then timed in
turns.

All are started before the first is timed and stay there, so that whatever happens on the machine
meanwhile happens to all of them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import material
from benchmarks.agreement import differences
from benchmarks.foreign import Load
from benchmarks.programs import PROGRAMS, REFERENCE
from benchmarks.running import Order, Process, taking_part
from benchmarks.workloads import Workload, checked

Say = Callable[[str], None]


class DisagreementError(Exception):
    """A program has other results than the reference: nothing is timed."""


@dataclass
class Timed:
    """One program's runs: seconds, processor seconds, and peak memory in MiB."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak: float = 0.0

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, as a part of the median."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float(high - low) / 2 / self.median


@dataclass(frozen=True)
class Outcome:
    """What was measured of one workload. gemm in flops a second, svd in seconds, normal: seconds
    for a normal number.
    """

    workload: Workload
    programs: dict[str, Timed]
    agreement: dict[str, float]  # the worst difference over its tolerance
    gemm: float
    svd: float
    normal: float
    foreign: float

    @property
    def floor(self) -> float:
        """Processor seconds that the matrix products and decompositions alone take."""
        return self.workload.flops / self.gemm + self.workload.decompositions * self.svd

    @property
    def drawing(self) -> float:
        """Seconds that numpy takes to draw the inputs of every seed."""
        w = self.workload
        return self.normal * w.seeds * w.T * w.B * w.H


def measure(w: Workload, order: Order, say: Say) -> Outcome:
    """Check and time one workload. Raises DisagreementError, and RuntimeError with what a program
    said that died.
    """
    names = taking_part(w, order)
    with tempfile.TemporaryDirectory(prefix="gradlab-bench-") as scratch:
        folder = Path(scratch)
        for part, sized in (("full", w), ("checked", checked(w))):
            (folder / part).mkdir()
            material.make(sized, folder / part)
        processes = {name: Process(name, w, folder, order) for name in names}
        floor = Process("", w, folder, order)
        try:
            for name, process in processes.items():  # one at a time: they are in each other's way
                warm = process.begin()
                say(f"{w.name} {PROGRAMS[name].title}: {warm['seconds']:.4g} s at first")
            agreement = agreed(names, folder)
            return _in_turns(w, processes, floor, agreement, order)
        finally:
            for process in (*processes.values(), floor):
                process.end()


def agreed(names: Sequence[str], folder: Path) -> dict[str, float]:
    """The worst difference of each program over its tolerance. Raises DisagreementError."""
    with np.load(folder / f"{REFERENCE}.npz") as file:
        reference = dict(file)
    worst = {}
    for name in names:
        if name == REFERENCE or not PROGRAMS[name].comparable:
            continue
        with np.load(folder / f"{name}.npz") as file:
            each = differences(dict(file), reference)
        worst[name] = max(each.values(), default=np.inf)
        if not worst[name] <= 1:
            told = ", ".join(f"{key}: {value:.3g}" for key, value in each.items())
            raise DisagreementError(
                f"{PROGRAMS[name].title} does not agree with {PROGRAMS[REFERENCE].title}; "
                f"differences over their tolerance: {told or 'no result in common'}"
            )
    return worst


def _in_turns(
    w: Workload,
    processes: Mapping[str, Process],
    floor: Process,
    agreement: dict[str, float],
    order: Order,
) -> Outcome:
    timed = {name: Timed() for name in processes}
    load, begun = Load(), time.monotonic()
    rates: list[dict[str, Any]] = []
    for turn in range(order.rounds):
        if turn >= order.fewest and time.monotonic() - begun > order.seconds:
            break
        rates.append(floor.run())
        for name, process in processes.items():
            load.begin()
            told = process.run()
            load.end(told["processor"])
            own = timed[name]
            own.seconds.append(told["seconds"])
            own.processor.append(told["processor"])
            own.peak = told["peak"]
    machine = {key: statistics.median(r[key] for r in rates) for key in rates[0]}
    return Outcome(w, timed, agreement, **machine, foreign=load.cores)
