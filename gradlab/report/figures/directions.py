"""Do both directions of a bidirectional network carry the gradient equally far?

The norm of dL/dh of either direction, against the distance from the step where the gradient enters
it, on a logarithmic axis: the median over the seeds with their spread. The forward direction's
gradient travels towards the first step, the backward direction's towards the last; here both travel
to the right. With the loss at one step p both begin there, and reach the sequence's ends; with the
loss at the last outputs each begins at the end of its own direction. Equally steep curves are equal
factors per step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report import network, style
from gradlab.report.figures import captions, decades
from gradlab.report.figures.ensemble import Array, Curve, draw_curve, members, over_members

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = ("forward", "backward")


def applies(record: Record) -> bool:
    """Whether there are two directions, and one has a gradient that is neither lost nor zero."""
    name = "backward_log10_grad_norm_h"
    return name in record.arrays and any(
        len(curve.finite_median()) > 0 for curve in curves(record).values()
    )


def draw(ax: Axes, record: Record) -> None:
    """Draw the figure of the module's docstring."""
    found = curves(record)
    decades.set_limits(ax, *decades.limits([curve.measured for curve in found.values()]))
    farthest = max(int(curve.t.max(initial=0)) for curve in found.values())
    captions.whole_numbers(
        ax, 0, farthest, "distance in steps from where the gradient enters   (it travels →)"
    )
    for name, curve in found.items():
        spread = f", {curve.spread}" if curve.members > 1 else ""
        label = f"{name} direction: {members(curve.members)}{spread}"
        draw_curve(ax, curve, style.DIRECTION_COLOURS[name], label, style.DIRECTION_MARKERS[name])
    captions.title(ax, title(record), notes=_notes(record))
    ax.set_ylabel("gradient norm ‖∂L/∂h‖ of a direction")
    captions.legend(ax)


def title(record: Record) -> str:
    """What is left of either gradient at its far end."""
    told = []
    for name, curve in curves(record).items():
        start, end = curve.median[0], curve.median[-1]
        left = decades.about(float(end - start)) if np.isfinite(start) else "nothing"
        told.append((name, left, int(curve.t[-1] - curve.t[0])))
    (_, forward, there), (_, backward, back) = told
    if there == back:
        return f"After {there} steps {forward} is left forward, {backward} backward"
    return f"Left: forward {forward} after {there} steps, backward {backward} after {back}"


def curves(record: Record) -> dict[str, Curve]:
    """Of both directions, over the distance, which ascends from the step where it enters."""
    enters = entries(record)
    sides = {
        "forward": (enters["forward"] - record["t"], record["log10_grad_norm_h"]),
        "backward": (
            record["backward_t"] - enters["backward"],
            record["backward_log10_grad_norm_h"],
        ),
    }
    return {name: _curve(distance, values) for name, (distance, values) in sides.items()}


def entries(record: Record) -> dict[str, int]:
    """The step where each direction's gradient enters; of several, the one farthest upstream."""
    steps = network.loss_steps(record)
    first = 1 if record.config["loss"]["at"] == "last" else steps[0]
    return {"forward": steps[-1], "backward": first}


def _curve(distance: NDArray[np.int64], values: Array) -> Curve:
    within = distance >= 0
    order = np.argsort(distance[within])
    return over_members(distance[within][order], values[:, within][:, order])


def _notes(record: Record) -> list[str]:
    enters, seeds = entries(record), len(record["seeds"])
    notes = ["of the last layer"] if network.chained(record) else []
    if network.sums(record):
        notes.append("the gradient enters at several steps: the curves are sums")
    else:
        where = [f"{name} at t = {enters[name]}" for name in NAMES]
        notes.append(f"the gradient enters {', '.join(where)}")
    lost = seeds - max(curve.members for curve in curves(record).values())
    if lost:
        notes.append(f"{lost} of {seeds} seeds left out: their states overflowed")
    return notes
