"""The kernels of recurrent layers in an HDF5 file, whichever of Keras's layouts it has.

Sizes are held against the file's before anything is read; datasets whose numbers are in other files
are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds, raw

DATASET = re.compile(
    r"(?:(?P<owner>.*)/)?(?:vars/(?P<number>[012])|(?P<name>kernel|recurrent_kernel|bias)(?::0)?)"
)
OF_LAYER = re.compile(
    r"(?P<place>.*)/(?:(?P<direction>forward|backward)_(?:layer|[^/]+/[^/]*cell[^/]*)"
    r"|(?:cell/cells|stacked_rnn_cells(?:_[0-9]+)?)/[^/]+)"
)
NAMES = ("kernel", "recurrent_kernel", "bias")


@dataclass(frozen=True)
class Kernels:
    """What one recurrent layer, direction or cell has."""

    path: str  # of its group, without `/cell`
    place: str  # the group of the whole layer, which may have two directions or several cells
    direction: str  # "", "forward", "backward"
    name: str  # the layer's, where the file has it; else ""
    kernel: Array  # (I, G)
    recurrent: Array  # (H, G)
    bias: Array | None  # (G,) or (2, G)


def kernels(h5py: Any, file: Any, name: str, size: int) -> list[Kernels]:
    """All kernels of a file of `size` bytes. Raises GradlabError where it claims too much."""
    owners: dict[str, dict[str, Any]] = {}

    def visit(path: str, item: Any) -> None:
        match = DATASET.fullmatch(path) if isinstance(item, h5py.Dataset) else None
        if match:
            key = match["name"] or NAMES[int(match["number"])]
            owners.setdefault(match["owner"] or "", {})[key] = item

    file.visititems(visit)  # hard links alone, and every object once
    bounds.once(name, owners)
    chosen = {owner: found for owner, found in owners.items() if _recurrent(owner, found)}
    bounded = [item for found in chosen.values() for item in found.values()]
    bounds.bounded(sum(_claimed(item, name) for item in bounded), size, name)
    found = sorted(chosen.items(), key=lambda pair: _order(pair[0]))
    return [_kernels(file, owner, own, name) for owner, own in found]


def _kernels(file: Any, owner: str, own: dict[str, Any], name: str) -> Kernels:
    path = owner.removesuffix("/cell")
    match = OF_LAYER.fullmatch(path)
    place, direction = (match["place"], match["direction"] or "") if match else (path, "")
    return Kernels(
        path=path,
        place=place,
        direction=direction,
        name=_name(file, place),
        kernel=_array(own["kernel"], name),
        recurrent=_array(own["recurrent_kernel"], name),
        bias=_array(own["bias"], name) if "bias" in own else None,
    )


def _recurrent(owner: str, found: dict[str, Any]) -> bool:
    """Whether these are a recurrent layer's: two kernels as wide as 1, 3 or 4 blocks of H."""
    if not ("kernel" in found and "recurrent_kernel" in found):
        return False
    first, second = found["kernel"].shape, found["recurrent_kernel"].shape
    if not (len(first) == len(second) == 2 and first[1] == second[1] and min(*first, *second) > 0):
        return False
    named = "recurrent_kernel" in found["recurrent_kernel"].name or "cell" in owner
    return named and second[1] in (second[0], 3 * second[0], 4 * second[0])


def _claimed(item: Any, name: str) -> int:
    """Bytes that reading takes: the array, and one chunk where it is stored in chunks."""
    if item.is_virtual or item.external:
        raise GradlabError(
            f"{name}: {item.name} has its numbers in another file, which is not read; "
            "save all weights in one file"
        )
    return int(item.dtype.itemsize) * (math.prod(item.shape) + math.prod(item.chunks or (0,)))


def _array(item: Any, name: str) -> Array:
    if item.dtype.kind == "V" and item.attrs.get("dtype") == raw.BFLOAT16:
        bits = item[()].view("<u2")
        return raw.from_bfloat16(bits)
    if item.dtype.kind != "f":
        raise GradlabError(
            f"{name}: {item.name} is {item.dtype}, not floating point; save the model as float32"
        )
    found: Array = item[()]
    return raw.widened(found)


def _name(file: Any, path: str) -> str:
    """The layer's name, which newer versions write beside its weights."""
    group = file.get(f"{path}/vars") if path else None
    name = group.attrs.get("name", "") if group is not None else ""
    return name if isinstance(name, str) and name.isprintable() else ""


def _order(path: str) -> list[tuple[str, int]]:
    """lstm_2 before lstm_10."""
    found = []
    for part in path.split("/"):
        stem, _, number = part.rpartition("_")
        counted = bool(stem) and number.isdecimal()
        found.append((stem, int(number)) if counted else (part, 0))
    return found
