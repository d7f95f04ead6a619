"""What a sweep has left, for Python: its table, and the record of every point."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile, places


class SweepResult:
    """A sweep's folder, read when asked. A point is named by its swept values."""

    def __init__(self, path: Path) -> None:
        self.folder = SweepFolder(path)
        if not self.folder.is_sweep():
            raise GradlabError(f"{str(path)!r} holds no sweep")
        self.description = self.folder.read_description()

    @property
    def axes(self) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
        """Keys that vary together -> their values."""
        axes: dict[str, list[list[Any]]] = self.description["axes"]
        return {tuple(keys.split(", ")): [tuple(v) for v in vs] for keys, vs in axes.items()}

    @property
    def size(self) -> int:
        """How many points there are."""
        return int(self.description["points"])

    def values(self) -> Iterator[dict[str, Any]]:
        """The swept values of every point, in order: the last axis varies fastest."""
        keys = list(itertools.chain(*self.axes))
        for combination in itertools.product(*self.axes.values()):
            yield dict(zip(keys, itertools.chain(*combination), strict=True))

    @cached_property
    def _task_of(self) -> dict[int, str]:
        """Point -> the task whose file holds it. Torn files are as if they were not there."""
        where = {}
        for task in sorted(self.folder.done()):
            for index in places(self.folder.task(task)):
                where[index] = task
        return where

    @property
    def done(self) -> int:
        """How many points are computed."""
        return len(self._task_of)

    def record(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Record:
        """The record of the point with these values, e.g. record({"init.forget_bias": 1},
        cell="lstm").

        Raises GradlabError when no point, or more than one, has them, or it is not computed.
        """
        wanted = {**(values or {}), **more}
        keys = list(itertools.chain(*self.axes))
        unknown = wanted.keys() - set(keys)
        if unknown:
            raise GradlabError(f"{min(unknown)!r} is not swept; swept are: {', '.join(keys)}")
        found = [
            index
            for index, point in enumerate(self.values())
            if all(point[key] == value for key, value in wanted.items())
        ]
        if len(found) != 1:
            which = ", ".join(f"{key}={value}" for key, value in wanted.items()) or "no values"
            what = f"{len(found)} points have" if found else "no point has"
            raise GradlabError(f"{what} {which}; {self._axes_in_words()}")
        if found[0] not in self._task_of:
            raise GradlabError("this point is not computed yet; gradlab sweep goes on from there")
        file = TaskFile(self.folder.task(self._task_of[found[0]]))
        return file.record(found[0])

    def records(self) -> Iterator[tuple[int, Record]]:
        """The points that were computed without failing, in order, each with its place."""
        read = lru_cache(maxsize=1)(TaskFile)  # the points of a task follow one another
        for index in sorted(self._task_of):
            file = read(self.folder.task(self._task_of[index]))
            if not file.point(index).failed:
                yield index, file.record(index)

    def _axes_in_words(self) -> str:
        parts = []
        for keys, values in self.axes.items():
            shown = [", ".join(map(str, v)) for v in values]
            listed = shown if len(shown) <= 8 else [*shown[:3], "...", shown[-1]]
            parts.append(f"{', '.join(keys)} is one of: {'; '.join(listed)}")
        return " and ".join(parts)

    def __repr__(self) -> str:
        axes = ", ".join(f"{', '.join(k)} ({len(v)})" for k, v in self.axes.items())
        return f"<SweepResult {self.folder.path}: {self.done} of {self.size} points over {axes}>"
