"""A sweep: what is common to its points, and the axes that they differ along."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any

from gradlab.config.axes import Axis, pairs
from gradlab.config.loading import in_python, named_after, refusal, touches, validated
from gradlab.config.models import Config
from gradlab.config.overrides import put
from gradlab.config.source import Place, Source, read
from gradlab.config.sweep_section import SWEEP, Found, faults_outside, find, top_of
from gradlab.config.swept import Group, groups, path, section, with_cell
from gradlab.errors import GradlabError, Key, Problem

MAX_POINTS = 1_000_000
LISTED = 20  # problems of points that an error shows
LONG = 10**15  # counts from here on are shown by their size

Positions = tuple[int, ...]  # one for each axis


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep, counted from 0; the last axis varies fastest.

    A point's config is made when it is asked for; `check` says whether all of them are valid.
    """

    axes: tuple[Axis, ...]
    source: Source  # without the sweep section, with the overrides that are single values
    folder: str  # where relative paths start
    overrides: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what a user should know, a line each
    places: tuple[Place, ...] = ()  # where each axis was written

    @property
    def base(self) -> dict[str, Any]:
        """What is common: the config's data as it was written. Points set swept keys in it."""
        return self.source.data

    @property
    def name(self) -> str:
        """The config's name, or the default one."""
        return self.base.get("name") or named_after(self.source, self.overrides)

    @cached_property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(len(axis.values) for axis in self.axes)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The dotted keys of all axes, in order."""
        return tuple(key for axis in self.axes for key in axis.keys)

    def positions(self, index: int) -> Positions:
        """Where a point is on each axis. Raises IndexError."""
        if not 0 <= index < self.size:
            raise IndexError(f"point {index} of {self.size}")
        backwards = []
        for axis in reversed(self.axes):
            index, position = divmod(index, len(axis.values))
            backwards.append(position)
        return tuple(reversed(backwards))

    def values(self, index: int) -> dict[str, Any]:
        """A point's swept keys and their values, as they were written."""
        return dict(zip(self.keys, self._flat(self.positions(index)), strict=True))

    def config(self, index: int) -> Config:
        """A point's config. Raises GradlabError, naming the point, where it is invalid."""
        found = self._validated(self.positions(index))
        if isinstance(found, Config):
            return found
        raise self.about(index, GradlabError(*found))

    def about(self, index: int, error: GradlabError) -> GradlabError:
        """An error found in one point: each line with its place and with the point's values."""
        at = self.positions(index)
        lines = [self._named(at, range(len(self.axes)), p) for p in error.problems]
        return GradlabError(*lines, exit_code=error.exit_code).located(self.source.locate)

    def check(self) -> GradlabError | None:
        """What is wrong with any of the points, None where all of them are valid.

        It does not try every point, but every combination of values that matter to one another.
        """
        invalid = self._invalid()
        lines = list(islice(invalid, LISTED))
        if not lines:
            return None
        error = GradlabError(*lines).located(self.source.locate)
        more = sum(1 for _ in invalid)
        rest = [Problem(f"and {more} more problems of this kind")] if more else []
        return GradlabError(*error.problems, *rest)

    def _invalid(self) -> Iterator[Problem]:
        common = self._common_faults()
        for group in groups([axis.keys for axis in self.axes]):
            seen: set[tuple[Key, str]] = set()  # at the first value of every axis
            for at, tried in self._combinations(group):
                for problem in self._faults(at, group):
                    what = problem.key, problem.message
                    new = what not in seen
                    if what in common or not any(at):
                        seen.add(what)
                    blamed = {*tried, *(i for i in group.alone if self._about(i, problem.key))}
                    if what in common or not blamed:
                        yield from [problem] if new else []
                    elif new or blamed <= set(group.crossed):
                        yield self._named(at, sorted(blamed), problem)

    def _common_faults(self) -> set[tuple[Key, str]]:
        """What is wrong whatever is swept, beside the swept keys in their sections."""
        found = validated(self.base, self.folder)
        problems = () if isinstance(found, Config) else found
        axes = range(len(self.axes))
        return {
            (p.key, p.message) for p in problems if not any(self._about(i, p.key) for i in axes)
        }

    def _combinations(self, group: Group) -> Iterator[tuple[Positions, tuple[int, ...]]]:
        """The points to try, each with the axes that are varied; the first of all comes first."""
        first = (0,) * len(self.axes)
        lengths = [len(axis.values) for axis in self.axes]
        for chosen in product(*(range(lengths[i]) for i in group.crossed)):
            yield _moved(first, group.crossed, chosen), group.crossed
        for i in group.alone:
            for position in range(1, lengths[i]):
                yield _moved(first, (i,), (position,)), (i,)

    def _faults(self, at: Positions, group: Group) -> list[Problem]:
        found = self._validated(at)
        problems = () if isinstance(found, Config) else found
        swept = dict.fromkeys(map(section, self.keys))
        sections = with_cell(group.sections, {**self.base, **swept})
        return [p for p in problems if section(top_of(p)) in sections]

    def _validated(self, at: Positions) -> Config | tuple[Problem, ...]:
        data, values = dict(self.base), self._flat(at)
        for i, key in self._setting:
            try:
                put(data, key, values[i])
            except GradlabError as error:  # what is around the key is no section
                return tuple(replace(p, key=key) for p in error.problems)
        return validated(data, self.folder)

    @cached_property
    def _setting(self) -> list[tuple[int, Key]]:
        """The keys with their numbers, in the order in which they are set: cell before cell.x."""
        return sorted(enumerate(map(path, self.keys)), key=lambda pair: len(pair[1]))

    def _flat(self, at: Positions) -> list[Any]:
        return [v for axis, p in zip(self.axes, at, strict=True) for v in axis.values[p]]

    def _about(self, axis: int, key: Key) -> bool:
        return any(touches(path(name), key) for name in self.axes[axis].keys)

    def _named(self, at: Positions, axes: Iterable[int], problem: Problem) -> Problem:
        """The problem with the place of its axis and the values that it comes from."""
        axes = list(axes)
        keys = [key for i in axes for key in self.axes[i].keys]
        values = [value for i in axes for value in self.axes[i].values[at[i]]]
        which = "point" if len(axes) == len(self.axes) else "points with"
        message = f"{which} {pairs(keys, values)}: {problem.message}"
        text, order = self._place(problem.key)
        return replace(problem, message=message, place=text, order=order)

    def _place(self, key: Key) -> Place:
        """The place of the axis that says most about the key, else that of the key itself."""
        around = [
            (len(path(name)) if path(name) == key[: len(path(name))] else 0, place)
            for axis, place in zip(self.axes, self.places, strict=True)
            for name in axis.keys
            if touches(path(name), key)
        ]
        return max(around, key=lambda pair: pair[0])[1] if around else self.source.place(key)


def load_sweep(
    path: Path | str, overrides: Sequence[str] = (), max_points: int = MAX_POINTS
) -> Sweep:
    """The sweep in a file ("-" is standard input), with overrides that are values or axes.

    Raises GradlabError with all that is wrong but for the points themselves: see Sweep.check.
    """
    source = read(path)
    folder = Path.cwd() if source.path is None else source.path.parent
    return _sweep(source, overrides, folder, max_points)


def sweep_from_mapping(
    mapping: Mapping[str, Any],
    overrides: Sequence[str] = (),
    folder: Path | str | None = None,
    max_points: int = MAX_POINTS,
) -> Sweep:
    """The sweep in a Python mapping; relative paths start at `folder`, or the working directory.

    Raises GradlabError as `load_sweep` does.
    """
    at = Path.cwd() if folder is None else Path(folder)
    return _sweep(in_python(mapping), overrides, at, max_points)


def _sweep(source: Source, overrides: Sequence[str], folder: Path, max_points: int) -> Sweep:
    found, absolute = find(source, overrides), os.path.realpath(folder)
    config = validated(found.source.data, absolute)
    wrong = [] if isinstance(config, Config) else faults_outside(found, config)
    if wrong or found.source.problems:
        raise refusal(found.source, wrong)
    _refuse_too_many(found, max_points)
    axes, notes = [], [*found.notes]
    if SWEEP in source.data and "expect" in source.data:
        notes.append(
            "expect is for `gradlab check`, of single experiments: a sweep leaves it aside"
        )
    for slot in found.slots:
        axis, note = slot.axis.axis()
        axes.append(axis)
        notes += [f"{slot.place.text}: {note}" if slot.place.text else note] if note else []
    places = tuple(slot.place for slot in found.slots)
    return Sweep(tuple(axes), found.source, absolute, tuple(overrides), tuple(notes), places)


def _refuse_too_many(found: Found, max_points: int) -> None:
    counts = [slot.axis.count for slot in found.slots]
    points = math.prod(counts)
    if points <= max_points:
        return
    factors = f" ({' x '.join(map(_count, counts))})" if len(counts) > 1 else ""
    message = (
        f"the sweep has {_count(points)} points{factors}, more than the {max_points} that are "
        "allowed; take fewer values or raise --max-points"
    )
    text, order = found.source.place((SWEEP,))
    raise GradlabError(Problem(message, (), text, order))


def _count(number: int) -> str:
    return str(number) if number < LONG else f"about 10^{math.floor(math.log10(number))}"


def _moved(first: Positions, axes: tuple[int, ...], positions: tuple[int, ...]) -> Positions:
    moved = dict(zip(axes, positions, strict=True))
    return tuple(moved.get(i, p) for i, p in enumerate(first))
