"""gradlab run --weights: the recurrent layers of a file, each one run, without a config."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.errors import GradlabError

if TYPE_CHECKING:
    from gradlab.config import Loaded
    from gradlab.weights.layer import RecurrentLayer
    from gradlab.weights.recognise import Recognised


def configs(
    file: Path, prefix: str | None, overrides: Sequence[str], say: Callable[[str], None]
) -> list[Loaded]:
    """A config for every recurrent layer of a file, or for that of the prefix; sizes and cell from
    the file, the rest by default. Named after the file, and after the prefix where there are
    several.

    say is told of layers that cannot be run. Raises GradlabError where there is none that can.
    """
    from gradlab.config import from_mapping
    from gradlab.job import settled
    from gradlab.trained import chosen
    from gradlab.weights import recurrent

    found = recurrent(file)
    if prefix is None and found.layers:
        layers = found.layers
        for reason in found.others.values():
            say(f"{file.name}: {reason}; passed over")
    else:
        layers = (chosen(found, file.name, prefix),)
    names = _names(file, found, layers, overrides)
    if len(layers) > 1 and any(
        override.partition("=")[0].strip() == "name" for override in overrides
    ):
        raise GradlabError("name= is for one layer; choose it with --prefix")
    path = os.path.abspath(file)
    every = [
        from_mapping({"name": name, "init": {"file": path, "prefix": layer.prefix}}, overrides)
        for name, layer in zip(names, layers, strict=True)
    ]
    for loaded in every:  # what is wrong with any is told before the first is run
        settled(loaded)
    return every


def _names(
    file: Path, found: Recognised, layers: Sequence[RecurrentLayer], overrides: Sequence[str]
) -> list[str]:
    """Names of results folders, each once."""
    from gradlab.config.loading import named_after
    from gradlab.config.source import Source

    several = len(found.layers) + len(found.others) > 1
    names: list[str] = []
    for layer in layers:
        own = layer.prefix.strip(".") if several else ""
        stem = f"{file.stem}-{own}" if own else file.stem
        name, count = named_after(Source(stem, None, {}), overrides), 1
        while name in names:
            count += 1
            name = named_after(Source(f"{stem}-{count}", None, {}), overrides)
        names.append(name)
    return names
