"""A config as YAML, with every key: it runs again as it is."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml

from gradlab.config.expect import write
from gradlab.config.kinds import RECOGNISED, is_file
from gradlab.config.models import Config
from gradlab.config.scalars import CORE
from gradlab.config.sections import OF_FILE


class _Dumper(yaml.SafeDumper):
    """Quotes text that either YAML 1.1 or our 1.2 rules would read as something else."""


for _tag, _pattern in CORE.items():
    _Dumper.add_implicit_resolver(_tag, _pattern, None)

PATHS = (
    ("init", "file"),
    ("inputs", "path"),
    ("inputs", "vocabulary"),
    ("inputs", "embedding", "file"),
    ("initial_state", "path"),
    ("train", "task", "path"),
    ("train", "task", "vocabulary"),
)
CELL = (("cell",), ("cell", "type"))  # paths too where they name a file


def dump(config: Config, folder: Path | None = None) -> str:
    """The YAML text of a config; loading it from `folder` gives the config again.

    Paths are written relative to `folder`, or as they are where it is None.
    """
    return to_yaml(settings(config, folder))


def in_one_line(key: str, value: Any) -> str:
    """`key: value` with the value in flow style."""
    return to_yaml({key: value}, True).strip()[1:-1]


def settings(config: Config, folder: Path | None = None) -> dict[str, Any]:
    """A config as plain data, every key in its order; paths as in `dump`.

    Weights come from a file or are drawn, a gradient is given or comes from an output layer: `init`
    and `loss` have the keys of the one that holds; with `train` there are neither `inputs` nor
    `loss`.
    """
    apart = {"expect"} | ({"cell"} if config.cell is RECOGNISED else set())
    data = config.model_dump(mode="json", exclude=apart) | {"expect": write(config.expect)}
    from_file = config.init.file is not None
    data["init"] = {
        key: value for key, value in data["init"].items() if (key in OF_FILE) == from_file
    }
    others = {"targets", "outputs"} if config.loss.type == "upstream" else {"value"}
    data["loss"] = {key: value for key, value in data["loss"].items() if key not in others}
    if config.train is not None:  # the task says what they are
        del data["inputs"], data["loss"]
    for path in (*PATHS, CELL[-1]):
        section = holder(data, path)
        if folder is not None and is_path(path, section.get(path[-1])):
            section[path[-1]] = relative(section[path[-1]], folder)
    return data


def holder(data: dict[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
    """The mapping in a config's data that a key is, or would be, in; {} where there is none."""
    found = data
    for part in key[:-1]:
        found = found.get(part) or {}
    return found


def is_path(key: tuple[str, ...], value: object) -> bool:
    """Whether the value of a key, short forms included, is the path of a file."""
    return isinstance(value, str) and (key in PATHS or (key in CELL and is_file(value)))


def to_yaml(data: dict[str, Any], flow: bool | None = None) -> str:
    """Flow style where `flow` is True; where it is None, only for innermost lists and mappings."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=flow,
        allow_unicode=True,
        width=math.inf,
    )
    return text


def relative(path: str, folder: Path) -> str:
    """The absolute path as it would be written in a config in `folder`."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # another drive, on Windows
        return path
    return os.path.join(".", relative) if relative.startswith("~") else relative  # no home folder
