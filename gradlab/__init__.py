"""gradlab: does this recurrent cell carry a gradient? how far? why?

Letters, the same everywhere: T steps, R ensemble members (seeds, or fused points of a sweep), B
sequences, H hidden units, I inputs, D state width (H, or 2 H for cells with a cell state: s = [h,
c]), G rows of the recurrent weights (H times the number of gates), K singular values kept, N
recorded steps.

Arrays end in the axes they are about: states (..., D, B), one column per sequence, so that the code
reads like the equations, h = phi(W @ h + U @ x + b). Rates are in nats per step. Files that users
give or get keep the usual order: inputs (B, T, I), initial state (B, H).

    gradlab.run(config) -> Record    config: a path, or a mapping with the keys of a config file
    gradlab.train(config) -> Record    of a config with a section `train`
    gradlab.sweep(config) -> SweepResult    every combination of values; resumes what is there
    gradlab.load(folder) -> Record or SweepResult    what a run or a sweep has left
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["load", "run", "sweep", "train"]

if TYPE_CHECKING:
    from gradlab.api import load, run, sweep, train


def __getattr__(name: str) -> Any:
    """Import what is used when it is used: `gradlab --help` loads no numpy."""
    if name in __all__:
        from gradlab import api

        return getattr(api, name)
    raise AttributeError(f"module 'gradlab' has no attribute {name!r}")
