"""Where are the eigenvalues of the recurrent matrix: inside the unit circle, or outside of it?

Each mark is an eigenvalue of W_hh in the complex plane, of all seeds or as many as are told; of a
cell with gates, each gate's block has a panel of its own. Blue circles lie inside the unit circle,
orange triangles outside: multiplied again and again, their directions shrink or grow; green squares
lie on it. The dashed circle is where the circular law of independent entries of variance g^2 / H
ends: at g, half of the largest singular value. What the network does to the gradient is another
matter: at every step phi' and the gates scale the matrix, and stretches do not cancel when the
eigenvectors are far from orthogonal, as those of a random matrix are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network, style, told_theory
from gradlab.report.figures import captions, panes
from gradlab.report.figures.ensemble import members
from gradlab.report.figures.gate_histograms import NAMES
from gradlab.report.figures.weight_spectrum import blocks
from gradlab.report.words import plain, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "weight_eigenvalues"
MOST = 1024  # marks in a figure: a page with more is slow
SIZE = (6.4, 5.0)  # inches
ON = 1e-9  # from the unit circle: less is rounding
ROOM = 1.08  # of the largest modulus
MARKS = {"inside": ("vanishing", "o"), "outside": ("exploding", "^"), "on": ("preserved", "s")}


def applies(record: Record) -> bool:
    """Whether the eigenvalues of weights that all steps share were kept, one of them is not zero,
    and any seed did not overflow.
    """
    there = ARRAY in record.arrays and network.tied(record)
    return bool(there and record[ARRAY].any() and (record["overflow_step"] == 0).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    found = blocks(record, ARRAY)
    law = told_theory.independent(record)
    most = max(1.0, float(np.abs(record[ARRAY]).max()), law["g"] if law is not None else 0.0)
    each = max(MOST // sum(values.shape[1] for values in found.values()), 1)
    places: dict[str, bool] = {}
    for pane, (name, values) in zip(
        panes.grid(ax, len(found), "Re λ", "Im λ"), found.items(), strict=True
    ):
        _plane(pane, ROOM * most)
        if law is not None:
            pane.plot(*_circle(float(law["g"])), zorder=2.5, **style.THEORY)
        for place, marked in _sorted(values[:each]).items():
            if len(marked):
                _marks(pane, place, marked)
                places[place] = True
        radius = plain(float(np.abs(values).max(axis=1).mean()))
        if len(found) > 1:
            panes.name(pane, NAMES.get(name, name), f"radius {radius}")
    captions.title(ax, title(record), notes=_notes(record, found, each))
    handles = _handles(places)
    if law is not None:
        handles |= {f"circular law: radius g = {plain(law['g'])}": _line(**style.THEORY)}
    captions.legend(ax, handles=handles)


def title(record: Record) -> str:
    """How many of the eigenvalues are outside."""
    apart = _sorted(record[ARRAY])
    total = record[ARRAY].size
    if len(apart["on"]) == total:
        return "All eigenvalues of W_hh lie on the unit circle"
    if not len(apart["outside"]):
        return "No eigenvalue of W_hh lies outside the unit circle"
    outside = share(len(apart["outside"]) / total)
    return f"{outside} of W_hh's eigenvalues lie outside the circle"


def _sorted(values: NDArray[np.complex128]) -> dict[str, NDArray[np.complex128]]:
    """The values inside the unit circle, outside of it, on it."""
    beyond = np.abs(values) - 1
    on = np.abs(beyond) <= ON
    return {
        "inside": values[(beyond < 0) & ~on],
        "outside": values[(beyond > 0) & ~on],
        "on": values[on],
    }


def _plane(ax: Axes, most: float) -> None:
    """As wide as high in its units, with both axes and the unit circle."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(-most, most)
    ax.set_ylim(-most, most)
    ax.update_datalim([(-most, -most), (most, most)])  # every panel has the same scale
    ax.set_aspect("equal", adjustable="datalim")
    if ax.get_axes_locator() is None:  # else asking for the place would fit the limits to it
        ax.set_axes_locator(lambda own, _: own.get_position(original=True))
    ax.grid(False)
    for side in (ax.xaxis, ax.yaxis):
        side.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    ax.axhline(0, color=style.GRID, linewidth=0.8, zorder=0.5)
    ax.axvline(0, color=style.GRID, linewidth=0.8, zorder=0.5)
    ax.plot(*_circle(1.0), color=style.INK, linewidth=1.4, marker="", zorder=2.4)


def _circle(radius: float) -> tuple[Any, Any]:
    angle = np.linspace(0, 2 * np.pi, 361)
    return radius * np.cos(angle), radius * np.sin(angle)


def _look(place: str) -> dict[str, Any]:
    verdict, marker = MARKS[place]
    return {"color": style.VERDICT_COLOURS[verdict], "marker": marker, "linestyle": ""}


def _marks(ax: Axes, place: str, values: NDArray[np.complex128]) -> None:
    ax.plot(
        values.real,
        values.imag,
        **_look(place),
        markersize=3.2,
        markeredgewidth=0,
        alpha=0.75,
        zorder=3,
    )


def _line(**look: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], **look)


def _handles(places: dict[str, bool]) -> dict[str, Any]:
    """What the marks are, and the circle."""
    words = {"inside": "inside the unit circle", "outside": "outside", "on": "on the unit circle"}
    handles = {
        words[place]: _line(**_look(place), markersize=5) for place in MARKS if place in places
    }
    return handles | {"unit circle": _line(color=style.INK, linewidth=1.4)}


def _notes(record: Record, found: dict[str, Any], each: int) -> list[str]:
    """Of how many seeds the marks are, and the radius of a single matrix."""
    values = next(iter(found.values()))
    notes = []
    if len(found) == 1:
        radius = np.abs(values).max(axis=1)
        of = members(len(radius)).replace("median", "mean")
        notes.append(f"spectral radius {plain(float(radius.mean()))}, {of}")
    if each < len(values):
        notes.append(f"marks: {each} of {len(values)} seeds")
    return notes
