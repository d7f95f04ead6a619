"""results.md from what was measured."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.foreign import NOTICED
from benchmarks.measure import Outcome, Timed
from benchmarks.programs import PROGRAMS, REFERENCE, ROOT
from benchmarks.running import Order
from gradlab import __version__
from gradlab.provenance import blas

HEAD = """# gradlab beside other programs

Written by `make bench`; not by hand. What the workloads are stands in benchmarks/workloads.py, how
it is measured in docs/performance.md. Ratios are a program's time over gradlab's: above 1 gradlab
is ahead.
"""


def page(
    outcomes: Sequence[Outcome],
    cold: Mapping[str, Timed],
    order: Order,
    versions: Mapping[str, str],
) -> str:
    """The whole page."""
    parts = [HEAD, _machine(order, versions)]
    if outcomes:
        parts.append(_summary(outcomes))
    if cold:
        parts.append(_cold(cold))
    parts += [_outcome(o) for o in outcomes]
    return "\n".join(parts)


def _machine(order: Order, versions: Mapping[str, str]) -> str:
    own = {"gradlab": _revision(), "Python": platform.python_version(), "numpy": np.__version__}
    used = ", ".join(f"{name} {version}" for name, version in {**own, **versions}.items())
    system = f"{platform.machine()}, {platform.system()}"
    absent = [name for name in ("torch", "jax") if name not in versions]
    lines = [
        f"- {datetime.now(UTC):%Y-%m-%d}, {_processor()}, {system}",
        f"- {used}" + f"; not there: {', '.join(absent)}" * bool(absent),
        f"- BLAS of numpy: {_blas()}",
        f"- {order.threads} thread{'s' * (order.threads > 1)} for every program; float64",
    ]
    if order.small:
        lines.append("- **small sizes: a test of the benchmark, not a measurement**")
    return "\n".join(lines) + "\n"


def _revision() -> str:
    """The version, and the commit where there is a repository; -dirty where it was changed."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return f"{__version__} ({done.stdout.strip() or 'no repository'})"


def _blas() -> str:
    """Name, version and the kernel that it has chosen for this processor."""
    found = blas()
    return ", ".join(f"{key} {value}" for key, value in found.items() if value)


def _drawn(o: Outcome) -> str:
    """The whole experiment from its seeds, the inputs drawn too, by both."""
    w, own = o.workload, o.programs["gradlab-drawn"].median
    name = best(o.programs, frozenset({"idiomatic", "manual"}))
    if name is None:
        return ""
    ratio = (o.programs[name].median + o.drawing) / own
    return (
        f"With inputs drawn for each of {w.seeds} seeds instead of read: {PROGRAMS[name].title} "
        f"and numpy's drawing ({o.drawing:.3g} s) over gradlab's whole call {ratio:.2f}."
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.processor() or "processor unknown"


def best(programs: Mapping[str, Timed], kinds: frozenset[str]) -> str | None:
    """The fastest program of these kinds, None where none was timed."""
    some = [name for name in programs if name in PROGRAMS and PROGRAMS[name].kind in kinds]
    return min(some, key=lambda name: programs[name].median, default=None)


def _against(o: Outcome, kinds: set[str], own: str = "gradlab") -> str:
    name = best(o.programs, frozenset(kinds))
    if name is None:
        return ""
    ratio = o.programs[name].median / o.programs[own].median
    return f"{ratio:.2f} ({PROGRAMS[name].title})"


def _by_processor(o: Outcome) -> str:
    """Of the program that takes least of it: what waiting for a busy machine does not change."""
    theirs = min(_processor_seconds(t) for t in _peers(o))
    return f"{theirs / _processor_seconds(o.programs['gradlab']):.2f}"


def _peers(o: Outcome) -> list[Timed]:
    return [t for name, t in o.programs.items() if PROGRAMS[name].kind != "gradlab"]


def _processor_seconds(t: Timed) -> float:
    return float(np.median(t.processor))


def _over_floor(o: Outcome) -> float:
    return _processor_seconds(o.programs["gradlab"]) / o.floor


def _summary(outcomes: Sequence[Outcome]) -> str:
    titles = "| gradlab, s | best idiomatic | best of all | best by processor time | over the floor"
    rows = [f"| {titles} | MiB |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for o in outcomes:
        own = o.programs["gradlab"]
        rows.append(
            f"| {o.workload.name} | {own.median:.4g} | {_against(o, {'idiomatic'})} "
            f"| {_against(o, {'idiomatic', 'manual'})} | {_by_processor(o)} "
            f"| {_over_floor(o):.2f} | {own.peak:.0f} |"
        )
    return "## In short\n\n" + "\n".join(rows) + "\n"


def _cold(cold: Mapping[str, Timed]) -> str:
    rows = [
        "| W1, from cold | seconds | ± | processor s | peak MiB | ratio | by processor time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    own = next(iter(cold.values()))
    for name, t in cold.items():
        title = PROGRAMS[name].title if name in PROGRAMS else f"`{name}`"
        used = _processor_seconds(t)
        ratios = f"{t.median / own.median:.2f} | {used / _processor_seconds(own):.2f}"
        rows.append(
            f"| {title} | {t.median:.3f} | {_spread(t)} | {used:.3f} | {t.peak:.0f} "
            f"| {ratios if name in PROGRAMS else ' | '} |"
        )
    return (
        "## W1: the textbook's twenty steps, a cold process\n\n"
        "Whole processes, imports included.\n\n" + "\n".join(rows) + "\n"
    )


def _spread(t: Timed) -> str:
    return f"{t.spread:.0%}" if len(t.seconds) > 1 else ""  # one run says nothing about it


def _ratio(name: str, t: Timed, own: float) -> str:
    return "" if PROGRAMS[name].kind == "gradlab" else f"{t.median / own:.2f}"


def _outcome(o: Outcome) -> str:
    w = o.workload
    sizes = f"R = {w.R}, B = {w.B}, T = {w.T}, H = {w.H}"
    rows = [
        "| program | seconds | ± | runs | processor s | peak MiB | ratio | difference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    own = o.programs["gradlab"].median
    for name, t in o.programs.items():
        differs = f"{o.agreement[name]:.1g}" if name in o.agreement else ""
        differs = "reference" if name == REFERENCE else differs
        rows.append(
            f"| {PROGRAMS[name].title} | {t.median:.4g} | {_spread(t)} | {len(t.seconds)} "
            f"| {_processor_seconds(t):.4g} | {t.peak:.0f} | {_ratio(name, t, own)} | {differs} |"
        )
    told = (
        f"Floor {o.floor:.4g} s: {w.flops / 1e9:.3g} GFLOP at {o.gemm / 1e9:.1f} GFLOP/s"
        + f", and {w.decompositions} decompositions of {o.svd * 1e6:.0f} µs"
        * bool(w.decompositions)
        + "; gradlab takes "
        + f"{_over_floor(o):.2f} times that, in processor seconds."
    )
    if "gradlab-drawn" in o.programs:
        told += f" {_drawn(o)}"
    if o.foreign > NOTICED:
        told += f" **Others kept {o.foreign:.1f} cores of this machine busy meanwhile.**"
    return f"## {w.name}: {w.cell}, {sizes}; {w.text}\n\n" + "\n".join(rows) + f"\n\n{told}\n"
