"""What is the recurrent matrix made of: how are its singular values distributed?

The steps are the histogram of the singular values of W_hh, of all seeds, with a bar for the spread
from seed to seed; of a cell with gates, one outline for each. Triangles are the largest of every
seed. The dashed line is the quarter-circle law of independent entries of variance g^2 / H, which
ends at 2 g; the vertical one, in its band, where the largest of H x H is to be, and its standard
deviation. That is twice the spectral radius g: sigma_max is above 1, the textbooks' sign of
explosion, from g = 1/2 on. All singular values of an orthogonal matrix are g.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.analysis.random_matrix import quarter_circle
from gradlab.record import Record
from gradlab.report import network, style, told_theory
from gradlab.report.figures import captions, histogram
from gradlab.report.figures.ensemble import Array
from gradlab.report.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "weight_singular_values"
BINS, FEWEST = 32, 8
PER_BIN = 4  # values of a matrix: fewer say little
ROOM = 1.12  # of the highest step
RUG = 0.045  # height of the triangles, of the axis
SAME = 1e-9  # relative: singular values that are all the same
SMALL = 32  # units below which the law of large H is only a sketch
COLOURS = (style.INDIGO, style.TEAL, style.PURPLE, style.ROSE)
DASHES = ("-", (0, (4, 1)), (0, (1, 0.8)), (0, (5, 1, 1, 1)))


def applies(record: Record) -> bool:
    """Whether any spectrum was asked for, of one recurrent matrix or several that all steps share,
    and any seed did not overflow.
    """
    asked = any(record.config["spectrum"].get(name) for name in ("step", "product", "lyapunov"))
    there = ARRAY in record.arrays and network.tied(record)
    return bool(asked and there and record[ARRAY].any() and (record["overflow_step"] == 0).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    values = record[ARRAY]
    theory = told_theory.entry(record.summary, "random_matrix")
    top = float(values.max())
    law = told_theory.independent(record)
    if theory is not None:
        top = max(top, theory["sigma_max"]["mean"] + theory["sigma_max"]["std"])
    if law is not None:
        top = max(top, 2 * law["g"])
    bins = min(BINS, max(FEWEST, values.shape[2] // PER_BIN))
    edges = np.linspace(0, 1.06 * top, bins + 1)
    highest = _measured(ax, record, edges)
    if law is not None:
        highest = max(highest, _quarter_circle(ax, float(law["g"])))
    if theory is not None:
        _largest(ax, theory)
    ax.set_xlim(0, edges[-1])
    ax.set_ylim(0, ROOM * highest)
    ax.axvline(1, color=style.SOFT, linewidth=1.0, marker="", zorder=1.5)
    captions.title(ax, title(record), notes=_notes(record))
    ax.set_xlabel("singular value of W_hh")
    ax.set_ylabel("density of the singular values")
    captions.legend(ax)


def title(record: Record) -> str:
    """The largest singular value, and what theory says of it."""
    values = record[ARRAY]
    largest = values.max(axis=2)
    several = values.shape[1] > 1
    if np.ptp(values) <= SAME * values.max():
        return f"All singular values of W_hh are {plain(float(largest.max()))}"
    of = "values, on average" if several else "value of W_hh"
    text = f"Largest singular {of}: {plain(float(largest.mean()))}"
    theory = told_theory.entry(record.summary, "random_matrix")
    if theory is None:
        return text
    found = theory["sigma_max"]
    return f"{text}; theory {plain(found['mean'])}"  # its scatter is in the legend


def blocks(record: Record, array: str = ARRAY) -> dict[str, NDArray[Any]]:
    """The values of every block (R, n), by its name; of many blocks, all together."""
    values, names = record[array], record.names.get("recurrent", [])
    values = values[:1] if network.from_file(record) else values  # every seed has the same
    if values.shape[1] > len(COLOURS) or len(names) != values.shape[1]:
        return {f"all {values.shape[1]} blocks": values.reshape(len(values), -1)}
    if values.shape[1] == 1:
        return {"": values[:, 0]}
    return {f"{name}": values[:, k] for k, name in enumerate(names)}


def _measured(ax: Axes, record: Record, edges: Array) -> float:
    """The histograms, and the largest value of every seed; the highest of them."""
    found = blocks(record)
    each = "" if network.from_file(record) else " of each seed"
    highest = 0.0
    for k, (name, values) in enumerate(found.items()):
        one = histogram.over_members(list(values), edges)
        largest = values.max(axis=1)
        span = _span(largest)
        if len(found) == 1:
            single = "as in the file" if network.from_file(record) else "one seed"
            seeds = f"{one.members} seeds, {one.spread}" if one.members > 1 else single
            histogram.draw(ax, one, COLOURS[k], f"{name or 'measured'}: {seeds}")
            _triangles(ax, largest, k, f"largest{each}: {span}")
            highest = one.highest
        else:
            look: dict[str, Any] = {"color": COLOURS[k], "linestyle": DASHES[k], "linewidth": 1.5}
            label = f"{name}: largest {span}"
            ax.stairs(one.density, edges, label=label, zorder=2, **look)
            _triangles(ax, largest, k, "_" if k + 1 < len(found) else f"largest{each}")
            highest = max(highest, float(one.density.max()))
    return highest


def _span(values: Array) -> str:
    low, high = plain(float(values.min())), plain(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _triangles(ax: Axes, largest: Array, block: int, label: str) -> None:
    """One for every seed, near the axis, a row for each block."""
    look: dict[str, Any] = {"markersize": 6.5, "markeredgecolor": "white", "markeredgewidth": 0.6}
    y = np.full(len(largest), RUG * (1 + block))
    ax.plot(
        largest,
        y,
        "v",
        color=COLOURS[block],
        transform=ax.get_xaxis_transform(),
        label=label,
        zorder=4,
        **look,
    )


def _quarter_circle(ax: Axes, g: float) -> float:
    """The law of independent entries; its height."""
    sigma = np.sin(np.linspace(0, np.pi / 2, 200)) * 2 * g  # dense where it falls steeply
    law = quarter_circle(sigma, g)
    ax.plot(sigma, law, label=f"quarter circle, to 2 g = {plain(2 * g)}", zorder=3, **style.THEORY)
    return float(law.max())


def _largest(ax: Axes, theory: dict[str, Any]) -> None:
    """Theory's largest value at this width, and its standard deviation; none if it is exact."""
    mean, std = float(theory["sigma_max"]["mean"]), float(theory["sigma_max"]["std"])
    label = f"theory: all are g = {plain(mean)}"
    if std > 0:
        label = f"largest, theory at H = {theory['H']}: {plain(mean)} ± {std:.2g}"
        ax.axvspan(mean - std, mean + std, alpha=0.12, color=style.INK, linewidth=0, zorder=1)
    look = {**style.THEORY, "linestyle": (0, (2, 1.5)), "linewidth": 1.1}
    ax.axvline(mean, label=label, zorder=1.2 if std > 0 else 3, **look)


def _notes(record: Record) -> list[str]:
    notes = []
    H = record[ARRAY].shape[2]
    if told_theory.independent(record) is not None and H < SMALL:
        notes.append(f"the quarter circle is the law of large matrices; here H = {H}")
    return notes
