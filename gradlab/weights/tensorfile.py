"""safetensors: a JSON header with sizes and offsets, then raw little-endian numbers."""

from __future__ import annotations

from pathlib import Path

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array


def read(path: Path) -> dict[str, Array]:
    """All tensors of a .safetensors file. Raises GradlabError for a broken one."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise GradlabError(f"{path.name} is not a readable safetensors file: {error}") from error
