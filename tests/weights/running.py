"""A recurrent layer that was read from a file, run by its cell's own `step`."""

from __future__ import annotations

import numpy as np

from gradlab.cells import CELLS
from gradlab.nonlinearity import Array
from gradlab.weights.layer import RecurrentLayer


def outputs(layer: RecurrentLayer, x: Array, h: Array | None = None) -> Array:
    """h of the last layer at every step, both directions side by side: (T, B, D H) from x (T, B,
    I). In float64, from the state h (B, H) of every layer, or of zeros.
    """
    for k in range(layer.layers):
        sides = [_run(layer, f"_l{k}", x, h)]
        if layer.bidirectional:
            sides.append(_run(layer, f"_l{k}_reverse", x[::-1], h)[::-1])
        x = np.concatenate(sides, axis=-1)
    return x


def _run(layer: RecurrentLayer, suffix: str, x: Array, h: Array | None) -> Array:
    cell = CELLS[layer.cell]
    own = {
        name.removesuffix(suffix): np.asarray(a, np.float64)[None]
        for name, a in layer.tensors.items()
        if name.endswith(suffix)
    }
    p = cell.init(own, cell.Options(**layer.options))
    s = np.zeros((1, len(cell.STATE) * layer.hidden_size, x.shape[1]))
    if h is not None:
        s[0, : layer.hidden_size] = h.T
    found = []
    for x_t in x:
        s, _ = cell.step(p, s, cell.drive(p, x_t.T[None].astype(np.float64)))
        found.append(s[0, : layer.hidden_size].T)
    return np.stack(found)
