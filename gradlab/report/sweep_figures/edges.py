"""Where the growth rate crosses zero along an axis of numbers, by linear interpolation.

Between neighbouring points that have a growth rate; on a logarithmic axis it is linear in the
logarithm, as it is drawn.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.grid import Grid, Status
from gradlab.report.sweep_figures.roles import Roles
from gradlab.report.words import NOTHING, plain


def crossings(positions: Array, growth: Array) -> list[float]:
    """The positions (N,) at which growth (N,), NaN where unknown, changes its sign.

    Where it is zero at points between, their middle.
    """
    known = np.isfinite(growth)
    x, y = positions[known], growth[known]
    signed = np.flatnonzero(np.abs(y) > NOTHING)
    found = []
    for a, b in pairwise(signed):
        if (y[a] > 0) == (y[b] > 0):
            continue
        if b == a + 1:
            found.append(float(x[a] + (x[b] - x[a]) * (y[a] / (y[a] - y[b]))))
        else:
            found.append(float(x[a + 1 : b].mean()))
    return found


def beside(growth: Array) -> set[int]:
    """The places next to a change of sign, and of zeros between."""
    known = np.flatnonzero(np.isfinite(growth))
    signed = [int(k) for k in known if abs(growth[k]) > NOTHING]
    found: set[int] = set()
    for a, b in pairwise(signed):
        if (growth[a] > 0) != (growth[b] > 0):
            found |= {int(k) for k in known if a <= k <= b}
    return found


def all_crossings(grid: Grid, roles: Roles) -> list[list[float]]:
    """The values at which each line of a figure crosses zero."""
    if roles.x is None or grid.axes[roles.x].positions is None:
        return []
    axis = grid.axes[roles.x]
    growth = roles.take(grid.mean)
    return [values_of(axis, line) for line in growth.reshape(-1, growth.shape[-1])]


def values_of(axis: Axis, growth: Array) -> list[float]:
    """The values of an axis of numbers at which growth crosses zero."""
    assert axis.positions is not None
    return [axis.number(position) for position in crossings(axis.positions, growth)]


def title(grid: Grid, roles: Roles, each: str = "") -> str:
    """What a figure of growth rates says at a glance; `each`: what has an edge of its own."""
    found = all_crossings(grid, roles)
    if roles.x is not None and any(found):
        every = [value for line in found for value in line]
        where = between(every)
        told = f"{where}{each}" if " to " in where else f"≈ {where}"
        return f"Zero growth at {grid.axes[roles.x].name} {told}"
    verdicts = {str(verdict) for verdict in np.unique(roles.take(grid.verdict)) if verdict}
    growth = roles.take(grid.mean)
    growth = growth[np.isfinite(growth)]
    known = (roles.take(grid.status) <= Status.ZERO).all()
    where = "everywhere" if known else "wherever it is known"
    if len(verdicts) == 1:
        return f"{verdicts.pop().capitalize()} {where}"
    if len(growth) and (growth < -NOTHING).all():
        return f"Growth below zero {where}"
    if len(growth) and (growth > NOTHING).all():
        return f"Growth above zero {where}"
    return "Growth rate of the gradient"


def between(values: list[float]) -> str:
    """The text "1.62", or "1.01 to 1.62"."""
    low, high = plain(min(values)), plain(max(values))
    return low if low == high else f"{low} to {high}"
