"""Nested mappings by the path of each value: what a key like init.forget_bias names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(data: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """The values that are no mappings, each with its path (a tuple of keys), in order."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def dotted(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same by dotted keys."""
    return {".".join(path): value for path, value in leaves(data)}
