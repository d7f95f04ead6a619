"""One run from a config to a finished results folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab import __version__
from gradlab.comparison import run
from gradlab.config import Config, Loaded, dump
from gradlab.config.sections import Figures
from gradlab.errors import GradlabError
from gradlab.files import put
from gradlab.footprint import check_room, fitting
from gradlab.plan import settle
from gradlab.provenance import provenance, same_minor
from gradlab.record import NewerSchemaError, Record
from gradlab.report import markdown
from gradlab.runner import Progress
from gradlab.spec import Spec
from gradlab.store import Folder, load, staged, write

if TYPE_CHECKING:  # what a training needs is loaded for one
    from gradlab.training.kept import InFolder

Say = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """A finished run: its record, its folder and the figures in it."""

    record: Record
    folder: Folder
    figures: tuple[Path, ...]
    computed: bool  # False: the result was there already


@dataclass(frozen=True)
class Place:
    """Where a result goes, and what may be replaced there."""

    folder: Folder
    force: bool = False


def settled(loaded: Loaded) -> tuple[Config, Spec]:
    """The config with every size filled in, and what is to be computed.

    Raises GradlabError with the places in the config.
    """
    try:
        return settle(loaded.config)
    except GradlabError as error:
        raise error.located(loaded.source.locate) from error


def perform(
    loaded: Loaded,
    place: Place,
    command: Sequence[str],
    say: Say,
    draw: bool = True,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Done:
    """Compute, unless the finished result is there, and leave a whole folder.

    say is told what a user should know, a line at a time. jobs: threads at most. Raises
    GradlabError, with the places in the config where it is about the config; and where it would not
    fit in memory, before it begins.
    """
    started = datetime.now(UTC)
    config, spec = settled(loaded)
    there = _there(place, spec, say)
    if there is not None:
        place.folder.summary.touch()
        from gradlab.report import figures

        found = sorted(p for name in figures.FIGURES for p in place.folder.path.glob(f"{name}.*"))
        return Done(there, place.folder, tuple(found), computed=False)
    check_room([spec], draw=draw and bool(config.figures.formats))
    replaced = place.folder.is_result()
    # left in this order: a training is only forgotten when its result lies in its place
    with _kept(place, spec, say) as keeper, staged(place.folder) as staging:
        record, checkpoint = _computed(spec, keeper, say, progress, jobs)
        origin = provenance(command, started, loaded.source.path, place.folder.path)
        named = config.model_copy(update={"name": loaded.name})
        write(staging, record, dump(named, Path(os.path.realpath(place.folder.path))), origin)
        if checkpoint is not None:
            put(staging.checkpoint, checkpoint)
        drawn = _draw(staging, record, config.figures) if draw and config.figures.formats else []
        report = markdown.report(record, loaded.name, drawn)
        staging.report.write_text(report, encoding="utf-8")
    if replaced:
        say(f"the earlier result is kept in {place.folder.previous}")
    final = tuple(place.folder.path / path.name for path, _ in drawn)
    return Done(record, place.folder, final, computed=True)


def _kept(place: Place, spec: Spec, say: Say) -> AbstractContextManager[InFolder | None]:
    """Where a training is kept until its result is there; nothing for a run."""
    if spec.train is None:
        return nullcontext()
    from gradlab.training.kept import held

    return held(place.folder.path, spec, place.force, say)


def _computed(
    spec: Spec, keeper: InFolder | None, say: Say, progress: Progress | None, jobs: int
) -> tuple[Record, bytes | None]:
    """The record, and of a training its checkpoint."""
    if keeper is None:
        return run(spec, progress, fitting(spec, jobs)), None
    from gradlab.training.course import train
    from gradlab.training.kept import packed

    began = keeper.found()
    if began is not None:
        say(f"goes on after update {began.update}; --force starts over")
    done = train(spec, keeper, progress)
    return done.record, packed(done.state.arrays(), spec, {"seeds": list(spec.seeds)})


def _there(place: Place, spec: Spec, say: Say) -> Record | None:
    """The finished result of this very experiment, if it is in the folder and may be used."""
    folder = place.folder
    if place.force or not folder.is_result():
        return None
    try:
        record = load(folder.path)
    except NewerSchemaError:
        raise
    except GradlabError as error:
        say(f"{error}; computing again")
        return None
    if record.identity != spec.identity:
        return None
    if not same_minor(record.version, __version__):
        say(
            f"{folder.path} was computed by gradlab {record.version}, "
            f"this is {__version__}: computing again"
        )
        return None
    say(f"{folder.path} is there already, from the same config; --force runs it again")
    return record


def _draw(folder: Folder, record: Record, wanted: Figures) -> list[tuple[Path, str]]:
    """The files of the figures, each with a line for those who do not see it."""
    from gradlab.report import figures

    drawn = figures.save(record, folder.path, wanted.formats, wanted.dpi)
    return figures.titled(drawn)
