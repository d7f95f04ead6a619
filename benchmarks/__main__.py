"""python -m benchmarks [W2 W3 ...]: check that all programs agree, time them, write results.md."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gradlab import threads

threads.settle()  # before numpy is loaded: this process computes little, and beside those it times

from benchmarks.coldstart import cold  # noqa: E402
from benchmarks.measure import DisagreementError, Outcome, measure  # noqa: E402
from benchmarks.page import page  # noqa: E402
from benchmarks.programs import pythons, versions  # noqa: E402
from benchmarks.running import Order  # noqa: E402
from benchmarks.workloads import WORKLOADS, small  # noqa: E402
from gradlab.machine import cores  # noqa: E402

RESULTS = Path(__file__).parent / "results.md"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # nothing is left behind
    if unknown := [name for name in given.workloads if name not in WORKLOADS]:
        say(f"there is no workload {unknown[0]!r}; there are: {', '.join(WORKLOADS)}")
        return 2
    there = {"": sys.executable}
    asked = pythons({"torch": given.torch_python, "jax": given.jax_python})
    try:
        found = versions(asked)
    except OSError as error:
        say(f"cannot start {error.filename!r}: give --torch-python, --jax-python another Python")
        return 2
    there |= {library: asked[library] for library in found}
    for library in asked.keys() - found.keys():
        say(f"{library} is not installed for {asked[library]}: its programs are left out")
    order = Order(there, given.rounds, given.seconds, given.fewest, given.threads, given.small)
    names = given.workloads or list(WORKLOADS)
    outcomes: list[Outcome] = []
    try:
        from_cold = cold(order, say) if "W1" in names else {}
        for name in names:
            if name != "W1":
                w = small(WORKLOADS[name]) if given.small else WORKLOADS[name]
                outcomes.append(measure(w, order, say))
            # after each: a later failure loses nothing
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(page(outcomes, from_cold, order, found), encoding="utf-8")
    except (DisagreementError, RuntimeError) as error:
        say(str(error))
        return 1
    print(page(outcomes, from_cold, order, found))
    return 0


def say(line: str) -> None:
    """Tell what happens, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"some of {', '.join(WORKLOADS)}; all")
    parser.add_argument("--small", action="store_true", help="sizes that take seconds in all")
    parser.add_argument("--rounds", type=_count, default=7, help="runs of every program; 7")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of a workload, then no further round; 60"
    )
    parser.add_argument("--fewest", type=_count, default=2, help="rounds in any case; 2")
    parser.add_argument(
        "--threads", type=_count, default=cores(), help="and cores of every program; all there are"
    )
    parser.add_argument("--torch-python", metavar="PATH", help="a Python that has torch; this one")
    parser.add_argument("--jax-python", metavar="PATH", help="a Python that has jax; this one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the page; benchmarks/results.md")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
