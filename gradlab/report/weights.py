"""What a weights file has of recurrent layers, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradlab.analysis.blocks import Block
from gradlab.report.tables import Table
from gradlab.report.words import plain
from gradlab.weights.layer import RecurrentLayer


def parameters(layer: RecurrentLayer) -> int:
    """How many numbers a layer has."""
    return sum(array.size for array in layer.tensors.values())


def kind(layer: RecurrentLayer) -> str:
    """The cell with its options, in words."""
    words = [" ".join(v) if isinstance(v, tuple) else str(v) for v in layer.options.values()]
    return " ".join([*words, layer.cell])


def layers(found: Iterable[RecurrentLayer]) -> Table:
    """One row a layer, or stack of layers that belong together."""
    rows = tuple(
        (
            layer.prefix or "(none)",
            kind(layer),
            *(f"{n}" for n in (layer.hidden_size, layer.input_size, layer.layers)),
            "2" if layer.bidirectional else "1",
            f"{parameters(layer):,}",
        )
        for layer in found
    )
    header = ("prefix", "kind", "H", "I", "layers", "directions", "parameters")
    return Table("Recurrent layers", header, rows)


def of_blocks(layer: RecurrentLayer, found: Sequence[Block]) -> Table:
    """One row for every gate of every layer and direction."""
    keeps = any(block.bias for block in found)
    header = ("block", "sigma_max", "spectral radius", *(("bias", "min", "max") if keeps else ()))
    rows = []
    for block in found:
        cells = [block.name, plain(block.sigma_max), plain(block.spectral_radius)]
        if keeps:
            cells += [plain(b) for b in block.bias] if block.bias else ["-"] * 3
        rows.append(tuple(cells))
    notes = ("bias: bias_ih + bias_hh of the gate that keeps the state, mean over units",)
    title = f"Recurrent blocks of {layer.prefix}" if layer.prefix else "Recurrent blocks"
    return Table(title, header, tuple(rows), notes if keeps else ())
