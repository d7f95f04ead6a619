"""Which path through the cell carries the gradient from c_t to c_{t-1}?

dc_t/dc_{t-1} is a sum: the direct path, which is the diagonal of the forget gate, and the paths
through h_{t-1} and every gate. Against t, on a logarithmic axis: the norm of each term, Frobenius
over sqrt(H), so that 1 is the norm of the identity; the median over the seeds with their spread.
The direct path has the bold curve. This is a decomposition of single steps: the product of these
sums over the steps is not dc_T/dc_k, because the output gate of a step also depends on the step
before. Terms that are exactly zero (h_0 is given, so at t = 1 there is only the direct path) leave
a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades, marks
from gradlab.report.figures.ensemble import Array, Curve, draw_curve, members, over_members
from gradlab.report.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRAY = "log10_path_norm"
DIRECT = "direct"
NAMES = {
    "direct": "direct: D(fₜ)",
    "forget": "forget gate",
    "input": "input gate",
    "candidate": "candidate",
}
NOTE = "per-step path decomposition: its product over steps is not ∂c_T/∂cₖ"


def applies(record: Record) -> bool:
    """Whether the paths were recorded, and the direct one is neither lost nor zero."""
    return ARRAY in record.arrays and bool(np.isfinite(record[ARRAY]).any())


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    found = curves(record)
    decades.set_limits(
        ax, *decades.limits([np.zeros(1), *(curve.measured for curve in found.values())])
    )
    captions.steps(ax, 1, record.config["seq_len"])
    marks.junction(ax, record)
    ax.axhline(0, color=style.SOFT, linewidth=1.0, marker="", zorder=1.5)
    for name, curve in found.items():
        colour = style.PATH_COLOURS.get(name, style.INK)
        marker = style.PATH_MARKERS.get(name, "D")
        draw_curve(ax, curve, colour, _label(name, curve), marker)
        if name == DIRECT:
            ax.get_lines()[-1].set_linewidth(2.4)
    captions.title(ax, title(record), notes=[*network.front(record), NOTE])
    ax.set_ylabel("norm of a term of ∂cₜ/∂cₜ₋₁, / √H")
    captions.legend(ax)


def curves(record: Record) -> dict[str, Curve]:
    """The terms over the steps from 1 on, by their names."""
    steps = record["t"] > 0
    values = record[ARRAY][:, steps]
    return {
        name: over_members(record["t"][steps], values[:, :, k])
        for k, name in enumerate(record.names["paths"])
    }


def title(record: Record) -> str:
    """What the direct path carries per step, and whether any other carries more."""
    typical = {name: _typical(curve.median) for name, curve in curves(record).items()}
    direct = typical.pop(DIRECT, 0.0)
    if not typical or max(typical.values()) == 0:
        return f"Only the direct path: it carries {plain(direct)} per step"
    largest = max(typical, key=lambda name: typical[name])
    if typical[largest] < direct:
        others = f"others {_of(typical)} at most"
        return f"The direct path dominates: in the median {plain(direct)} per step, {others}"
    name = NAMES.get(largest, largest)
    return f"The {name} path outweighs the direct one: {_of(typical)} > {plain(direct)}"


def _typical(log10: Array) -> float:
    """The median over the steps, of those that are not zero."""
    finite = log10[np.isfinite(log10)]
    return float(10 ** np.median(finite)) if len(finite) else 0.0


def _of(typical: dict[str, float]) -> str:
    return plain(max(typical.values()))


def _label(name: str, curve: Curve) -> str:
    if name != DIRECT:
        return f"through h and the {NAMES[name]}" if name in NAMES else name
    over = members(curve.members)
    return f"{NAMES[name]}: {over}" + (f", {curve.spread}" if curve.members > 1 else "")
