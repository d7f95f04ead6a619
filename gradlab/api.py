"""The Python calls: `gradlab.run`, `gradlab.load`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradlab import store
from gradlab.config import Loaded, from_mapping
from gradlab.config import load as load_config
from gradlab.errors import GradlabError
from gradlab.job import Place, perform
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.report.notebook import Shown
from gradlab.runner import run as compute


def run(
    config: Mapping[str, Any] | str | Path,
    *overrides: str,
    out: str | Path | None = None,
    force: bool = False,
) -> Record:
    """The record of one experiment.

    config: the path of a config file, or a mapping with the same keys. overrides: "key=value" as on
    the command line. out: a folder to leave the results in; nothing is written without it. force:
    compute although the result is there. Raises GradlabError with all that is wrong with the
    config.
    """
    loaded = _load(config, overrides)
    if out is not None:
        place = Place(store.Folder(Path(out)), force)
        return Shown.of(perform(loaded, place, sys.argv, lambda line: None).record)
    try:
        _, spec = settle(loaded.config)
    except GradlabError as error:
        raise error.located(loaded.source.locate) from error
    return Shown.of(compute(spec))


def load(folder: str | Path) -> Record:
    """The record that a run has left in a folder. Raises GradlabError where there is none."""
    return Shown.of(store.load(Path(folder)))


def _load(config: Mapping[str, Any] | str | Path, overrides: tuple[str, ...]) -> Loaded:
    if isinstance(config, Mapping):
        return from_mapping(config, overrides)
    return load_config(config, overrides)
