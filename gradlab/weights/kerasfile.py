"""Keras 3, `.keras` and `.weights.h5`, and the HDF5 files of Keras 2, `.h5`.

A `.keras` file is a zip of config.json and model.weights.h5. A layer's weights are kernel (I, G),
recurrent_kernel (H, G) and bias (G) or, for a GRU with reset_after, (2, G): input, then recurrent.
They are `layers/lstm/cell/vars/0`, `1`, `2` in Keras 3, named datasets in Keras 2. No layer is ever
built from the config: it only tells the kinds. Links out of a file are not followed.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.errors import GradlabError
from gradlab.weights import bounds, kerasconfig
from gradlab.weights.kerasarrays import Kernels, kernels
from gradlab.weights.kerasconfig import Setting
from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.packing import packed

INSIDE = ("config.json", "model.weights.h5")  # of a .keras file
SUPPOSED = "the file does not tell activations and directions; Keras's own are supposed"
RESET = "nor reset_after; true is supposed"
BY_BLOCKS = {1: "rnn", 3: "gru", 4: "lstm"}  # G / H


@dataclass(frozen=True)
class Part:
    """One direction of a layer, or one cell of a stack."""

    place: str  # the group of the layer
    direction: str  # "", "forward", "backward"
    layer: RecurrentLayer


def layers(path: Path) -> list[RecurrentLayer]:
    """The recurrent layers of a Keras file, both directions and stacked cells as one.

    Raises GradlabError where the extra is missing, for a broken file, for one without such layers,
    and for a layer that no cell here is: hard_sigmoid gates, other activations.
    """
    size = bounds.file_size(path)
    h5py = _h5py(path)
    inside, source = (None, path) if path.suffix != ".keras" else _unzipped(path, size)
    try:
        with h5py.File(source, "r") as file:
            config = inside if inside is not None else file.attrs.get("model_config", b"{}")
            found = kernels(h5py, file, path.name, size)
    except GradlabError:
        raise
    except PermissionError as error:
        raise bounds.unreadable(path, error) from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise GradlabError(
            f"{path.name} is not a readable HDF5 file ({type(error).__name__}); save it again"
        ) from error
    settings = kerasconfig.settings(_json(config, path), path.name)
    parts = [_part(own, settings, path.name) for own in found]
    if not parts:
        raise GradlabError(
            f"{path.name} has no weights of an LSTM, GRU or SimpleRNN; give a file that "
            "model.save or model.save_weights wrote"
        )
    return _named(list(_joined(parts)))


def _h5py(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise GradlabError(
            f"{path.name} needs the package h5py to read: pip install 'gradlab-rnn[keras]'"
        ) from error
    return h5py


def _unzipped(path: Path, size: int) -> tuple[bytes, io.BytesIO]:
    """The config and the weights of a .keras file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in bounds.members(archive, size, path.name)]
            for name in INSIDE:
                if name not in names:
                    raise GradlabError(f"{path.name} has no {name} inside; save the model again")
            config, weights = (archive.read(name) for name in INSIDE)
    except PermissionError as error:
        raise bounds.unreadable(path, error) from error
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise GradlabError(
            f"{path.name} is not a readable .keras file: {error}; save the model again"
        ) from error
    return config, io.BytesIO(weights)


def _json(config: bytes | str, path: Path) -> Any:
    try:
        return json.loads(config)
    except (ValueError, RecursionError, TypeError) as error:
        raise GradlabError(
            f"{path.name}: its config is not readable JSON ({error}); save the model again"
        ) from error


def _part(own: Kernels, settings: dict[str, Setting], file: str) -> Part:
    setting = settings.get(own.path) or _by_name(own.path, settings)
    what = f"{file}: {own.path}"
    cell, note = _cell(own, setting)
    H, I = own.recurrent.shape[0], own.kernel.shape[0]
    _fitting(own, cell, what)
    tensors = {
        "weight_hh_l0": packed("keras", cell, np.ascontiguousarray(own.recurrent.T)),
        "weight_ih_l0": packed("keras", cell, np.ascontiguousarray(own.kernel.T)),
    }
    if own.bias is not None:
        rows = np.atleast_2d(own.bias)
        tensors |= {
            name: packed("keras", cell, row)
            for name, row in zip(("bias_ih_l0", "bias_hh_l0"), rows, strict=False)
        }
    name = setting.name if setting and setting.name else own.name or own.place
    options = {"activation": setting.activation} if setting and setting.activation else {}
    return Part(
        own.place, own.direction, RecurrentLayer(cell, name, H, I, 1, False, tensors, options, note)
    )


def _cell(own: Kernels, setting: Setting | None) -> tuple[str, str]:
    """The kind of cell, from the config or else from the shapes, and what was supposed."""
    if setting and setting.cell:
        return setting.cell, setting.note
    H, G = own.recurrent.shape
    cell, note = BY_BLOCKS[G // H], setting.note if setting else SUPPOSED
    if cell == "gru" and own.bias is None:
        return cell, "; ".join(filter(None, (note, RESET)))
    if cell == "gru" and own.bias is not None and own.bias.ndim == 1:
        cell = "gru_2014"
    return cell, note


def _fitting(own: Kernels, cell: str, what: str) -> None:
    """Raises GradlabError unless the shapes are those of the cell."""
    H, G = own.recurrent.shape
    blocks = {kind: n for n, kind in BY_BLOCKS.items()} | {"gru_2014": 3, "linear": 1}
    bias = (2, G) if cell == "gru" else (G,)
    fits = blocks[cell] * H == G and own.kernel.shape[1] == G
    if not fits or (own.bias is not None and own.bias.shape != bias):
        has = ", ".join(
            str(a.shape) for a in (own.kernel, own.recurrent, own.bias) if a is not None
        )
        G = blocks[cell] * H
        bias = (2, G) if cell == "gru" else (G,)
        raise GradlabError(
            f"{what} has weights {has}; {cell} with hidden size {H} wants "
            f"(inputs, {G}), {(H, G)}, {bias}"
        )


def _by_name(path: str, settings: dict[str, Setting]) -> Setting | None:
    """The setting of a file of Keras 2, whose groups bear the layers' names."""
    if re.search(r"(^|/)layers/", path):
        return None
    known: dict[str, Setting | None] = {}
    for found in settings.values():  # a stack of cells of several kinds tells nothing by its name
        known[found.name] = found if known.get(found.name, found) == found else None
    return next((known[part] for part in reversed(path.split("/")) if part in known), None)


def _joined(parts: list[Part]) -> Iterator[RecurrentLayer]:
    """Both directions as one layer, and the cells of a stack, where they are of one kind."""
    places: dict[str, list[Part]] = {}
    for part in parts:
        places.setdefault(part.place, []).append(part)
    for together in places.values():
        together.sort(key=lambda part: part.direction, reverse=True)  # forward, then backward
        own = [part.layer for part in together]
        alike = all(
            (one.cell, one.hidden_size, one.options, one.tensors.keys())
            == (own[0].cell, own[0].hidden_size, own[0].options, own[0].tensors.keys())
            for one in own
        )
        directions = [part.direction for part in together]
        if directions == ["forward", "backward"] and alike:
            yield _both(*own)
        elif (
            alike
            and not any(directions)
            and all(one.input_size == one.hidden_size for one in own[1:])
        ):
            yield _stack(own)
        else:
            yield from own


def _both(forward: RecurrentLayer, backward: RecurrentLayer) -> RecurrentLayer:
    turned = {f"{name}_reverse": array for name, array in backward.tensors.items()}
    return replace(forward, bidirectional=True, tensors={**forward.tensors, **turned})


def _stack(cells: list[RecurrentLayer]) -> RecurrentLayer:
    tensors = {
        name.replace("_l0", f"_l{k}"): array
        for k, layer in enumerate(cells)
        for name, array in layer.tensors.items()
    }
    return replace(cells[0], layers=len(cells), tensors=tensors)


def _named(found: list[RecurrentLayer]) -> list[RecurrentLayer]:
    """The layers, with a number behind a name that comes again."""
    count: Counter[str] = Counter()
    named = []
    for layer in found:
        count[layer.prefix] += 1
        again = f"#{count[layer.prefix]}" if count[layer.prefix] > 1 else ""
        named.append(replace(layer, prefix=layer.prefix + again))
    return named
