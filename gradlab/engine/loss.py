"""Where the gradient enters the recurrence, and with what value.

`upstream` injects dL/dh_t itself, as the texts do with `dh`: no output layer, no targets. It enters
the h part of the state; the c part gets none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradlab.draws import Streams
from gradlab.nonlinearity import Array

UPSTREAM = ("ones", "normal", "unit")


def upstream(streams: Streams, value: str, H: int, B: int) -> Array:
    """dh (H, B) of one member: all ones; `normal`: N(0, 1); `unit`: those, scaled to norm 1."""
    if value == "ones":
        return np.ones((H, B))
    dh = streams.of("upstream").standard_normal((H, B))
    return dh / np.sqrt(np.vdot(dh, dh)) if value == "unit" else dh


LOSSES: dict[str, Callable[..., Array]] = {"upstream": upstream}


@dataclass(frozen=True)
class Injection:
    """The same dh (R, H, B) at every step of `steps` (1 .. T)."""

    dh: Array
    steps: frozenset[int] | range

    def at(self, t: int) -> Array | None:
        """dL_t/dh_t, or None where the loss does not look."""
        return self.dh if t in self.steps else None
