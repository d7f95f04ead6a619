"""safetensors: a JSON header with sizes and offsets, then raw little-endian numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds, raw

KINDS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": raw.BFLOAT16,
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def read(path: Path) -> dict[str, Array]:
    """All tensors of a .safetensors file, 16-bit floats as float32.

    Raises GradlabError for a broken one, for a name that comes twice, for a type that numpy does
    not have.
    """
    from safetensors import SafetensorError, deserialize

    unpacked: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = deserialize  # without types
    bounds.file_size(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise bounds.unreadable(path, error) from error
    try:
        found = unpacked(data)  # holds every size and offset against the bytes that there are
        bounds.once(path.name, _names(data))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise GradlabError(
            f"{path.name} is not a readable safetensors file: {error}; save it again"
        ) from error
    return {name: _tensor(name, entry, path.name) for name, entry in found}


def _tensor(name: str, entry: dict[str, Any], file: str) -> Array:
    kind = KINDS.get(entry["dtype"])
    if kind is None:
        raise GradlabError(
            f"{file}: {name} is of type {entry['dtype']}; known are {', '.join(KINDS)}"
        )
    return raw.array(entry["data"], kind, entry["shape"], f"{file}: {name}")


def _names(data: bytes) -> list[str]:
    """The names in the header, with those that come twice: a JSON reader keeps the last."""
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    pairs: list[tuple[str, object]] = json.loads(header, object_pairs_hook=list)
    return [name for name, _ in pairs]
