"""What the explorer's script works with, as JSON: axes, points, curves, colours.

Points are in the order of the rows of the page's table. Each list of a point's numbers is a column
of its own, and curves with the same steps share them: so the text is short.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradlab.report import style
from gradlab.report.explorer.choice import Choice
from gradlab.report.explorer.traces import FINE, Trace
from gradlab.report.figures import mesh
from gradlab.report.page.elements import printable
from gradlab.report.sweep_figures import phase_diagram, roles
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.curves import LENGTH
from gradlab.report.sweep_figures.grid import Grid, Status, status_of
from gradlab.report.sweep_page import VERDICTS
from gradlab.report.sweep_table import Row, lookup, theory_growth_rate, trained

DIGITS = 5  # of a growth rate: to be drawn and sorted; the table has its text
NUMBERS = ("mean", "low", "high", "theory", "steps", "horizon")
LEARNED: dict[str, tuple[str, ...]] = {  # of trainings, in the order of the table's columns
    "loss": ("train", "final_loss", "mean"),
    "loss_low": ("train", "final_loss", "low"),
    "baseline": ("train", "baseline"),
    "below": ("train", "seeds", "below"),
    "acted": ("train", "clip", "acted"),
}


class Plane(NamedTuple):
    """Which axes the diagram has at first; up is None where it is the growth rate itself."""

    across: int
    up: int | None


def script_data(
    choice: Choice, rows: Sequence[Row], traces: Mapping[int, Trace], made: Grid
) -> str:
    """JSON that can stand within <script>: nothing in it ends the element.

    rows: the points of the table, all of them in choice; traces: by a row's index, where there are
    any.
    """
    places = [choice.at(row.index) for row in rows]
    names = kinds(rows)
    found = {
        "axes": [_axis(one, kept) for one, kept in zip(choice.axes, choice.places, strict=True)],
        **plane(made)._asdict(),
        **_colours(made),
        "kinds": [[printable(name), colour(name)] for name in names],
        "columns": _columns(made, rows),
        "places": [list(column) for column in zip(*filter(None, places), strict=True)],
        "verdicts": [names.index(_verdict(row)) for row in rows],
        "zero": [int(status_of(row) is Status.ZERO) for row in rows],
        "numbers": {name: [_number(row, name) for row in rows] for name in _numbers(rows)},
        "failed": {k: printable(row.failed) for k, row in enumerate(rows) if row.failed},
        "backwards": any(LENGTH in one.keys for one in choice.axes),
        **_traces([traces.get(row.index) for row in rows]),
    }
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _axis(one: Axis, kept: Sequence[int]) -> dict[str, Any]:
    """texts of the shown values; for numbers where they are (log: their log10), and the borders of
    their cells.
    """
    found: dict[str, Any] = {
        "name": printable(one.name),
        "texts": [printable(one.texts[k]) for k in kept],
    }
    if one.positions is None or len(kept) < 2:
        return found
    positions = one.positions[list(kept)]
    return found | {
        "log": one.log,
        "at": [_rounded(float(p)) for p in positions],
        "borders": [_rounded(float(p)) for p in mesh.borders(positions)],
    }


def plane(made: Grid) -> Plane:
    """The longest axes of numbers; else an axis of numbers, or of categories, and another."""
    if len(roles.numeric(made, roles.FEWEST)) >= 2:
        role = roles.plane(made)
    else:
        role = roles.lines(made) if roles.numeric(made) else roles.categories(made)
    return Plane(role.x or 0, role.across)


def _colours(made: Grid) -> dict[str, Any]:
    growth = np.where(made.status == Status.ZERO, -np.inf, made.mean)
    limit, _ = phase_diagram.colour_limit(growth)
    return {
        "limit": _rounded(limit),
        "growth": [[_rounded((2 * at - 1) * limit), c] for at, c in style.GROWTH],
    }


def _trained(rows: Sequence[Row]) -> bool:
    return any(trained(row.summary) for row in rows)


def _numbers(rows: Sequence[Row]) -> tuple[str, ...]:
    return (*NUMBERS, *LEARNED) if _trained(rows) else NUMBERS


def _columns(made: Grid, rows: Sequence[Row]) -> list[str | int]:
    """What each column of the table is and is sorted by: an axis, verdicts, or a number's name."""
    keys = [k for k, one in enumerate(made.axes) for _ in one.keys]
    if _trained(rows):
        return [*keys, *LEARNED, "verdicts", "mean"]
    theory = ["theory"] if np.isfinite(made.theory).any() else []
    return [*keys, "verdicts", "mean", "low", *theory, "steps", "horizon"]


def kinds(rows: Sequence[Row]) -> list[str]:
    """The verdicts that there are, `failed` among them."""
    there = {_verdict(row) for row in rows}
    return [*(name for name in VERDICTS if name in there), *sorted(there - set(VERDICTS))]


def colour(verdict: str) -> str:
    """That of a verdict; of what is none, that of notes."""
    return style.VERDICT_COLOURS.get(verdict, style.SOFT)


def _verdict(row: Row) -> str:
    return "failed" if row.summary is None else str(row.summary["verdict"])


def _number(row: Row, name: str) -> float | None:
    summary = row.summary or {}
    if name == "theory":
        value = theory_growth_rate(summary)
    elif name == "steps":
        value = summary.get("half_life") or summary.get("doubling_time")
    elif name == "horizon":
        value = lookup(summary, ("horizon",))
    elif name in LEARNED:
        value = lookup(summary, LEARNED[name])
    else:
        value = lookup(summary, ("growth_rate", name))
    return None if value is None or not math.isfinite(value) else _rounded(float(value))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _traces(found: Sequence[Trace | None]) -> dict[str, Any]:
    """grids: lists of steps; traces: the place of its grid, and the differences, by point."""
    grids: dict[tuple[int, ...], int] = {}
    lines: list[list[Any] | None] = []
    for one in found:
        if one is None or all(step is None for step in one.median):
            lines.append(None)
            continue
        grid = grids.setdefault(one.t, len(grids))
        lines.append([grid, one.median, *([one.low, one.high] if one.low else [])])
    return {"grids": [list(t) for t in grids], "traces": lines, "fine": FINE}
