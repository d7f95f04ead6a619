"""What threads gain, by size: the measurement behind the rule of gradlab/split.py.

python -m benchmarks.several [--jobs N] [--rounds N] [--small]

Every case is run in turns with one thread and with N that share the members, whether the rule would
take them or not. A line tells seconds and processor seconds of both (medians), their ratios, how
many threads the rule takes for members, and for each of their pieces, and how many cores others
kept busy. Ratios of seconds mean something where nobody else works.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

from gradlab import threads

threads.settle()  # before numpy is loaded

from benchmarks.foreign import Load  # noqa: E402
from gradlab import runner, split  # noqa: E402
from gradlab.config import from_mapping  # noqa: E402
from gradlab.plan import settle  # noqa: E402
from gradlab.spec import Spec  # noqa: E402

SPECTRA = {"step": True, "product": True, "lyapunov": False, "values": "all"}
SIZES = [
    (cell, H, B, R, spectrum)
    for spectrum in ("none", "all")
    for cell in ("rnn", "gru", "lstm")
    for H in (16, 32, 64, 128)
    for B in (1, 8, 32)
    for R in (2, 8, 32)
    if spectrum == "none" or (B == 8 and H < 128)
]
HEAD = f"{'cell':5} {'H':>4} {'B':>3} {'R':>3} {'':8} {'one':>8} {'several':>8} ratio  processor"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.several")
    parser.add_argument("--jobs", type=int, default=2, help="threads; 2")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; 5")
    parser.add_argument("--small", action="store_true", help="two cases, of a few steps")
    given = parser.parse_args(arguments)
    print(HEAD)
    for size in SIZES[:: len(SIZES) - 1] if given.small else SIZES:
        print(case(*size, jobs=given.jobs, rounds=given.rounds, small=given.small), flush=True)


def case(cell: str, H: int, B: int, R: int, spectrum: str, **how: Any) -> str:
    """A line about one size."""
    sizes = {"cell": cell, "hidden_size": H, "batch_size": B, "seeds": R, "lag_split": "none"}
    sizes |= {"seq_len": 4 if how["small"] else 100, "theory": "none"}
    chosen: Any = SPECTRA if spectrum == "all" else "none"
    _, spec = settle(from_mapping({**sizes, "spectrum": chosen}).config)
    load, jobs = Load(), how["jobs"]
    timed: dict[int, list[tuple[float, float]]] = {1: [], jobs: []}
    for turn in range(how["rounds"] + 1):
        for number, found in timed.items():
            load.begin()
            seconds, processor = once(spec, number)
            load.end(processor)
            if turn:  # the first is not counted
                found.append((seconds, processor))
    medians = [[statistics.median(own) for own in zip(*timed[n], strict=True)] for n in (1, jobs)]
    (one, own), (several, theirs) = medians
    cut = split.split(spec, R, jobs)
    return (
        f"{cell:5} {H:4} {B:3} {R:3} {'spectra' if spectrum == 'all' else '':8} {one:8.4f} "
        f"{several:8.4f} {one / several:5.2f} {theirs / own:6.2f}   the rule takes "
        f"{cut.workers} x {cut.within}; others {load.cores:.1f} cores"
    )


def once(spec: Spec, jobs: int) -> tuple[float, float]:
    """Seconds and processor seconds of a run with so many threads, a gain or not."""
    rule = split.BUSY, split.FOR_PRODUCTS
    split.BUSY, split.FOR_PRODUCTS = 1e9, 1
    try:
        began, own = time.perf_counter(), time.process_time()
        runner.run(spec, jobs=jobs)
        return time.perf_counter() - began, time.process_time() - own
    finally:
        split.BUSY, split.FOR_PRODUCTS = rule


if __name__ == "__main__":
    main()
