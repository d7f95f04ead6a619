"""A sweep's tasks, and what identifies it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from gradlab import __version__
from gradlab.config import Sweep
from gradlab.dotted import dotted
from gradlab.record import SCHEMA
from gradlab.sweeps.points import Task, points, tasks


@dataclass(frozen=True)
class Planned:
    """A sweep's tasks, and what identifies it."""

    sweep: Sweep
    tasks: tuple[Task, ...]
    description: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of points."""
        return sum(len(task.points) for task in self.tasks)


def plan(sweep: Sweep) -> Planned:
    """Settle every point. Raises GradlabError with all points that are invalid."""
    wrong = sweep.check()
    if wrong is not None:
        raise wrong
    every = tuple(tasks(points(sweep)))
    identity = hashlib.sha256(" ".join(task.id for task in every).encode()).hexdigest()
    base = dotted(every[0].points[0].spec.config)
    axes = {", ".join(axis.keys): [list(v) for v in axis.values] for axis in sweep.axes}
    description = {
        "schema": SCHEMA,
        "gradlab": __version__,
        "identity": identity,
        "points": sweep.size,
        "axes": axes,
        "base": {
            key: value
            for key, value in base.items()
            if not any(f"{key}.".startswith(f"{swept}.") for swept in sweep.keys)
        },
    }
    return Planned(sweep, every, description)
