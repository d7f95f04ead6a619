"""What determines the numbers of an experiment, as plain data and as a digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gradlab.cells import FILE
from gradlab.config import Config


def describe(config: Config) -> tuple[dict[str, Any], str]:
    """What determines the numbers of a settled config, as plain data, and its SHA-256.

    Left out: the name, the figures, and `checkpoint`, which does not change a bit. Files are told
    by their names and the digests of their contents, not by where they lie.
    """
    data = config.model_dump(mode="json", exclude={"name", "figures", "checkpoint"})
    data["seeds"] = list(config.members)
    for section, key in _FILE_KEYS:
        path = data[section].get(key)
        if path is not None and (section != "cell" or path.endswith(FILE)):
            data[section][key] = Path(path).name
            data[section]["sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    anonymous = {
        section: {
            k: v
            for k, v in value.items()
            if "sha256" not in value or (section, k) not in _FILE_KEYS
        }
        if isinstance(value, dict)
        else value
        for section, value in data.items()
    }
    text = json.dumps(anonymous, sort_keys=True)
    return data, hashlib.sha256(text.encode()).hexdigest()


_FILE_KEYS = (
    ("cell", "type"),  # of a user's own cell
    ("init", "file"),
    ("inputs", "path"),
    ("initial_state", "path"),
)
