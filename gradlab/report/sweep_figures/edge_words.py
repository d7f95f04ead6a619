"""Where the edge lies, in sentences: the value at which the growth rate crosses zero."""

from __future__ import annotations

from itertools import product

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.edges import beside, between, values_of
from gradlab.report.sweep_figures.grid import Grid
from gradlab.report.sweep_figures.roles import numeric
from gradlab.report.words import NOTHING, plain

MOST = 12  # sentences
FEW = 4  # combinations that one sentence names


def edge_lines(grid: Grid) -> list[str]:
    """One sentence for each combination of categories, along the longest axis of numbers."""
    if not grid.measured or not numeric(grid):
        return []
    x = numeric(grid)[0]
    named = [k for k, axis in enumerate(grid.axes) if axis.positions is None and len(axis) > 1]
    swept = [k for k in numeric(grid) if k != x]
    # categories first, then other numbers, then x; axes of a single value do not matter
    single = [k for k in range(len(grid.axes)) if k not in (x, *named, *swept)]
    growth = grid.mean.transpose(*single, *named, *swept, x)
    growth = growth.reshape([len(grid.axes[k]) for k in (*named, *swept, x)])
    others = [grid.axes[k] for k in swept]
    same: dict[str, list[str]] = {}
    for places in product(*(range(len(grid.axes[k])) for k in named)):
        where = ", ".join(grid.axes[k].at(p) for k, p in zip(named, places, strict=True))
        same.setdefault(_sentence(grid.axes[x], others, growth[places]), []).append(where)
    if not named:
        return list(same)
    lines = [f"{_joined(places)}: {found}" for found, places in same.items()]
    if len(lines) > MOST:
        return [*lines[: MOST - 1], f"and {len(lines) - MOST + 1} more, in table.csv"]
    return lines


def next_to_edge(grid: Grid) -> set[int]:
    """The indices of the points next to a change of sign, along the longest axis of numbers."""
    if not numeric(grid):
        return set()
    x = numeric(grid)[0]
    growth = np.moveaxis(grid.mean, x, -1).reshape(-1, len(grid.axes[x]))
    index = np.moveaxis(grid.index, x, -1).reshape(-1, len(grid.axes[x]))
    return {int(row[k]) for line, row in zip(growth, index, strict=True) for k in beside(line)}


def _sentence(x: Axis, others: list[Axis], growth: Array) -> str:
    """For growth (..., X) over other numbers and x."""
    lines = growth.reshape(-1, growth.shape[-1])
    found = [values_of(x, line) for line in lines]
    crossed = [k for k, values in enumerate(found) if values]
    if not crossed:
        return _without(x, growth)
    text = f"the growth rate crosses zero at {x.name} ≈ "
    if len(lines) == 1:
        return text + ", ".join(plain(value) for value in found[0])
    values = [value for k in crossed for value in found[k]]
    if len(crossed) == len(lines) and all(len(values) == 1 for values in found):
        lengths = [len(axis) for axis in others]
        ends = sorted({int(np.argmin(values)), int(np.argmax(values))}, key=lambda k: values[k])
        return text + " to ".join(
            f"{plain(values[k])} ({_at(others, np.unravel_index(k, lengths))})" for k in ends
        )
    names = " x ".join(axis.name for axis in others)
    text += between(values)
    if len(crossed) < len(lines):
        text += f", for {len(crossed)} of {len(lines)} values of {names}"
    return text


def _joined(places: list[str]) -> str:
    more = f" and {len(places) - FEW} more" if len(places) > FEW else ""
    return "; ".join(places[:FEW]) + more


def _without(x: Axis, growth: Array) -> str:
    """There is no crossing along x."""
    known = growth[np.isfinite(growth)]
    span = f"{x.name} from {x.texts[0]} to {x.texts[-1]}"
    if not len(known):
        return f"no growth rate at any {span}"
    if (known < -NOTHING).all():
        return f"the growth rate is below zero for all {span}"
    if (known > NOTHING).all():
        return f"the growth rate is above zero for all {span}"
    return f"the growth rate does not cross zero along {span}"


def _at(axes: list[Axis], places: tuple[np.intp, ...]) -> str:
    return ", ".join(axis.at(int(k)) for axis, k in zip(axes, places, strict=True))
