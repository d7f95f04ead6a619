"""Which weights each step has.

A recurrence has one set of weights for all steps (`Shared`). An encoder and a decoder have one
each, a deep feed-forward net has a fresh one at every step (`Scheduled`). The engine asks for the
parameters of one step, or of many at once: then they have an axis for the steps in front, unless
all of them are the same. Blocks of steps end where a set that several steps share gives way to
another (`blocks`): else every step of such a block would have its own copy of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell
from gradlab.nonlinearity import Array

Steps = NDArray[np.int64]  # counted from 1


class Schedule(Protocol):
    """The cell's Params by step."""

    def at(self, t: int) -> Any:
        """Of step t: tensors (R, ...)."""

    def over(self, steps: Steps) -> Any:
        """Of several steps: tensors (n, R, ...), or (R, ...) where the steps share them."""

    def sets(self, steps: Steps) -> Steps | None:
        """Which set of weights each of the steps has; None where there is only one."""


def blocks(weights: Schedule, t0: int, n: int, size: int) -> Iterator[slice]:
    """The steps t0 + 1 .. t0 + n in blocks of `size` at most, as slices from 0 on, in order."""
    for start in range(0, n, size):
        stop = min(start + size, n)
        sets = weights.sets(np.arange(t0 + start, t0 + stop) + 1)
        ends = [] if sets is None else (np.flatnonzero(np.diff(sets)) + 1).tolist()
        if len(ends) == stop - start - 1:  # every step has its own set, in this block
            ends = []
        yield from (slice(start + a, start + b) for a, b in pairwise([0, *ends, stop - start]))


@dataclass(frozen=True)
class Shared:
    """The same weights at every step."""

    p: Any

    def at(self, t: int) -> Any:
        return self.p

    def over(self, steps: Steps) -> Any:
        return self.p

    def sets(self, steps: Steps) -> None:
        return None


@dataclass(frozen=True)
class Scheduled:
    """Several sets of weights, tensors (S, R, ...); step t has the set which[t - 1]."""

    cell: Cell
    options: Any
    tensors: Mapping[str, Array]
    which: Steps  # (T,)

    @cached_property
    def _each(self) -> list[Any]:
        count = len(next(iter(self.tensors.values())))
        return [self._params(index) for index in range(count)]

    def _params(self, index: Any) -> Any:
        return self.cell.init({name: a[index] for name, a in self.tensors.items()}, self.options)

    def at(self, t: int) -> Any:
        return self._each[self.which[t - 1]]

    def over(self, steps: Steps) -> Any:
        which = self.sets(steps)
        if (which == which[0]).all():
            return self._each[which[0]]
        if (np.diff(which) == 1).all():
            return self._params(slice(int(which[0]), int(which[-1]) + 1))  # a view: no copy
        return self._params(which)

    def sets(self, steps: Steps) -> Steps:
        return np.asarray(self.which[steps - 1])
