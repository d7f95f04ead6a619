"""PyTorch checkpoints, `.pt` and `.pth`, through PyTorch's loader for tensors alone.

A checkpoint is a pickle, and a pickle can run code. `torch.load(weights_only=True)` builds tensors
and plain containers and refuses everything else; nothing else is ever called here. Before 2.6 that
loader could be made to run code (CVE-2025-32434), so older ones are refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds

OLDEST = (2, 6)
HOLDERS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
DEEPEST = 16  # mappings in one another: a pickle's may hold themselves
MOST = 100_000  # names: mappings that share their parts unfold without end

SAVE_IT = "save it as tensors: torch.save(model.state_dict(), ...)"


def read(path: Path) -> dict[str, Array]:
    """All tensors of a state dict, or of the one that a checkpoint holds, by name.

    A state dict is looked for under the usual keys (`model_state_dict`, ...); else all nested
    mappings are one, their keys joined by dots. What is no tensor is left out; float16 and bfloat16
    become float32. Raises GradlabError where PyTorch is missing or too old, for objects other than
    tensors, for a broken file.
    """
    size = bounds.file_size(path)
    torch = _torch(path)
    _looked_at(path, size)
    listed = list(_tensors(torch, _state_dict(torch, _loaded(torch, path), path), path))
    bounds.once(path.name, (name for name, _ in listed))  # keys 0 and "0" are one name
    found = dict(listed)
    if not found:
        raise GradlabError(f"{path.name} holds no tensors with names; {SAVE_IT}")
    # views may repeat their memory: a tensor of 10^12 numbers can stand on one
    bounds.bounded(sum(t.numel() * t.element_size() for t in found.values()), size, path.name)
    return {name: _array(torch, tensor, f"{path.name}: {name}") for name, tensor in found.items()}


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise GradlabError(
            f"{path.name} needs PyTorch to read: pip install 'gradlab-rnn[torch]', or, where "
            "PyTorch is, make it a safetensors file: from safetensors.torch import save_file; "
            "save_file(model.state_dict(), 'model.safetensors')"
        ) from error
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < OLDEST:
        raise GradlabError(
            f"{path.name}: PyTorch {torch.__version__} can be made to run code that a file holds; "
            "2.6 or later is needed: pip install -U torch"
        )
    return torch


def _looked_at(path: Path, size: int) -> None:
    """A zip file is bounded, and is no program; the older form is one pickle after the other."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in bounds.members(archive, size, path.name)]
    except PermissionError as error:
        raise bounds.unreadable(path, error) from error
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise GradlabError(f"{path.name} is a damaged zip file: {error}; save it again") from error
    if any(name.endswith("constants.pkl") for name in names):
        raise GradlabError(f"{path.name} is a TorchScript program, not only tensors; {SAVE_IT}")


def _loaded(torch: Any, path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise bounds.unreadable(path, error) from error
    except pickle.UnpicklingError as error:
        foreign = any(word in str(error) for word in ("GLOBAL", "blocked", "Trying to", "class"))
        told = "holds Python objects, not only tensors" if foreign else "is no PyTorch checkpoint"
        raise GradlabError(f"{path.name} {told}; {SAVE_IT}") from error
    except Exception as error:  # torch lets through what a broken pickle stumbles on: any of them
        raise GradlabError(
            f"{path.name} is not a readable PyTorch file ({type(error).__name__}); {SAVE_IT}"
        ) from error


def _state_dict(torch: Any, held: Any, path: Path) -> Mapping[Any, Any]:
    """The mapping from names to tensors within what was saved."""
    for _ in range(DEEPEST):
        if not isinstance(held, Mapping):
            raise GradlabError(
                f"{path.name} holds a {type(held).__name__}, not tensors by name; {SAVE_IT}"
            )
        if any(isinstance(value, torch.Tensor) for value in held.values()):
            return held
        inner = [held[key] for key in HOLDERS if isinstance(held.get(key), Mapping)]
        if not inner:
            return held
        held = inner[0]
    raise GradlabError(f"{path.name} nests mappings more than {DEEPEST} deep; {SAVE_IT}")


def _tensors(torch: Any, held: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Tensors by dotted name, from all mappings."""
    pending: deque[tuple[str, Mapping[Any, Any], int]] = deque([("", held, 0)])
    seen = 0
    while pending:
        prefix, mapping, level = pending.popleft()
        for key, value in mapping.items():
            seen += 1
            if seen > MOST or level > DEEPEST:
                raise GradlabError(
                    f"{path.name} holds more than {MOST} entries, or mappings more than {DEEPEST} "
                    f"deep; {SAVE_IT}"
                )
            if isinstance(value, Mapping):
                pending.append((f"{prefix}{key}.", value, level + 1))
            elif isinstance(value, torch.Tensor) and value.layout == torch.strided:
                yield f"{prefix}{key}", value


def _array(torch: Any, tensor: Any, what: str) -> Array:
    own = tensor.detach()
    if own.dtype in (torch.float16, torch.bfloat16):
        own = own.to(torch.float32)
    try:
        array: Array = own.numpy()
    except (TypeError, RuntimeError) as error:  # quantized, meta, eight-bit floats
        raise GradlabError(
            f"{what} is {own.dtype}, which numpy does not have; save it as float32"
        ) from error
    return array
