"""The recurrent layers of a state dict, recognised by the names and shapes of its tensors.

A name is a prefix, one of PyTorch's names, and the layer and direction that it is of:

    encoder.rnn.  weight_hh  _l1  _reverse

PyTorch's cells (LSTMCell) have neither; they are layer 0. Peepholes are `peephole_i`, `peephole_f`,
`peephole_o`. The kind of cell follows from how many blocks of H rows `weight_hh` (rows, H) has;
where several kinds have as many, the note says which was supposed. Every other name is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights.layer import RecurrentLayer

NAME = re.compile(
    r"(?P<prefix>.*?)"
    r"(?P<tensor>weight_(?:ih|hh|hr)|bias_(?:ih|hh)|peephole_[ifo])"
    r"(?:_l(?P<layer>0|[1-9][0-9]{0,3}))?(?P<reverse>_reverse)?",
    re.DOTALL,
)
PEEPHOLES = {f"peephole_{gate}": gate for gate in "ifo"}

# blocks of H rows -> the kind of cell that is supposed, and what the file does not tell
KINDS = {
    1: ("rnn", "the file does not tell the activation; tanh is supposed"),
    2: ("gru_minimal", "two blocks of rows, supposed to be z, n of gru_minimal"),
    3: ("gru", "three blocks of rows: gru is supposed; gru_2014, lstm_coupled have as many"),
    4: ("lstm", ""),
}

Part = tuple[int, bool]  # layer, whether it is of the second direction


class Tensor(NamedTuple):
    """An array under the name that the file has for it."""

    name: str
    array: Array

    def wants(self, shape: tuple[int, ...], beside: Tensor) -> None:
        """Raises GradlabError where it has another shape."""
        if self.array.shape != shape:
            raise GradlabError(
                f"{self.name} has shape {self.array.shape}; beside {beside.name} "
                f"{beside.array.shape} it must have {shape}"
            )


Parts = dict[Part, dict[str, Tensor]]  # by PyTorch's names without prefix, layer and direction


@dataclass(frozen=True)
class Recognised:
    """What a file has of recurrent layers."""

    layers: tuple[RecurrentLayer, ...]
    others: Mapping[str, str]  # prefix -> why the layer there is none that gradlab can run
    shapes: Mapping[str, tuple[int, ...]]  # every array of the file, for messages


def layers_of(arrays: Mapping[str, Array]) -> list[RecurrentLayer]:
    """The recurrent layers among the arrays of a state dict, in the order of their prefixes."""
    return list(recognised(arrays).layers)


def recognised(arrays: Mapping[str, Array]) -> Recognised:
    """The recurrent layers of a state dict, and why others with their names are none."""
    layers: list[RecurrentLayer] = []
    others: dict[str, str] = {}
    found = _by_prefix(arrays)
    for prefix in sorted(found, key=_natural):
        try:
            layers.append(_layer(prefix, found[prefix]))
        except GradlabError as error:
            others[prefix] = str(error)
    return Recognised(tuple(layers), others, {name: a.shape for name, a in arrays.items()})


def _by_prefix(arrays: Mapping[str, Array]) -> dict[str, list[tuple[Part, str, Tensor]]]:
    """The tensors with a name of ours; a prefix without recurrent weights has no layer."""
    found: dict[str, list[tuple[Part, str, Tensor]]] = {}
    for name, array in arrays.items():
        match = NAME.fullmatch(name)
        if match:
            part = (int(match["layer"] or 0), bool(match["reverse"]))
            entry = (part, match["tensor"], Tensor(name, array))
            found.setdefault(match["prefix"], []).append(entry)
    return {
        prefix: entries
        for prefix, entries in found.items()
        if any(tensor == "weight_hh" for _, tensor, _ in entries)
    }


def _natural(prefix: str) -> tuple[Any, ...]:
    """Sorts cells.2. before cells.10."""
    pieces = re.split(r"([0-9]{1,9})", prefix)
    return ([int(p) if k % 2 else p for k, p in enumerate(pieces)], prefix)


def _layer(prefix: str, entries: list[tuple[Part, str, Tensor]]) -> RecurrentLayer:
    """The layer of one prefix. Raises GradlabError saying why it is none."""
    parts: Parts = {}
    for part, tensor, entry in entries:
        own = parts.setdefault(part, {})
        if tensor in own:
            raise GradlabError(f"{own[tensor].name} and {entry.name} are the same tensor")
        own[tensor] = entry
    layers, both = _extent(prefix, parts)
    for own in parts.values():
        _check(own)
    first = parts[0, False]
    rows, H = first["weight_hh"].array.shape
    I = first["weight_ih"].array.shape[1]
    for (layer, _), own in parts.items():
        own["weight_hh"].wants((rows, H), first["weight_hh"])
        own["weight_ih"].wants((rows, H * (1 + both) if layer else I), first["weight_hh"])
    cell, options, note = _kind(parts, rows // H)
    tensors = {
        f"{tensor}{_end(part)}": entry.array
        for part in sorted(parts)
        for tensor, entry in sorted(parts[part].items())
    }
    return RecurrentLayer(cell, prefix, H, I, layers, both, tensors, options, note)


def _end(part: Part) -> str:
    return f"_l{part[0]}" + "_reverse" * part[1]


def _extent(prefix: str, parts: Parts) -> tuple[int, bool]:
    """How many layers there are, and whether in both directions."""
    layers, both = 1 + max(layer for layer, _ in parts), any(reverse for _, reverse in parts)
    for layer in range(layers):
        for reverse in (False, True)[: 1 + both]:
            own = parts.get((layer, reverse), {})
            for tensor in ("weight_hh", "weight_ih"):
                if tensor not in own:
                    end = _end((layer, reverse))
                    raise GradlabError(f"there is no {prefix}{tensor}{end} beside the others")
            if "weight_hr" in own:
                raise GradlabError(
                    f"{own['weight_hr'].name} projects h (proj_size of nn.LSTM), "
                    "which no cell of gradlab does"
                )
    return layers, both


def _check(own: Mapping[str, Tensor]) -> None:
    """Raises GradlabError where the arrays of one layer and direction are no numbers or do not go
    together.
    """
    for tensor, (name, array) in own.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise GradlabError(f"{name} is {array.dtype}, not floating point")
        if tensor.startswith("weight") and (array.ndim != 2 or array.size == 0):
            raise GradlabError(f"{name} has shape {array.shape}; it must be a matrix")
        if not np.isfinite(array).all():
            raise GradlabError(f"{name} holds NaN or infinity")
    recurrent = own["weight_hh"]
    rows, H = recurrent.array.shape
    if rows % H:
        raise GradlabError(
            f"{recurrent.name} has shape {(rows, H)}; its rows must be blocks of {H}"
        )
    wanted: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, own["weight_ih"].array.shape[1]),
        **dict.fromkeys(("bias_ih", "bias_hh"), (rows,)),
        **dict.fromkeys(PEEPHOLES, (H,)),
    }
    for tensor, entry in own.items():
        if tensor in wanted:
            entry.wants(wanted[tensor], recurrent)


def _kind(parts: Parts, blocks: int) -> tuple[str, dict[str, Any], str]:
    """Cell, its options, and the note."""
    first = parts[0, False]["weight_hh"]
    if blocks not in KINDS:
        what = f"{first.name} {first.array.shape} has {blocks} blocks of rows"
        raise GradlabError(f"{what}; no cell of gradlab has more than {max(KINDS)}")
    cell, note = KINDS[blocks]
    each = {
        tuple(gate for name, gate in PEEPHOLES.items() if name in own) for own in parts.values()
    }
    if each == {()}:
        return cell, {}, note
    if cell != "lstm":
        what = f"{first.name} {first.array.shape} has {blocks} blocks of rows"
        raise GradlabError(f"{what}; beside peepholes there must be 4, of an LSTM")
    if len(each) > 1:
        raise GradlabError(f"not every layer and direction beside {first.name} has the peepholes")
    return "lstm_peephole", {"peepholes": each.pop()}, note
