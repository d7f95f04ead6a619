"""A sweep as YAML, with every key and every value: it runs again as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradlab.config.axes import Axis
from gradlab.config.dump import is_path, relative, settings, to_yaml
from gradlab.config.fields import absolute
from gradlab.config.shorthand import expand
from gradlab.config.sweep import Sweep
from gradlab.config.sweep_section import SWEEP

MOST_VALUES = 1000  # that are written out; a config may hold 10,000 in all
FROM_FILE = {"seq_len", "batch_size"}  # a file of inputs has them too, where they are not given

# swept, they decide which other keys their section may have
CHOOSING = {"cell.type", "inputs.type", "initial_state.type", "init.file", "init.prefix"}


def dump_sweep(sweep: Sweep, folder: Path | None = None) -> str:
    """The YAML text of a sweep; loading it from `folder` gives the same points, by the same name.

    It has every key but those that are swept, and the values of each axis as a list (as {linear:
    ...} where they are very many). Paths are relative to `folder`, or absolute where it is None.
    Raises GradlabError where the first point is invalid.
    """
    first = sweep.config(0)
    data = settings(first, folder) | {"name": sweep.name}
    tops = {key.partition(".")[0] for key in sweep.keys}
    if first.inputs.type in ("file", "text") or "inputs" in tops:
        data = {k: v for k, v in data.items() if k not in FROM_FILE - first.model_fields_set}
    for top in tops:
        swept = {key.partition(".")[2] for key in sweep.keys if key.partition(".")[0] == top}
        common = _common(sweep, top, data.pop(top, None) or {}, folder)
        kept = {} if "" in swept else {k: v for k, v in common.items() if k not in swept}
        data |= {top: kept} if kept else {}
    axes = {axis.name: _written(axis, sweep.folder, folder) for axis in sweep.axes}
    return to_yaml(data | {SWEEP: axes})


def _common(
    sweep: Sweep, top: str, resolved: Mapping[str, Any], folder: Path | None
) -> Mapping[str, Any]:
    """A section as in the first point, or as it was written where that may not fit the others."""
    if CHOOSING.isdisjoint(key for key in sweep.keys if key.startswith(f"{top}.")):
        return resolved
    common: Mapping[str, Any] = _moved(
        top, expand(top, sweep.base.get(top, {})), sweep.folder, folder
    )
    return common


def _written(axis: Axis, before: str, folder: Path | None) -> Any:
    if axis.form is not None and len(axis.values) > MOST_VALUES:
        return dict(axis.form)
    rows = [
        [_moved(k, v, before, folder) for k, v in zip(axis.keys, values, strict=True)]
        for values in axis.values
    ]
    return [row[0] for row in rows] if len(axis.keys) == 1 else rows


def _moved(key: str, value: Any, before: str, folder: Path | None) -> Any:
    """The value of a dotted key, with paths relative to `folder` instead of `before`."""
    if isinstance(value, Mapping):
        return {k: _moved(f"{key}.{k}", v, before, folder) for k, v in value.items()}
    if value and is_path(tuple(key.split(".")), value):
        path = absolute(value, before)
        return path if folder is None else relative(path, folder)
    return value
