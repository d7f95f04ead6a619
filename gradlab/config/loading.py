"""From a file, or a mapping, to a checked config."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gradlab.config.compose import MAX_DEPTH
from gradlab.config.fields import MAX_NAME, MAX_NAME_BYTES, flaw
from gradlab.config.models import Config
from gradlab.config.overrides import apply
from gradlab.config.problems import problems
from gradlab.config.source import Source, read
from gradlab.errors import GradlabError, Key, Problem, at

DIGEST = 8  # hexadecimal digits


@dataclass(frozen=True)
class Loaded:
    """A config, where it was written, and the overrides that were applied."""

    config: Config
    source: Source
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The config's name, or the default one."""
        return self.config.name or default_name(self)


def load(path: Path | str, overrides: Sequence[str] = ()) -> Loaded:
    """The config in a file ("-" is standard input); relative paths start at the file's folder.

    Raises GradlabError with all that is wrong.
    """
    source = read(path)
    folder = Path.cwd() if source.path is None else source.path.parent
    return _checked(source, overrides, folder)


def from_mapping(
    mapping: Mapping[str, Any], overrides: Sequence[str] = (), folder: Path | str | None = None
) -> Loaded:
    """The config in a Python mapping; relative paths start at `folder`, or the working directory.

    Raises GradlabError with all that is wrong.
    """
    return _checked(in_python(mapping), overrides, Path.cwd() if folder is None else Path(folder))


def in_python(mapping: Mapping[str, Any]) -> Source:
    """The config in a Python mapping, as plain data. Raises GradlabError where it is none."""
    if not isinstance(mapping, Mapping):
        raise GradlabError(f"a config is a mapping or a path, not of type {type(mapping).__name__}")
    return Source("", None, _plain(mapping, ()))


def default_name(loaded: Loaded) -> str:
    """The file's stem and the overrides, as a name that every file system takes.

    What is cut off a long name is stood for by a digest.
    """
    return named_after(loaded.source, loaded.overrides)


def named_after(source: Source, overrides: Sequence[str]) -> str:
    """`default_name` of what was loaded from there."""
    stem = source.path.stem if source.path else source.name or "config"
    kept = [o for o in overrides if o.partition("=")[0].strip() != "name"]
    name = re.sub(r"[^\w.=,+-]|\.(?=\.)", "_", "-".join([stem, *kept])).strip(".").lstrip("-")
    if len(name) > MAX_NAME or len(name.encode()) > MAX_NAME_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST]
        head = name[: MAX_NAME - DIGEST - 1].encode()[: MAX_NAME_BYTES - DIGEST - 1]
        name = f"{head.decode(errors='ignore').rstrip('.')}-{digest}"
    return f"_{name}" if flaw(name) else name


def _checked(source: Source, overrides: Sequence[str], folder: Path) -> Loaded:
    source = apply(source, overrides)
    config = validated(source.data, os.path.realpath(folder))
    if isinstance(config, Config) and not source.problems:
        return Loaded(config, source, tuple(overrides))
    raise refusal(source, () if isinstance(config, Config) else config)


def validated(data: Mapping[str, Any], folder: str) -> Config | tuple[Problem, ...]:
    """The config that the data means, or what is wrong with it; `folder` is absolute."""
    try:
        return Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        return problems(error)


def refusal(source: Source, found: Iterable[Problem]) -> GradlabError:
    """The error with the problems of reading and those found later, each with its place, once."""
    unread = [p.key for p in source.problems if p.key]
    found = [p for p in found if not any(touches(p.key, key) for key in unread)]
    placed = [source.locate(p) for p in (*source.problems, *found)]
    once = {(p.message, p.place): p for p in placed}  # an alias repeats its problems
    return GradlabError(*once.values()).located(source.locate)


def touches(key: Key, other: Key) -> bool:
    """Whether one contains the other: a value that was not read is not also found wrong."""
    length = min(len(key), len(other))
    return key[:length] == other[:length]


def _plain(value: Any, key: Key) -> Any:
    """Plain data from what a Python user may give: tuples, ranges, paths, numpy scalars."""
    if len(key) > MAX_DEPTH:
        raise at(key[:1], f"'{key[0]}' is nested more than {MAX_DEPTH} levels deep")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, (*key, str(name))) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, (*key, i)) for i, item in enumerate(value)]
    if hasattr(value, "tolist"):  # numpy arrays, and numpy's bool
        return _plain(value.tolist(), key)
    kind = type(value).__name__
    raise at(key, f"'{'.'.join(map(str, key))}' is of type {kind}; a config holds plain data only")
