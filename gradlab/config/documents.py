"""What beginners get: a commented first config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradlab.cells import CELLS
from gradlab.config.dump import in_one_line, settings
from gradlab.config.models import Config
from gradlab.config.problems import guess
from gradlab.errors import GradlabError

MAIN = {"weight_scale": 1.0, "seq_len": 100, "clip": 5.0}
SCHEMA_FILE = "gradlab.schema.json"  # beside the config, as `gradlab schema -o` writes it
HEADER = f"# yaml-language-server: $schema={SCHEMA_FILE}"  # what editors look for
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
        f"# For completion in editors: gradlab schema --out {SCHEMA_FILE}, beside this file.",
        HEADER,
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
