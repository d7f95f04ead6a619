"""Overrides on the command line: `weight_scale=0.5`, `cell.activation=relu`, `loss.at=[5, 10]`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gradlab.config.shorthand import expand
from gradlab.config.source import Place, Source, printable, value
from gradlab.config.train_kinds import INNER_KINDS
from gradlab.errors import GradlabError, Key, Problem

LAST = 2**31  # sorts after every line of a file


def apply(source: Source, overrides: Sequence[str], first: int = 0) -> Source:
    """The source with each `key=value` set, from left to right; `first` is the number of the first.

    An override that cannot be read or set becomes one of the problems of the result.
    """
    data, places, problems = copy.deepcopy(source.data), dict(source.places), list(source.problems)
    for i, override in enumerate(overrides, first):
        place = place_of(override, i)
        try:
            key, new = split(override)
            put(data, key, new)
        except GradlabError as fault:
            text, order = place
            problems += [Problem(p.message, p.key, text, order) for p in fault.problems]
            continue
        places = {k: v for k, v in places.items() if k[: len(key)] != key}
        for length in range(1, len(key)):
            places.setdefault(key[:length], place)
        places[key] = place
    return replace(source, data=data, places=places, problems=tuple(problems))


def place_of(override: str, index: int) -> Place:
    """The place that a problem with the override is reported at."""
    return Place(f"command line, {printable(override)}", (LAST, index))


def split(override: str) -> tuple[Key, Any]:
    """The key and the value of `key=value`; the value is YAML. Raises GradlabError."""
    name, equals, text = override.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    if not equals:
        raise GradlabError("an override is key=value, for example seq_len=50; there is no '='")
    if not all(key):
        raise GradlabError("an override is key=value, for example loss.at=all; the key is empty")
    return key, value(text, "value")


def put(data: dict[str, Any], key: Key, new: Any) -> None:
    """Sets a value in nested mappings, writing out short forms on the way.

    What `data` holds is copied where it changes, never changed itself.
    """
    if len(key) == 1:
        data[str(key[0])] = new
        return
    top = str(key[0])
    section = copy.deepcopy(expand(top, data.get(top)))
    data[top] = {} if section is None else section
    inner: Any = data
    for part in key[:-1]:
        if part in INNER_KINDS:
            inner[part] = expand(str(part), inner.get(part, {}))
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise GradlabError(f"'{part}' is not a section, so it has no key '{key[-1]}'")
    inner[key[-1]] = new
