"""The Python calls: `gradlab.run`, `gradlab.train`, `gradlab.sweep`, `gradlab.load`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradlab import store
from gradlab.comparison import run as compute
from gradlab.config import Loaded, from_mapping, load_sweep, sweep_from_mapping
from gradlab.config import load as load_config
from gradlab.errors import GradlabError
from gradlab.footprint import check_room, fitting
from gradlab.job import Place, perform, settled
from gradlab.machine import cores
from gradlab.record import Record
from gradlab.report.notebook import Shown
from gradlab.sweeps.execute import executors
from gradlab.sweeps.job import Order
from gradlab.sweeps.job import perform as perform_sweep
from gradlab.sweeps.planned import plan
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.store import SweepFolder
from gradlab.training.course import train_many


def run(
    config: Mapping[str, Any] | str | Path,
    *overrides: str,
    out: str | Path | None = None,
    jobs: int = 1,
    force: bool = False,
) -> Record:
    """The record of one experiment.

    config: the path of a config file, or a mapping with the same keys. overrides: "key=value" as on
    the command line. out: a folder to leave the results in; nothing is written without it. jobs:
    threads that share the members of a large run, 0 for one per core; the bits of the record do not
    depend on it. force: compute although the result is there. Raises GradlabError with all that is
    wrong with the config, and where it would not fit in memory.
    """
    loaded = _load(config, overrides)
    threads = _jobs(jobs)
    if loaded.config.train is not None:
        raise GradlabError("this config has a 'train' section: use gradlab.train")
    if out is not None:
        return _left(loaded, Path(out), force, threads)
    _, spec = settled(loaded)
    check_room([spec])
    return Shown.of(compute(spec, jobs=fitting(spec, threads)))


def train(
    config: Mapping[str, Any] | str | Path,
    *overrides: str,
    out: str | Path | None = None,
    force: bool = False,
) -> Record:
    """The record of a training: that of a run with its last weights, and what was recorded of every
    update and snapshot.

    As `run`, of a config with a section `train`. With `out` a training that was interrupted goes on
    from its last snapshot.
    """
    loaded = _load(config, overrides)
    if loaded.config.train is None:
        raise GradlabError("this config has no 'train' section: use gradlab.run")
    if out is not None:
        return _left(loaded, Path(out), force)
    _, spec = settled(loaded)
    check_room([spec])
    return Shown.of(train_many([spec])[0])


def sweep(
    config: Mapping[str, Any] | str | Path,
    *axes: str,
    out: str | Path | None = None,
    jobs: int = 1,
    executor: str = "processes",
    force: bool = False,
) -> SweepResult:
    """Run an experiment for every combination of values, or what is missing of it; no figures.

    config: the path of a config file, or a mapping with the same keys. axes: "key=values" as on the
    command line. out: the results folder, by default results/NAME. jobs: worker processes, 0 for
    one per core. Raises GradlabError with all that is wrong, and when the folder holds another
    sweep (force starts over).
    """
    workers = _jobs(jobs)
    if isinstance(config, Mapping):
        wanted = sweep_from_mapping(config, axes)
    else:
        wanted = load_sweep(config, axes)
    folder = SweepFolder(Path(out) if out is not None else Path("results") / wanted.name)
    order = Order(folder, executors(executor, workers), None, force, draw=False, command=sys.argv)
    for _ in perform_sweep(plan(wanted), order, lambda line: None):
        pass
    return SweepResult(folder.path)


def load(folder: str | Path) -> Record | SweepResult:
    """What a run or a sweep has left in a folder. Raises GradlabError where there is neither."""
    if SweepFolder(Path(folder)).is_sweep():
        return SweepResult(Path(folder))
    return Shown.of(store.load(Path(folder)))


def _left(loaded: Loaded, out: Path, force: bool, jobs: int = 1) -> Record:
    """The record, its folder being left there."""
    place = Place(store.Folder(out), force)
    return Shown.of(perform(loaded, place, sys.argv, lambda line: None, jobs=jobs).record)


def _load(config: Mapping[str, Any] | str | Path, overrides: tuple[str, ...]) -> Loaded:
    if isinstance(config, Mapping):
        return from_mapping(config, overrides)
    return load_config(config, overrides)


def _jobs(jobs: int) -> int:
    """As on the command line, 0 is one per core. Raises GradlabError."""
    if jobs < 0:
        raise GradlabError(f"jobs is {jobs}; it is how many at a time, or 0 for one per core")
    return jobs or cores()
