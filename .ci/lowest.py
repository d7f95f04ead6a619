"""Prints the lowest versions that pyproject.toml allows, as constraints for pip.

For what gradlab needs, and for the extras that are tested so; others are taken as they are.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("terminal", "keras", "parquet", "netcdf")


def lowest(requirement: str) -> str:
    """numpy==2.0 for numpy>=2.0. Raises ValueError where there is no lower bound."""
    found = re.fullmatch(r"([\w.-]+)\s*>=\s*([\w.]+)(?:\s*,.*)?", requirement)
    if found is None:
        raise ValueError(f"{requirement!r} in pyproject.toml has no lower bound (>=)")
    return f"{found[1]}=={found[2]}"


def constraints() -> list[str]:
    """One line for each requirement of gradlab and of EXTRAS, each once."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *(r for name in EXTRAS for r in extras[name])]
    return sorted({lowest(requirement) for requirement in every})


if __name__ == "__main__":
    print("\n".join(constraints()))
