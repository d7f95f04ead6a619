"""What editors and beginners get: the JSON Schema, and a commented first config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradlab.cells import CELLS
from gradlab.config import axis_syntax
from gradlab.config.dump import in_one_line, settings
from gradlab.config.models import Config
from gradlab.config.problems import guess
from gradlab.config.sweep_section import SWEEP
from gradlab.errors import GradlabError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAIN = {"weight_scale": 1.0, "seq_len": 100, "clip": 5.0}
EXAMPLES = {  # what is absent by default, and short forms of what is long
    "name": "my_experiment",
    "hidden_size": 64,
    "input_size": 64,
    "init": "normal",
    "inputs": "normal",
    "initial_state": "zeros",
    "loss": {"at": "last"},
    "spectrum": {"values": 8, "sequences": 1},
    "figures": {"formats": ["png"]},
    "expect": {"verdict": "vanishing"},
}


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a config, short forms and the sweep section included."""
    config = Config.model_json_schema(mode="validation")
    properties = {**config["properties"], SWEEP: axis_syntax.schema()}
    own = {"$schema": DIALECT, **config, "properties": properties, "title": "gradlab config"}
    from_file = {"properties": {"init": {"type": "object", "required": ["file"]}}}
    del own["required"]  # the cell alone, which a weights file has too
    return own | {"anyOf": [{"required": ["cell"]}, {"required": ["init"], **from_file}]}


def starter(cell: str) -> str:
    """A commented config for one cell; it runs as it is.

    Raises GradlabError for an unknown cell.
    """
    if cell not in CELLS:
        known = ", ".join(CELLS)
        raise GradlabError(f"unknown cell '{cell}'{guess(cell, CELLS)}; known: {known}")
    defaults = settings(Config.model_validate({"cell": cell})) | EXAMPLES
    main = {"cell": cell, **MAIN}
    lines = [
        f"# How far back does a gradient travel through the cell '{cell}'? Is it clipped?",
        "",
        *(_line("", key, value) for key, value in main.items()),
        "",
        "# The other keys, with their defaults.",
        *(_line("# ", key, value) for key, value in defaults.items() if _is_new(key, value, main)),
    ]
    return "\n".join(lines) + "\n"


def _is_new(key: str, value: Any, main: Mapping[str, Any]) -> bool:
    return key not in main or (key == "cell" and len(value) > 1)  # a cell with options shows them


def _line(mark: str, key: str, value: Any) -> str:
    return f"{mark + in_one_line(key, value):<40}  # {Config.model_fields[key].description}"
