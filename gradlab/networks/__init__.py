"""Networks around a cell: what is stacked or skipped within one step is itself a cell.

`Stacked` puts layers on top of each other, `Skipped` adds a step's input to its output, and
`SkippedBlock` does so around several layers, inside the last nonlinearity. Each has the interface
of a cell (`gradlab.cells.interface`), so the engine runs them as it runs any cell: with the
Jacobian of the whole state, the split by lag, truncation and checkpoints.

What changes from step to step is no network of its own but a schedule of weights
(`gradlab.engine.schedule`): fresh weights at every step, an encoder and a decoder.
"""

from __future__ import annotations

from gradlab.cells.affine import blocks
from gradlab.cells.interface import Cell
from gradlab.networks.skipped import Skipped
from gradlab.networks.skipped_block import SkippedBlock
from gradlab.networks.stacked import Stacked
from gradlab.nonlinearity import Array


def network(cell: Cell, layers: int, residual: bool, block: int | None, tied: bool, H: int) -> Cell:
    """The cell that one step of the network is, of H units a layer."""
    if layers > 1:
        return Stacked(cell, layers, residual, H)
    if block is not None:
        return SkippedBlock(cell, block, tied, H)
    return Skipped(cell) if residual else cell


def suffixes(layers: int, block: int | None, tied: bool) -> tuple[str, ...]:
    """What is appended to the tensors' names for each set that the cell of one step has."""
    if layers > 1:
        return tuple(f"_l{k}" for k in range(layers))
    if block is not None and not tied:
        return tuple(f"_b{k}" for k in range(block))
    return ("",)


def entering(cell: Cell, dh: Array) -> Array:
    """The rows of dL/ds_t that a gradient dh (..., H, B) at the network's output gives."""
    return cell.enter(dh) if isinstance(cell, Stacked) else dh


def output(cell: Cell, s: Array) -> Array:
    """The network's output (..., H, B) in its states (..., D, B)."""
    return cell.output(s) if isinstance(cell, Stacked) else blocks(s, len(cell.STATE))[0]
