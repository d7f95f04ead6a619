"""The config: YAML in, a checked and immutable Config out.

Reading goes text -> nodes (`compose`) -> plain data with places (`source`) -> `overrides` ->
`models`; what is wrong comes back through `problems`, all at once, each with its line.
"""

from gradlab.config.documents import schema, starter
from gradlab.config.dump import dump
from gradlab.config.loading import Loaded, default_name, from_mapping, load
from gradlab.config.models import Config
from gradlab.config.source import Source

__all__ = [
    "Config",
    "Loaded",
    "Source",
    "default_name",
    "dump",
    "from_mapping",
    "load",
    "schema",
    "starter",
]
