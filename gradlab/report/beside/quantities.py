"""The numbers of results side by side, with their differences from the first.

The spread of a growth rate is half of its 95 % interval. That of a difference takes both intervals
as those of independent runs: the root of the sum of their squares. With as many seeds in both this
is no narrower than Welch's interval, whose degrees of freedom are at least those of either run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradlab.report import network
from gradlab.report.beside import Compared
from gradlab.report.sweep_table import lookup, theory_growth_rate
from gradlab.report.tables import Table
from gradlab.report.words import NOTHING, plain, power, rate_text, share, signed

TOGETHER = 3  # results in a table: 80 columns are enough
RATE = ("growth_rate", "mean")
SPREADS = "+-: half of the 95 % interval; of a difference both together, as of independent runs"


def small(value: float | None) -> str:
    """A spread; 0 where nothing but rounding is left."""
    return "0" if value is not None and abs(value) <= NOTHING else plain(value)


@dataclass(frozen=True)
class Quantity:
    """A number of the summary: what it is called, and how it and its difference are shown."""

    path: tuple[str, ...]
    name: str
    show: Callable[[float | None], str] = plain
    factor: bool = False  # a logarithm: the difference is told as a factor
    alike: bool = False  # means another thing for another verdict: then there is no difference


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(RATE, "growth rate, nats/{unit}", signed),
    Quantity(("growth_rate", "std"), "std over seeds", small),
    Quantity(("theory", "growth_rate"), "growth rate of theory", signed),
    Quantity(("half_life",), "half-life, {unit}s"),
    Quantity(("doubling_time",), "doubling time, {unit}s"),
    Quantity(("horizon",), "horizon, {unit}s", alike=True),  # 1 % left, or 100 times as much
    Quantity(("log10_remaining",), "left of the gradient", power, factor=True),
    Quantity(("memory_horizon",), "memory horizon, steps"),
    Quantity(("sigma_max",), "sigma_max, W_hh"),
    Quantity(("spectral_radius",), "spectral radius, W_hh"),
    Quantity(("lyapunov_max",), "largest Lyapunov exp.", signed),
    Quantity(("log10_parameter_grad_norm",), "parameter gradient", power, factor=True),
    Quantity(("train", "final_loss_median"), "loss at the end, training"),
    Quantity(("train", "clip", "acted"), "clip acted, all updates"),
    Quantity(("clip", "acted"), "clipping acted"),
    Quantity(("truncation", "lost"), "lost by truncation"),
    Quantity(("loss",), "loss"),
)
SHARES = {("train", "clip", "acted"), ("clip", "acted"), ("truncation", "lost")}


def value(one: Compared, quantity: Quantity) -> float | None:
    """The number of one result; None where it has none."""
    summary = one.record.summary
    if quantity.path == ("theory", "growth_rate"):
        return theory_growth_rate(summary)
    if quantity.path == ("clip", "acted") and "train" in summary:
        return None  # of the last weights' batch alone; train.clip.acted is of all updates
    found: float | None = lookup(summary, quantity.path)
    return found


def difference(first: Compared, other: Compared, quantity: Quantity) -> float | None:
    """other - first; of logarithms log10 of the factor. None where either is unknown."""
    a, b = value(first, quantity), value(other, quantity)
    same = first.record.summary["verdict"] == other.record.summary["verdict"]
    return None if a is None or b is None or (quantity.alike and not same) else b - a


def half_width(*results: Compared) -> float | None:
    """Half of the 95 % interval of a growth rate, or of the difference of two; None if unknown."""
    squares = []
    for one in results:
        rate = one.record.summary["growth_rate"] or {}
        if rate.get("low") is None or rate.get("high") is None:
            return None
        squares.append(((rate["high"] - rate["low"]) / 2) ** 2)
    return math.sqrt(sum(squares))


def tables(compared: Sequence[Compared]) -> list[Table]:
    """Two results and their difference in one table; of more, so many in each as fit."""
    first, *others = compared
    unit = _unit(compared)
    known = [q for q in QUANTITIES if any(value(one, q) is not None for one in compared)]
    names = [quantity.name.format(unit=unit) for quantity in known]
    verdicts = ["verdict", *(one.record.summary["verdict"] for one in compared)]
    cells = [
        [name, *(_cell(one, q) for one in compared)] for name, q in zip(names, known, strict=True)
    ]
    apart = [
        [name, *(_apart(first, other, q) for other in others)]
        for name, q in zip(names, known, strict=True)
    ]
    heads = [f"{other.letter} - {first.letter}" for other in others]
    if len(compared) == 2:
        rows = [
            [*verdicts, ""],
            *([*row, last] for row, (_, last) in zip(cells, apart, strict=True)),
        ]
        return [_table("Numbers", ["", *(one.letter for one in compared), heads[0]], rows)]
    return [
        *_split("Numbers", ["", *(one.letter for one in compared)], [verdicts, *cells]),
        *_split(f"Differences from {first.letter}", ["", *heads], apart),
    ]


def sentences(compared: Sequence[Compared]) -> list[str]:
    """How far each growth rate is from the first, and whether the seeds tell them apart."""
    first, *others = compared
    lines = []
    rate = QUANTITIES[0]
    for other in others:
        off, width = difference(first, other, rate), half_width(first, other)
        if off is None:
            continue
        text = f"{other.letter} against {first.letter}: growth rate {rate_text(off)}"
        text += f"{_half(width)} nats per {_unit(compared)}"
        apart = width is None or abs(off) > max(width, NOTHING)
        lines.append(f"{text}." if apart else f"{text}; their intervals do not tell them apart.")
    return lines


def as_data(compared: Sequence[Compared]) -> dict[str, Any]:
    """Dotted name -> values, and differences from the first (its own is null)."""
    first, *others = compared
    return {
        ".".join(quantity.path): {
            "values": [value(one, quantity) for one in compared],
            "differences": [None, *(difference(first, other, quantity) for other in others)],
        }
        for quantity in QUANTITIES
    }


def _unit(compared: Sequence[Compared]) -> str:
    units = {network.unit(one.record) for one in compared}
    return units.pop() if len(units) == 1 else "step"


def _half(width: float | None) -> str:
    """+- the half of an interval; '' where it is unknown."""
    return "" if width is None else f" +- {plain(width) if width > NOTHING else '0'}"


def _cell(one: Compared, quantity: Quantity) -> str:
    found = value(one, quantity)
    if found is None:
        return "-"
    if quantity.path in SHARES:
        return share(found)
    if quantity.path == RATE:
        return rate_text(found) + _half(half_width(one))
    return quantity.show(found)


def _apart(first: Compared, other: Compared, quantity: Quantity) -> str:
    off = difference(first, other, quantity)
    if off is None:
        return "-"
    if quantity.factor:
        return f"{power(off)} times"
    if quantity.path in SHARES:
        return f"{100 * off:+.3g} points"
    return rate_text(off) + (_half(half_width(first, other)) if quantity.path == RATE else "")


def _split(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Table]:
    """A table of many columns as several; the first column stands in each."""
    starts = range(1, len(header), TOGETHER)
    return [
        _table(
            title,
            [header[0], *header[k : k + TOGETHER]],
            [[row[0], *row[k : k + TOGETHER]] for row in rows],
        )
        for k in starts
    ]


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    spread = any("+-" in cell for row in rows for cell in row)
    return Table(title, tuple(header), tuple(map(tuple, rows)), (SPREADS,) if spread else ())
