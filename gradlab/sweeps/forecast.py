"""What a sweep would take, before it is begun."""

from __future__ import annotations

from typing import Any

from gradlab.config import Sweep
from gradlab.footprint import PROGRAM, footprint
from gradlab.sweeps.points import Task, operations, points, tasks

# measured on one core of an x86-64 machine, to a factor of two
RATE = 3e9  # operations a second and worker
STEP = 1e-4  # seconds of overhead a step of a task
POINT = 2e-3  # seconds of overhead a point
SAMPLED = 2000  # points that are looked at


def forecast(sweep: Sweep, jobs: int) -> dict[str, Any]:
    """What a sweep would take: tasks, seconds to a factor of two or so, memory of a worker.

    A large sweep is judged by points at regular distances. Raises GradlabError with all points
    that are invalid.
    """
    wrong = sweep.check()
    if wrong is not None:
        raise wrong
    stride = max(1, sweep.size // SAMPLED)
    sample = tasks(points(sweep, range(0, sweep.size, stride)))
    seen = sum(len(task.points) for task in sample)
    work = sum(operations(p.spec) for task in sample for p in task.points)
    steps = sum(_steps(task) for task in sample) * STEP
    return {
        "points": sweep.size,
        "tasks": len(sample) if stride == 1 else round(len(sample) * sweep.size / seen),
        "seconds": round((work / RATE + steps + seen * POINT) * sweep.size / seen / jobs, 1),
        "memory_mib_per_worker": round((PROGRAM + max(map(_memory, sample))) / 2**20),
    }


def _steps(task: Task) -> int:
    """Steps one after the other, in all updates of a training."""
    spec = task.points[0].spec
    return spec.T * (1 if spec.train is None else spec.train.updates)


def _memory(task: Task) -> float:
    """Bytes that a task's points take together."""
    members = sum(len(point.spec.seeds) for point in task.points)
    return footprint(task.points[0].spec, members).bytes
