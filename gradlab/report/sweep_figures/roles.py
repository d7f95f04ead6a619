"""Which axis of a sweep becomes what in a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.grid import Grid

FEWEST = 3  # numbers that make an axis of a phase diagram
MOST_PANELS = 12
FEW = 8


@dataclass(frozen=True)
class Roles:
    """Places of axes in the sweep; None where a figure does without."""

    x: int | None
    across: int | None  # another line, another marker, or the y axis
    panels: int | None

    def take(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of the grid as (panels, across, x); all other axes at their first place."""
        order = [self.panels, self.across, self.x]
        kept = [k for k in range(array.ndim) if k in order]
        part = array[tuple(slice(None) if k in order else 0 for k in range(array.ndim))]
        part = part.transpose([kept.index(k) for k in order if k is not None])
        return part[tuple(np.newaxis if k is None else slice(None) for k in order)]

    def fixed(self, grid: Grid) -> list[str]:
        """Which axes are shown at their first place only, in words."""
        used = (self.x, self.across, self.panels)
        return [
            f"{one.at(0)} only, of {len(one)} values"
            for k, one in enumerate(grid.axes)
            if k not in used and len(one) > 1
        ]


def numeric(grid: Grid, fewest: int = 2) -> list[int]:
    """Axes of at least so many numbers, the longest first."""
    found = [
        k for k, one in enumerate(grid.axes) if one.positions is not None and len(one) >= fewest
    ]
    return sorted(found, key=lambda k: -len(grid.axes[k]))


def lines(grid: Grid) -> Roles:
    """x is the longest axis of numbers; lines are categories, or else the fewest numbers."""
    x = numeric(grid)[0]
    others = [k for k in _varied(grid) if k != x]
    others.sort(key=lambda k: (grid.axes[k].positions is not None, len(grid.axes[k]) > FEW))
    return Roles(x, *_two(others))


def plane(grid: Grid) -> Roles:
    """x and y are the longest axes of numbers."""
    x, y = numeric(grid, FEWEST)[:2]
    others = [k for k in _varied(grid) if k not in (x, y)]
    return Roles(x, y, others[0] if others else None)


def categories(grid: Grid) -> Roles:
    """x is the axis with most categories."""
    varied = sorted(_varied(grid), key=lambda k: -len(grid.axes[k]))
    return Roles(varied[0] if varied else 0, *_two(varied[1:]))


def chosen(axis: Axis, most: int) -> list[int]:
    """At most so many places: of numbers evenly from first to last, of categories the first."""
    if len(axis) <= most:
        return list(range(len(axis)))
    if axis.positions is None:
        return list(range(most))
    return [int(k) for k in np.linspace(0, len(axis) - 1, most).round()]


def thinned(axis: Axis, shown: Sequence[int]) -> list[str]:
    """That not all values are shown, in words, if so."""
    return [f"{len(shown)} of {len(axis)} values of {axis.name}"] if len(shown) < len(axis) else []


def _varied(grid: Grid) -> list[int]:
    return [k for k, one in enumerate(grid.axes) if len(one) > 1]


def _two(places: Sequence[int]) -> tuple[int | None, int | None]:
    first, second = (*places, None, None)[:2]
    return first, second
