"""A program in a process of its own, told on stdin when to run.

python -m benchmarks.worker PROGRAM WORKLOAD FOLDER [--small] [--jobs N] [--once]

It computes the workload at the size of the comparison (FOLDER/checked, results to FOLDER/NAME.npz),
then once at full size (FOLDER/full), which is the warm-up. For every line on stdin it runs again
and answers with one line of JSON: seconds, processor seconds, peak memory in MiB. --once: computes
FOLDER/full once, says nothing and ends: a cold process.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("workload")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--once", action="store_true")
    given = parser.parse_args(arguments)
    from benchmarks.programs import prepared
    from benchmarks.workloads import WORKLOADS, checked, small

    w = small(WORKLOADS[given.workload]) if given.small else WORKLOADS[given.workload]
    full, compared = given.folder / "full", given.folder / "checked"
    if given.once:
        prepared(given.program, w, full, given.jobs)()
        return
    import numpy as np

    results = prepared(given.program, checked(w), compared, given.jobs)()
    np.savez(given.folder / f"{given.program}.npz", **results)
    del results
    _serve(prepared(given.program, w, full, given.jobs), given.jobs)


def _serve(call: Callable[[], object], jobs: int) -> None:
    answer(call, jobs)
    for _ in sys.stdin:
        answer(call, jobs)


def answer(call: Callable[[], object], jobs: int) -> None:
    """Run once and tell; the results are dropped after the clock has stopped."""
    own, begun = _processor(), time.perf_counter()
    results = call()
    seconds = time.perf_counter() - begun
    told = {"seconds": seconds, "processor": _processor() - own, "peak": peak(jobs)}
    del results
    print(json.dumps(told), flush=True)


def _processor() -> float:
    """Processor seconds of this process and of its children that have ended."""
    each = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


def peak(jobs: int) -> float:
    """MiB that this process had at most, and so much for each of its workers as the largest had.

    Its own from VmHWM: the peak that getrusage tells begins with that of the process which started
    this one. Pages that workers share are counted several times, so it is an upper bound.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + (jobs * largest if jobs > 1 else 0)) / 1024


if __name__ == "__main__":
    main()
