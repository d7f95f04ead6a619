"""Trained weights from files: one format a file, one table of names for all.

Only data formats are read; nothing in a file is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import bounds, npz
from gradlab.weights.checkpoint import unstacked
from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.recognise import Recognised, recognised
from gradlab.weights.sound import sound

# what reads a format is loaded where a file has it


def _safetensors(path: Path) -> dict[str, Array]:
    from gradlab.weights import tensorfile

    return tensorfile.read(path)


def _npz(path: Path) -> dict[str, Array]:
    return unstacked(npz.read(path), path.name)


def _torch(path: Path) -> dict[str, Array]:
    from gradlab.weights import torchfile

    return torchfile.read(path)


def _onnx(path: Path) -> list[RecurrentLayer]:
    from gradlab.weights import onnxfile

    return onnxfile.layers(path)


def _keras(path: Path) -> list[RecurrentLayer]:
    from gradlab.weights import kerasfile

    return kerasfile.layers(path)


# formats that hold arrays by name, and formats that hold layers
FORMATS: dict[str, Callable[[Path], dict[str, Array]]] = {
    ".safetensors": _safetensors,
    ".npz": _npz,
    ".pt": _torch,
    ".pth": _torch,
}
LAYERED: dict[str, Callable[[Path], list[RecurrentLayer]]] = {
    ".onnx": _onnx,
    ".keras": _keras,
    ".h5": _keras,
}


def read(path: Path) -> dict[str, Array]:
    """All arrays of a file by name. Raises GradlabError for a missing, foreign or broken file."""
    reader = FORMATS.get(path.suffix)
    if reader is None:
        if path.is_dir():
            raise GradlabError(f"{str(path)!r} is a directory; give a file with weights")
        known = ", ".join([*FORMATS, *LAYERED])
        raise GradlabError(f"cannot read {path.name!r}: known formats are {known}")
    found = reader(path)
    bounds.once(path.name, found)
    return found


def layers(path: Path) -> list[RecurrentLayer]:
    """The recurrent layers of a file of any format.

    Raises GradlabError for a missing, foreign or broken file, and for a layer that no cell here is.
    """
    reader = LAYERED.get(path.suffix)
    return list(recognised(read(path)).layers) if reader is None else reader(path)


def recurrent(path: Path) -> Recognised:
    """The recurrent layers of a file, those that can be run and why others cannot.

    Raises GradlabError for a missing, foreign or broken file.
    """
    if path.suffix not in LAYERED:
        return recognised(read(path))
    usable, others = [], {}
    found = layers(path)
    for layer in found:
        try:
            usable.append(replace(layer, tensors=sound(layer, path.name)))
        except GradlabError as error:
            others[layer.prefix] = str(error)
    shapes = {f"{one.prefix}: {name}": a.shape for one in found for name, a in one.tensors.items()}
    return Recognised(tuple(usable), others, shapes)


def cell_tensors(
    path: Path, prefix: str, cell: Cell, options: Any
) -> tuple[dict[str, Array], int, int]:
    """The tensors of one cell with sizes H and I, float64, under gradlab's (PyTorch's cell) names.

    prefix is what stands before the names. PyTorch's layer names (`weight_hh_l0`) and cell names
    (`weight_hh`) are both known. Raises GradlabError naming what is missing or misshapen.
    """
    arrays = read(path)
    found = {}
    for name in cell.shapes(1, 1, 2, options):
        for alias in (name, f"{name}_l0"):
            if prefix + alias in arrays:
                found[name] = arrays[prefix + alias]
    return _checked(found, cell, options, path, prefix, sorted(arrays))


def _checked(
    found: dict[str, Array], cell: Cell, options: Any, path: Path, prefix: str, present: list[str]
) -> tuple[dict[str, Array], int, int]:
    needed = [name for name in cell.shapes(1, 1, 0, options) if name not in found]
    if needed:
        there = ", ".join(present[:8]) + (", ..." if len(present) > 8 else "")
        raise GradlabError(
            f"{path.name} has no {prefix}{needed[0]} (nor {prefix}{needed[0]}_l0); "
            f"it has: {there}. Does `prefix` fit?"
        )
    matrices = [name for name in ("weight_hh", "weight_ih") if name in found]
    if any(found[name].ndim != 2 for name in matrices):
        raise GradlabError(
            f"{path.name}: {' and '.join(prefix + name for name in matrices)} must be matrices"
        )
    rows, I = found["weight_ih"].shape
    H = found["weight_hh"].shape[1] if "weight_hh" in found else max(rows // len(cell.PACKED), 1)
    try:
        shapes = cell.shapes(H, I, 2, options)
    except ValueError as error:
        raise GradlabError(f"{path.name}: hidden size {H}, input size {I}: {error}") from error
    for name, shape in shapes.items():
        if name in found and found[name].shape != shape:
            raise GradlabError(
                f"{path.name}: {prefix}{name} has shape {found[name].shape}; "
                f"this cell with hidden size {H} and input size {I} wants {shape}"
            )
    for name, array in found.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise GradlabError(f"{path.name}: {prefix}{name} is {array.dtype}, not floating point")
        if not np.isfinite(array).all():
            raise GradlabError(f"{path.name}: {prefix}{name} holds NaN or infinity")
    return {name: array.astype(np.float64) for name, array in found.items()}, H, I
