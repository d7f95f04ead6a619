"""The config: YAML in, a checked and immutable Config out.

Reading goes text -> nodes (`compose`) -> plain data with places (`source`) -> `overrides` ->
`models`; what is wrong comes back through `problems`, all at once, each with its line. The points
of a `sweep` differ along `axes`, written as in `axis_syntax`; `spread` has their numbers, `swept`
the keys that may be swept.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradlab.config.dump import PATHS, dump, holder, settings
from gradlab.config.expectation import Expectation
from gradlab.config.kinds import RECOGNISED, named
from gradlab.config.loading import Loaded, default_name, from_mapping, load, validated
from gradlab.config.models import Config
from gradlab.config.source import Source

if TYPE_CHECKING:
    from gradlab.config.axes import Axis
    from gradlab.config.documents import HEADER, SCHEMA_FILE, starter
    from gradlab.config.json_schema import schema
    from gradlab.config.sweep import MAX_POINTS, Sweep, load_sweep, sweep_from_mapping
    from gradlab.config.sweep_dump import dump_sweep

__all__ = [
    "HEADER",
    "MAX_POINTS",
    "PATHS",
    "RECOGNISED",
    "SCHEMA_FILE",
    "Axis",
    "Config",
    "Expectation",
    "Loaded",
    "Source",
    "Sweep",
    "default_name",
    "dump",
    "dump_sweep",
    "from_mapping",
    "holder",
    "load",
    "load_sweep",
    "named",
    "schema",
    "settings",
    "starter",
    "sweep_from_mapping",
    "validated",
]

_LATER = {  # what a run does not need, and the module that it is loaded from
    "HEADER": "documents",
    "MAX_POINTS": "sweep",
    "SCHEMA_FILE": "documents",
    "Axis": "axes",
    "Sweep": "sweep",
    "dump_sweep": "sweep_dump",
    "load_sweep": "sweep",
    "schema": "json_schema",
    "starter": "documents",
    "sweep_from_mapping": "sweep",
}


def __getattr__(name: str) -> Any:
    """Load what is used when it is used."""
    if name in _LATER:
        return getattr(import_module(f"gradlab.config.{_LATER[name]}"), name)
    raise AttributeError(f"module 'gradlab.config' has no attribute {name!r}")
