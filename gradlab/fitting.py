"""What of a config must fit together once all sizes are known."""

from __future__ import annotations

from typing import Any

from gradlab.cells import FILE, find
from gradlab.cells.interface import Cell
from gradlab.config import Config
from gradlab.errors import GradlabError, at
from gradlab.spec import Topology

SYMBOLS = ("onehot", "file", "text")  # inputs of which the next one may be a class


def topology(config: Config) -> Topology:
    """How the cell is made a network."""
    phases = config.encoder_decoder
    return Topology(
        config.layers,
        config.residual,
        config.tied,
        config.block,
        config.bidirectional,
        (phases.encoder, phases.decoder) if phases else (),
    )


def _reads_both(cell: Cell, H: int, options: Any) -> None:
    """Raises GradlabError where a cell cannot read the outputs of two directions, 2 H wide."""
    try:
        cell.shapes(H, 2 * H, 0, options)
    except ValueError as error:
        why = "with bidirectional makes inputs of 2 hidden_size for the second layer, but"
        raise at(("layers",), f"layers {why} {error}; remove layers or bidirectional") from error


def check(config: Config, H: int, I: int, shifted: int) -> None:
    """Raises GradlabError where the cell, the sizes and the network do not go together."""
    cell, shape = find(config.cell.type), topology(config)
    options = cell.Options(**config.cell.options())
    try:
        cell.shapes(H, I, 0, options)
        if shape.chained:
            _reads_both(cell, H, options)
        elif shape.layers > 1:
            cell.shapes(H, H, 0, options)
    except GradlabError:  # an own cell says itself what is wrong
        raise
    except ValueError as error:
        raise at(("input_size",), f"{error}; for the cell {config.cell.type!r}") from error
    stacked = shape.layers > 1 and not shape.chained
    if stacked and config.cell.type.endswith(FILE) and H != I:
        raise at(("input_size",), "layers of an own cell need inputs as wide as hidden_size")
    if shape.block and cell.max_slope(options) is None:
        raise at(
            ("block",),
            "a residual block needs a cell that is one nonlinearity around a product: rnn, linear",
        )
    if shape.block and config.truncate and config.truncate.steps % shape.block:
        why = f"truncate.steps is {config.truncate.steps}, which is no multiple of block"
        raise at(("truncate", "steps"), f"{why}, {shape.block}")
    sliding = config.truncate is not None and config.truncate.mode == "sliding"
    if sliding and config.clip is not None and config.clip.by == "step_norm":
        why = "sliding cannot be combined with a clip by step_norm; use mode: chunked"
        raise at(("truncate", "mode"), f"truncate.mode {why}")
    if config.loss.type != "upstream" and config.loss.targets == "shifted":
        if config.loss.outputs not in (None, shifted):
            what = "inputs" if shifted == I else "symbols"
            why = (
                f"loss.outputs is {config.loss.outputs}, but shifted targets are {what}: {shifted}"
            )
            raise at(("loss", "outputs"), f"{why}; remove it")
        if config.loss.type == "cross_entropy" and config.inputs.type not in SYMBOLS:
            why = "shifted targets of cross_entropy are classes, the next symbol"
            raise at(("loss", "targets"), f"{why}; use inputs: onehot, a text, or a file of such")
        if shape.stride > 1:
            raise at(("loss", "targets"), "shifted targets need a target at every step: no block")
