"""The text of a config as plain data, and where each key of it was written."""

from __future__ import annotations

import codecs
import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gradlab.config.compose import compose
from gradlab.config.scalars import CORE, PREFIX, value_of
from gradlab.errors import GradlabError, Key, Problem

MAX_BYTES = 2**20


class Place(NamedTuple):
    """Where something was written, and how that sorts."""

    text: str  # "run.yaml:7:3"
    order: tuple[int, int]


@dataclass(frozen=True)
class Source:
    """A config as it was written.

    problems are those that did not keep the rest from being read (repeated keys, tags); whoever
    uses `data` must raise them together with what else is wrong.
    """

    name: str  # the file as the user gave it; "" for a mapping from Python
    path: Path | None
    data: dict[str, Any]
    places: Mapping[Key, Place] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def place(self, key: Key) -> Place:
        """The place of `key`, else of the nearest key around it, else the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return Place(self.name, (0, 0))

    def locate(self, problem: Problem) -> Problem:
        """The same problem with its place and order filled in."""
        if problem.place:
            return problem
        place = self.place(problem.key)
        return replace(problem, place=place.text, order=place.order)


def read(path: Path | str) -> Source:
    """The config in a file, or on standard input for "-".

    Raises GradlabError where it cannot be read or is no YAML mapping.
    """
    if str(path) == "-":
        if sys.stdin is None:
            raise GradlabError(Problem("standard input is closed", place="-"))
        return parse(_decode(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin"), "stdin")
    name = printable(str(path))
    return replace(parse(_decode(_bytes(Path(path), name), name), name), path=Path(path))


def parse(text: str, name: str) -> Source:
    """The config in a text. Raises GradlabError where it is no YAML mapping."""
    root = compose(text.removeprefix("\ufeff"), name)
    if root is None:
        raise GradlabError(Problem("the config is empty; it needs at least `cell:`", place=name))
    builder = _Builder(name)
    data = builder.build(root, ())
    if not isinstance(data, dict):
        kind = "list" if isinstance(data, list) else "single value"
        message = f"a config holds lines `key: value`, not a {kind}"
        raise GradlabError(Problem(message, place=f"{name}:{root.start_mark.line + 1}:1"))
    return Source(name, None, data, builder.places, tuple(builder.problems))


def value(text: str, name: str) -> Any:
    """One value, in block or flow style. Raises GradlabError where it is no plain data."""
    root = compose(text, name)
    builder = _Builder(name)
    data = None if root is None else builder.build(root, ())
    if builder.problems:
        raise GradlabError(*builder.problems)
    return data


class _Builder:
    """Nodes to plain data; collects places and problems on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Key, Place] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == PREFIX + "map":
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode) and node.tag == PREFIX + "seq":
            for i, item in enumerate(node.value):
                self.places.setdefault((*key, i), self._place(item))
            return [self.build(item, (*key, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and (node.tag in CORE or node.tag == PREFIX + "str"):
            try:
                return value_of(node.tag, node.value)
            except ValueError as fault:
                return self._refuse(str(fault), key, node)
        tag = node.tag.replace(PREFIX, "!!")[:60]
        return self._refuse(f"the tag '{tag}' is not allowed; a config is plain data", key, node)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != PREFIX + "str":
                shown = (name[:40] or "nothing") if isinstance(name, str) else "a list or mapping"
                self._refuse(f"a key must be a name, not {shown}", (), name_node)
            elif name in data:
                first = self.places[(*key, name)].order[0]
                message = f"'{name}' is given twice, first in line {first}; remove one"
                self._refuse(message, (*key, name), name_node)
            else:
                self.places[(*key, name)] = self._place(name_node)
                data[name] = self.build(value_node, (*key, name))
        return data

    def _place(self, node: yaml.Node) -> Place:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        return Place(f"{self.name}:{line}:{column}", (line, column))

    def _refuse(self, message: str, key: Key, node: yaml.Node) -> None:
        place = self._place(node)
        self.problems.append(Problem(message, key, place.text, place.order))


def printable(text: str) -> str:
    """The text for a message: quoted and escaped where it would not print as one line."""
    return text if text.isprintable() else repr(text)


def _bytes(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        message = f"there is no such file{_nearest(path)}"
    except IsADirectoryError:
        message = "this is a folder; name a YAML file in it"
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        message = f"cannot be read: {reason}"
    raise GradlabError(Problem(message, place=name))


def _nearest(path: Path) -> str:
    try:
        there = [p.name for p in path.parent.iterdir() if p.suffix in {".yaml", ".yml"}]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, sorted(there), n=1)
    return f" (did you mean '{path.with_name(near[0])}'?)" if near else ""


def _decode(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise GradlabError(Problem("larger than 1 MiB; a config has a few lines", place=name))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        column = fault.start - raw.rfind(b"\n", 0, fault.start)
        message = f"byte 0x{raw[fault.start]:02x} (number {fault.start}) is not UTF-8; "
        utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        wanted = "save as UTF-8" if fault.start else "a config is YAML, a text in UTF-8"
        message += "the file looks like UTF-16: save it as UTF-8" if utf16 else wanted
        raise GradlabError(
            Problem(message, (), f"{name}:{line}:{column}", (line, column))
        ) from None
