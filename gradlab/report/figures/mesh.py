"""Cells around points of a plane: their borders, and those that have no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array
from gradlab.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

NOTHING: dict[str, Any] = {"facecolor": style.NOTHING, "edgecolor": style.SOFT, "hatch": "////"}


def borders(positions: Array) -> Array:
    """The N + 1 borders of cells around N ascending positions: half way between them."""
    if len(positions) == 1:
        return np.array([positions[0] - 0.5, positions[0] + 0.5])
    middle = (positions[:-1] + positions[1:]) / 2
    first, last = 2 * positions[0] - middle[0], 2 * positions[-1] - middle[-1]
    return np.concatenate(([first], middle, [last]))


def hatch(
    ax: Axes, across: Array, up: Array, where: NDArray[np.bool_], look: dict[str, Any] = NOTHING
) -> Patch | None:
    """Mark cells, where (rows, columns), between these borders; what a legend shows for them.

    None where there are none. Cells that are neighbours in a row are one, so that many are not
    slow.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    cells = [
        [(across[i], up[j]), (across[k], up[j]), (across[k], up[j + 1]), (across[i], up[j + 1])]
        for j, row in enumerate(where)
        for i, k in _runs(row)
    ]
    if not cells:
        return None
    ax.add_collection(PolyCollection(cells, linewidth=0, zorder=1.2, **look), autolim=False)
    return Patch(linewidth=0, **look)


def _runs(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(int)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
