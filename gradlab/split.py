"""How the members of an ensemble are cut into pieces, and how many threads work on these.

A member's bits depend neither on the pieces nor on the threads.

Python runs in one thread at a time; the calls of numpy and LAPACK that it makes run beside those of
other threads. Where a step takes p seconds of Python and c seconds of calls for the members of one
piece, N threads have Python busy for N p of every p + c seconds. Who finds it taken waits, and is
woken some microseconds later, which is as long as a small call takes. So there are as many threads
as leave Python free for most of the time, N p <= BUSY (p + c): several for large matrices or many
members, one for small ones, where more would be slower. p and c are estimated from sizes, by what
was measured on one core of an x86-64 machine; docs/performance.md has the table.

Calls of LAPACK that yield few numbers, up to HELD, keep Python to themselves, whatever they take.
Exact products and Lyapunov exponents have such calls at every step: they count as Python. What
other threads can take of a run with products is its singular values (`engine.step_spectra`,
`engine.product_spectrum`): these wait for nothing, and nothing for them.

Threads that are left, since there are fewer members, work within a member whose products are large,
or whose singular values are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from gradlab.large import height
from gradlab.memory import memory_plan, state_rows
from gradlab.spec import Spec

BUSY = 1 / 3  # of the time Python may be taken
HELD = 500  # numbers that a stack of matrices yields, up to which numpy keeps Python to itself
FACTORED, FACTORED_CUBE = 8e-6, 1.55e-10  # seconds of such a factorisation, and of each of its D^3
FACTORISATIONS = {"product": 2, "lyapunov": 1}  # a step
WIDE = 32  # rows of matrices whose singular values are worth handing to another thread
FOR_PRODUCTS = 2  # threads of a piece: one makes exact products, another takes their values
BESIDE = 4  # threads that find singular values to do beside what makes the matrices

# seconds of Python: a step forward and back, of a cell with one gate and of each gate; recording
# all of the products of Jacobians, or of the exponents, a step
PYTHON, PYTHON_GATE = 20e-6, 16e-6
PYTHON_SPECTRUM = {"step": 30e-6, "product": 420e-6, "lyapunov": 100e-6}
# seconds of calls: a floating-point operation of matrix products, a number of a pre-activation; of
# spectra what a matrix takes, and each of its D^3
OPERATION, NUMBER = 1 / 20e9, 20e-9
MATRIX, CUBE = 40e-6, 2e-9


class Split(NamedTuple):
    """Pieces as ranges of members, steps between checkpoints (None: none), threads that each have
    pieces, and threads that work on each of these pieces together.
    """

    pieces: tuple[slice, ...]
    every: int | None
    workers: int
    within: int = 1

    @property
    def at_once(self) -> int:
        """Members that are held at a time, at most."""
        return self.workers * max(piece.stop - piece.start for piece in self.pieces)


def split(spec: Spec, members: int, jobs: int) -> Split:
    """So many members of this shape, for so many threads at most.

    Pieces are of equal size, or differ by one member, and there are as many for each thread: all
    are busy to the end.
    """
    python, calls = _step(spec)
    workers = min(jobs, members)
    if "product" in spec.spectra - spec.largest:
        workers = min(workers, max(jobs // FOR_PRODUCTS, 1))
    while True:
        size, every = memory_plan(spec, members, workers)
        count = min(-(-members // max(size * workers, 1)) * workers, members)
        taken = python + _held(spec, members // count)
        free = workers * taken <= BUSY * (python + calls * members / count)
        if workers == 1 or (size > 0 and free):
            break
        workers -= 1
    ends = [members * k // count for k in range(count + 1)]
    pieces = tuple(slice(start, end) for start, end in pairwise(ends))
    return Split(pieces, every, workers, min(jobs // workers, shared(spec)))


def shared(spec: Spec) -> int:
    """How many threads may have a part in the work on one member: in the product of a step, where
    that is large enough to be cut, or in singular values.
    """
    rows = len(spec.base.GATES) * spec.H
    pieces = -(-rows // height(rows, spec.H, spec.B)) if rows else 1
    values = spec.spectra & {"step", "product"} and state_rows(spec) >= WIDE
    return max(pieces, BESIDE) if values else pieces


def _held(spec: Spec, piece: int) -> float:
    """Seconds of a step in which LAPACK keeps Python to itself, for a piece of so many members."""
    D, matrices = state_rows(spec), piece * spec.sequences
    if matrices * D > HELD:
        return 0
    often = sum(FACTORISATIONS.get(name, 0) for name in spec.spectra - spec.largest)
    return often * matrices * (FACTORED + FACTORED_CUBE * D**3)


def _step(spec: Spec) -> tuple[float, float]:
    """Seconds of a step forward and back: of Python, and of the calls for one member."""
    layers = spec.topology.layers if not spec.topology.chained else 1
    gates, part = max(len(spec.base.GATES), 1), spec.dtype.itemsize / 8
    D = len(spec.base.STATE) * spec.H * layers
    width = gates * spec.H * spec.B * layers
    python = layers * (PYTHON + gates * PYTHON_GATE)
    products = 6 * (spec.H + spec.I) if spec.weight_gradients else 4 * spec.H + 2 * spec.I
    calls = part * width * (products * OPERATION + NUMBER)
    share = len(spec.rows) / spec.steps  # of the steps that are recorded
    for name in spec.spectra:
        often = share if name == "step" else 1.0
        python += often * PYTHON_SPECTRUM[name]
        calls += often * spec.sequences * (MATRIX + CUBE * D**3)
    return python, calls
