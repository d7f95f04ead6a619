"""Many configs: run what is not stored yet, hold each against what it expects.

Each config is run as `gradlab run` does it, into the same folder, one after the other or in worker
processes. One that cannot be run is a check that failed; the others go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path

from gradlab.config import Loaded, load
from gradlab.config.source import read
from gradlab.config.sweep_section import SWEEP
from gradlab.errors import GradlabError, Problem
from gradlab.expectations.checked import Checked
from gradlab.expectations.judge import judge
from gradlab.expectations.possible import refuse_impossible
from gradlab.job import Place, perform, settled
from gradlab.report import words
from gradlab.store import Folder
from gradlab.sweeps.execute import Executors


@dataclass(frozen=True)
class How:
    """What holds for all configs: values instead of the files', and how they are run."""

    overrides: tuple[str, ...] = ()
    force: bool = False
    draw: bool = True
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A config to be checked, and the folder of its result."""

    config: str
    folder: Path
    how: How


def wanted(configs: Sequence[str], results: Path, how: How) -> list[Wanted]:
    """The configs, each once. results: the folder of all results.

    Raises GradlabError with all that is wrong with any of them, so that none is run.
    """
    found: list[Wanted] = []
    problems: list[Problem] = []
    folders: dict[Path, str] = {}
    for config in dict.fromkeys(configs):
        try:
            loaded = _loaded(config, how.overrides)
        except GradlabError as error:
            problems += error.problems
            continue
        folder = results / loaded.name
        other = folders.setdefault(folder, config)
        if other == config:
            found.append(Wanted(config, folder, how))
        elif os.path.realpath(other) != os.path.realpath(config):
            text = f"leaves its results in {folder}, as {other} does: give one a name:"
            problems.append(Problem(text, place=config))
    if problems:
        raise GradlabError(*problems)
    return found


def _loaded(config: str, overrides: Sequence[str]) -> Loaded:
    """A config that can be run and expects what its run can have. Raises GradlabError."""
    if config == "-":
        raise GradlabError("check reads files, so that it can say where; - is for `gradlab run`")
    source = read(config)
    if SWEEP in source.data:
        text = "is a sweep, and check is for single experiments: write the point that matters "
        raise GradlabError(Problem(text + "as a config of its own", place=source.name))
    loaded = load(config, overrides)
    if not loaded.config.expect:
        text = "there is no 'expect:' in it, so nothing to check; add it, or use `gradlab run`"
        raise GradlabError(Problem(text, place=loaded.source.name))
    _, spec = settled(loaded)
    try:
        refuse_impossible(loaded.config.expect, spec)
    except GradlabError as error:
        raise error.located(loaded.source.locate) from error
    return loaded


def check(every: Sequence[Wanted], executors: Executors) -> Generator[Checked, None, None]:
    """What came of each, as it is finished. Closing it ends the workers."""
    try:
        left = list(every)
        for one, checked in _together(every, executors):
            left.remove(one)
            yield checked
        for one in left:  # a worker died, and took the others with it: who is to blame dies alone
            executors.stop()
            alone = [checked for _, checked in _together([one], executors)]
            yield alone[0] if alone else _died(one, executors)
    finally:
        executors.stop()


def _died(one: Wanted, executors: Executors) -> Checked:
    return Checked(one.config, str(one.folder), error=executors.how_a_worker_ended())


def _together(
    every: Sequence[Wanted], executors: Executors
) -> Generator[tuple[Wanted, Checked], None, None]:
    """What came of each, until a worker dies."""
    futures: dict[Future[Checked], Wanted] = {}
    if executors.window == 1:  # submitting runs it: each is told before the next begins
        for one in every:
            yield one, check_one(one)
        return
    try:
        for one in every:
            futures[executors.current().submit(check_one, one)] = one
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenExecutor:
        return


def check_one(one: Wanted) -> Checked:
    """Run one config, or find its result, and hold it against what it expects."""
    began = time.monotonic()
    notes: list[str] = []
    try:
        loaded, how = load(one.config, one.how.overrides), one.how
        place = Place(Folder(one.folder), how.force)
        done = perform(loaded, place, how.command, notes.append, how.draw)
        config, spec = settled(loaded)
        findings = judge(config.expect, spec, done.record)
    except Exception as error:
        text = str(error) if isinstance(error, GradlabError) else f"{type(error).__name__}: {error}"
        return Checked(one.config, str(one.folder), error=text, seconds=time.monotonic() - began)
    return Checked(
        config=one.config,
        folder=str(one.folder),
        findings=findings,
        lines=tuple(_line(loaded, finding.expectation.key) for finding in findings),
        story=(words.headline(done.record), *words.reasons(done.record)),
        computed=done.computed,
        seconds=time.monotonic() - began,
        notes=tuple(notes) if done.computed else (),  # else only that it is there already
    )


def _line(loaded: Loaded, key: tuple[str | int, ...]) -> int:
    """The line of the file; 0 for what the command line says."""
    place = loaded.source.place(key)
    return 0 if place.text.startswith("command line") else place.order[0]
