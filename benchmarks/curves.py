"""How time and memory grow: python -m benchmarks.curves, about a quarter of an hour.

One size of a run is changed at a time, the others stay; every point is a process of its own, so
that its peak memory is its own. The exponent is the slope of ln(cost) against ln(size), by least
squares over the upper half of the sizes: at the lower end a run costs what it costs to be there.
Time is the processor's, the least of some runs: it is what a busy machine changes least. Memory is
what a run takes beyond a process that has done a tiny one.

Writes docs/images/cost.png, and prints the table of docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.programs import ROOT, environment

PICTURE = ROOT / "docs" / "images" / "cost.png"
BASE: dict[str, Any] = {
    "name": "cost",
    "cell": "lstm",
    "hidden_size": 32,
    "seq_len": 200,
    "batch_size": 8,
    "seeds": 4,
    "spectrum": {"step": False, "product": False, "lyapunov": False},
    "lag_split": "none",
    "gate_histogram": False,
}
LONG = 10.0  # seconds: what takes longer is measured once
MIB = 2.0**20
FAR = 1.5


@dataclass(frozen=True)
class Curve:
    """What is changed, and what the work itself grows with: an exponent."""

    title: str
    key: str
    sizes: tuple[int, ...]
    work: float
    changed: tuple[tuple[str, Any], ...] = ()  # of BASE, at every size


CURVES: dict[str, Curve] = {
    "T": Curve("steps T", "seq_len", (100, 1000, 10_000, 100_000, 1_000_000), 1, (("seeds", 1),)),
    "H": Curve("hidden units H", "hidden_size", (32, 64, 128, 256, 512), 2, (("seeds", 1),)),
    "B": Curve("sequences B", "batch_size", (8, 16, 32, 64, 128), 1, (("seeds", 2),)),
    "R": Curve("members R", "seeds", (4, 16, 64, 128, 256), 1),
    "points": Curve(
        "points of a sweep",
        "points",
        (10, 100, 1000, 10_000, 100_000),
        1,
        (("cell", "rnn"), ("hidden_size", 8), ("seq_len", 50), ("seeds", 1), ("batch_size", 2)),
    ),
}


@dataclass(frozen=True)
class Point:
    """Processor seconds and bytes of one size."""

    size: int
    seconds: float
    memory: float


def fit(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, list[float]] | None:
    """The slope of ln(cost) against ln(size) over the upper half of the sizes, at least three, and
    the fitted costs there; None where one of them is off by more than a factor FAR: no power law.
    """
    import numpy as np

    n = max(3, len(sizes) // 2)
    x, y = np.log(sizes[-n:]), np.log(costs[-n:])
    slope, shift = np.polyfit(x, y, 1)
    fitted = slope * x + shift
    if np.abs(fitted - y).max() > np.log(FAR):
        return None
    return float(slope), np.exp(fitted).tolist()


def _exponent(sizes: Sequence[float], costs: Sequence[float]) -> str:
    found = fit(sizes, costs)
    return "no power" if found is None else f"{found[0]:.2f}"


def config(curve: Curve, size: int) -> dict[str, Any]:
    """gradlab's config of one point of a curve."""
    given = BASE | dict(curve.changed)
    if curve.key == "points":
        return given | {"sweep": {"weight_scale": {"linear": [0.5, 1.5], "num": size}}}
    return given | {curve.key: size}


def compute(given: dict[str, Any], runs: int) -> dict[str, float]:
    """What a process of its own does: the config so many times, after once to be warm."""
    import gradlab
    from benchmarks.worker import peak

    gradlab.run({**BASE, "seq_len": 10, "hidden_size": 2, "batch_size": 1, "seeds": 1})
    before, least = peak(1), float("inf")
    # a second sweep would find what theory says of its points known
    for _ in range(1 if "sweep" in given else runs):
        begun = time.process_time()
        if "sweep" in given:
            folder = Path(tempfile.mkdtemp(prefix="gradlab-bench-"))
            gradlab.sweep(given, out=folder / "sweep")
            shutil.rmtree(folder)
        else:
            gradlab.run(given)
        least = min(least, time.process_time() - begun)
        if least > LONG:
            break
    return {"seconds": least, "memory": (peak(1) - before) * MIB}


def measured(curve: Curve, runs: int, most: int) -> list[Point]:
    """The points of a curve; of the sizes only so many."""
    found = []
    for size in curve.sizes[:most]:
        command = [sys.executable, "-m", "benchmarks.curves", "--one", str(runs)]
        done = subprocess.run(
            command,
            input=json.dumps(config(curve, size)),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment(1),
        )
        found.append(Point(size, **json.loads(done.stdout)))
        print(f"{curve.title}: {found[-1]}", file=sys.stderr)
    return found


def table(found: dict[str, list[Point]]) -> str:
    """Exponents beside those of the work, and the ends of each curve."""
    rows = [
        "| | work grows as | time | memory | from | to |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, points in found.items():
        sizes = [p.size for p in points]
        of_time = _exponent(sizes, [p.seconds for p in points])
        of_memory = _exponent(sizes, [p.memory for p in points])
        first, last = (
            f"{p.size}: {p.seconds:.3g} s, {p.memory / MIB:.3g} MiB"
            for p in (points[0], points[-1])
        )
        curve = CURVES[name]
        rows.append(
            f"| {curve.title} | {curve.work:g} | {of_time} | {of_memory} | {first} | {last} |"
        )
    return "\n".join(rows)


def draw(found: dict[str, list[Point]], path: Path) -> None:
    """Time above, memory below, one column for each size that is changed."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(2.6 * len(found), 5.2), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False, sharex="col")
    for column, (name, points) in zip(axes.T, found.items(), strict=True):
        sizes = [p.size for p in points]
        each = [p.seconds for p in points], [p.memory / MIB for p in points]
        for ax, costs, unit in zip(column, each, ("processor seconds", "MiB"), strict=True):
            line = fit(sizes, costs)
            ax.loglog(sizes, costs, "o", color="#0072b2")
            if line is not None:
                ax.loglog(sizes[-len(line[1]) :], line[1], "-", color="#d55e00")
            ax.set_title(f"exponent: {_exponent(sizes, costs)}", fontsize=9)
            ax.set_ylabel(unit)
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.grid(alpha=0.3)
        column[1].set_xlabel(CURVES[name].title)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--one", type=int, metavar="RUNS", help="one config, from stdin")
    parser.add_argument("--runs", type=int, default=2, help="of every size, the fastest counts; 2")
    parser.add_argument("--most", type=int, default=5, help="of the sizes of a curve, from 3; 5")
    parser.add_argument("--out", type=Path, default=PICTURE, help="docs/images/cost.png")
    given = parser.parse_args(arguments)
    if given.one is not None:
        print(json.dumps(compute(json.load(sys.stdin), given.one)))
        return
    found = {name: measured(curve, given.runs, given.most) for name, curve in CURVES.items()}
    draw(found, given.out)
    print(table(found))


if __name__ == "__main__":
    main()
