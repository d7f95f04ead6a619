"""Points without a growth rate: how they are marked, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array
from gradlab.report.sweep_figures.grid import Grid, Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# marker, at the top, words
MARKS: dict[Status, tuple[str, bool, str]] = {
    Status.OVERFLOW: ("x", True, "overflow"),
    Status.ZERO: ("v", False, "exactly zero"),
    Status.PARTLY_ZERO: ("1", False, "zero in some seeds"),
    Status.FAILED: ("x", False, "failed"),
    Status.UNKNOWN: ("+", False, "no growth rate"),
    Status.MISSING: ("+", False, "not computed"),
}
INSIDE, STEP, DEEPEST = 0.03, 0.04, 4  # of the axes' height: from the edge, between lines
ROOM = 0.12  # of the limits, where marks are


def mark(
    ax: Axes,
    at: Array,
    status: NDArray[np.int64],
    colour: str,
    rank: int = 0,
    upright: bool = True,
) -> None:
    """Marks at the edge for the points of one line; rank keeps those of several lines apart.

    upright: the growth rate is the y axis, and `at` are places on the x axis; else the reverse.
    """
    inside = INSIDE + STEP * (rank % DEEPEST)
    for state, (marker, top, label) in MARKS.items():
        places = at[status == state]
        if not len(places):
            continue
        edges = np.full(len(places), 1 - inside if top else inside)
        ends = ("bottom", "top") if upright else ("left", "right")
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none"}
        ax.plot(
            *((places, edges) if upright else (edges, places)),
            transform=ax.get_xaxis_transform() if upright else ax.get_yaxis_transform(),
            label=f"{label} ({ends[top]})",
            markersize=6,
            zorder=4,
            **look,
        )


def room(low: float, high: float, status: NDArray[np.int64]) -> tuple[float, float]:
    """Limits with room for the marks."""
    span = high - low
    top = bool((status == Status.OVERFLOW).any())
    bottom = bool(np.isin(status, [s for s, (_, up, _) in MARKS.items() if not up]).any())
    return low - ROOM * span * bottom, high + ROOM * span * top


def counts(status: NDArray[np.int64]) -> str:
    """The text "3 overflow, 1 failed"; empty where all have a growth rate."""
    found = [(int((status == state).sum()), words) for state, (_, _, words) in MARKS.items()]
    return ", ".join(f"{count} {words}" for count, words in found if count)


def notes(grid: Grid) -> list[str]:
    """What is not in the growth rates."""
    found, lost = counts(grid.status), int(grid.some_lost.sum())
    lines = [f"without a growth rate: {found}"] if found else []
    if lost:
        lines.append(
            f"{lost} point{'s' * (lost > 1)} where some seeds overflowed: those are left out"
        )
    return lines
