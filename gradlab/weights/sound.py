"""Whether a layer that was read can be run: shapes, kind of numbers, no NaN."""

from __future__ import annotations

import numpy as np

from gradlab.cells import CELLS
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights.layer import RecurrentLayer


def sound(layer: RecurrentLayer, file: str) -> dict[str, Array]:
    """The layer's tensors in float64. `file` names the file in errors.

    Raises GradlabError for a tensor that is missing, misshapen, not floating point, not finite.
    A bias may be missing.
    """
    found = {}
    for name, shape in _shapes(layer, file).items():
        what = f"{file}: {layer.prefix}: {name}"
        if name not in layer.tensors:
            if name.startswith("bias"):
                continue
            raise GradlabError(f"{what} is missing; save the weights again")
        array = layer.tensors[name]
        if array.shape != shape:
            raise GradlabError(
                f"{what} has shape {array.shape}; {layer.cell} with hidden size "
                f"{layer.hidden_size} and input size {layer.input_size} wants {shape}"
            )
        if not np.issubdtype(array.dtype, np.floating):
            raise GradlabError(f"{what} is {array.dtype}, not floating point; save it as float32")
        if not np.isfinite(array).all():
            raise GradlabError(
                f"{what} holds NaN or infinity; take weights from before it diverged"
            )
        found[name] = array.astype(np.float64)
    return found


def _shapes(layer: RecurrentLayer, file: str) -> dict[str, tuple[int, ...]]:
    cell, H = CELLS[layer.cell], layer.hidden_size
    sides = ("", "_reverse") if layer.bidirectional else ("",)
    found: dict[str, tuple[int, ...]] = {}
    for k in range(layer.layers):
        I = len(sides) * H if k else layer.input_size
        try:
            shapes = cell.shapes(H, I, 2, cell.Options(**layer.options))
        except ValueError as error:
            raise GradlabError(
                f"{file}: {layer.prefix}: hidden size {H}, input size {I}: {error}"
            ) from error
        found |= {f"{name}_l{k}{side}": s for side in sides for name, s in shapes.items()}
    return found
