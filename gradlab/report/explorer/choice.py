"""Which points of a sweep its page shows: all of them, or evenly spaced ones of a large sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gradlab.report.sweep_figures import roles
from gradlab.report.sweep_figures.axis import Axis, axis
from gradlab.report.sweep_figures.grid import AxisValues

MOST = 2_000  # points of a page


@dataclass(frozen=True)
class Choice:
    """The values of every axis that are shown; every combination of them is a point."""

    axes: tuple[Axis, ...]
    places: tuple[tuple[int, ...], ...]  # along each axis, ascending where it is of numbers

    def at(self, index: int) -> tuple[int, ...] | None:
        """Which of the shown values the point of this index has, for each axis; None where it is
        not shown.
        """
        found = []
        for one, shown in zip(reversed(self.axes), reversed(self._shown), strict=True):
            index, given = divmod(index, len(one))
            if given not in shown:
                return None
            found.append(shown[given])
        return tuple(found[::-1])

    @cached_property
    def _shown(self) -> tuple[dict[int, int], ...]:
        """Of each axis: place among the values as they were given -> place among those shown."""
        pairs = zip(self.axes, self.places, strict=True)
        return tuple({one.order[p]: k for k, p in enumerate(kept)} for one, kept in pairs)

    @property
    def of(self) -> int:
        """How many points the sweep has."""
        return math.prod(map(len, self.axes))

    @property
    def count(self) -> int:
        """How many of them are shown."""
        return math.prod(map(len, self.places))

    def words(self) -> str:
        """What is left out, in a sentence; '' where nothing is."""
        if self.count == self.of:
            return ""
        pairs = zip(self.axes, self.places, strict=True)
        parts = [part for one, kept in pairs for part in roles.thinned(one, kept)]
        return (
            f"{self.count} of the {self.of} points are shown: {', '.join(parts)}. "
            "All are in table.csv."
        )


def choose(axes: Sequence[AxisValues], most: int = MOST) -> Choice:
    """All values, or so many of each axis that the points are at most `most`.

    The longest axis is thinned first, one of numbers before one of categories: of numbers there
    remain evenly spaced ones with the first and the last, of categories the first.
    """
    made = tuple(axis(keys, values) for keys, values in axes)
    counts = [len(one) for one in made]
    while (product := math.prod(counts)) > most:
        k = max(range(len(made)), key=lambda k: _spare(made[k], counts[k]))
        counts[k] = max(-(-counts[k] // 2), counts[k] * most // product)
    places = (tuple(roles.chosen(one, count)) for one, count in zip(made, counts, strict=True))
    return Choice(made, tuple(places))


def _spare(one: Axis, count: int) -> tuple[bool, int]:
    return one.positions is not None and count > roles.FEW, count
