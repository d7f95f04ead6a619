"""How many threads the linear algebra below numpy may use: settled before numpy is loaded.

A library's own threads are no help with matrices of a few hundred rows, of which gradlab has
thousands one after the other. On a machine that others use they wait for each other in loops that
take all the time of a core: a run took seven times as long with two threads as with one.
"""

from __future__ import annotations

import os

NAMES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
ONE = dict.fromkeys(NAMES, "1")


def settle() -> None:
    """One thread, unless the environment says how many."""
    if not any(name in os.environ for name in NAMES):
        os.environ.update(ONE)
