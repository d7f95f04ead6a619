"""A logarithmic axis without a logarithmic scale: a linear axis of log10 values, labelled 10^k.

Norms reach 10^-1000 and 10^1000, far outside float range, where a logarithmic scale has no
coordinates; and a linear axis draws faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradlab.report.figures.ensemble import Array

NARROWEST = 1.0  # decades: what hardly changes looks flat
MARGIN = 0.06  # of the span, on both sides
TICKS = 7
EDGE = 0.04  # of an x axis
FINE, MEDIUM, COARSE = (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3)
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def limits(values: Iterable[Array], narrowest: float = NARROWEST) -> tuple[float, float]:
    """Lower and upper limit of an axis that shows all finite values, and so many decades."""
    finite = np.concatenate([v[np.isfinite(v)] for v in map(np.atleast_1d, values)])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    wider = max(0.0, narrowest - (high - low)) / 2
    low, high = low - wider, high + wider
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def set_limits(ax: Axes, low: float, high: float, most: int = TICKS) -> None:
    """Set the limits of the y axis, with ticks at powers of ten, or between them where it is
    short.
    """
    positions = ticks(low, high, most)
    ax.set_ylim(low, high)
    ax.set_yticks(positions, labels(positions))


def ticks(low: float, high: float, most: int = TICKS) -> list[float]:
    """At most so many positions, as many as that allows: within the decades, or whole decades."""
    span = high - low
    for digits in (FINE, MEDIUM, COARSE) if span < most else ():
        decades = range(math.floor(low), math.ceil(high))
        every = [decade + math.log10(digit) for decade in decades for digit in digits]
        inside = [float(position) for position in every if low <= position <= high]
        if len(inside) <= most:
            return inside
    steps = (digit * 10**power for power in range(10) for digit in (1, 2, 3, 5))
    step = next(step for step in steps if span / step <= most - 0.5)
    return [float(k * step) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def set_x(ax: Axes, low: float, high: float, most: int = TICKS) -> None:
    """Limits and ticks of an x axis; none so near to its ends that its label would not fit."""
    inside = EDGE * (high - low)
    positions = ticks(low + inside, high - inside, most)
    ax.set_xlim(low, high)
    ax.set_xticks(positions, labels(positions))


def labels(positions: Sequence[float]) -> list[str]:
    """10**position for each: plain numbers near 1, else 10⁻⁵, 3·10⁻⁵."""
    whole = all(position == round(position) for position in positions)
    near = 2 if whole else 4
    plain = all(abs(position) < near for position in positions)
    return [
        _plain(position) if plain or abs(position) <= 1 else _power(position)
        for position in positions
    ]


def about(log10: float) -> str:
    """10**log10 for a title, to one digit: 0.3, 3·10⁻⁵; the power of ten alone where it is farther
    than a thousand powers from 1; nothing.
    """
    if math.isinf(log10) or math.isnan(log10):
        return "nothing"
    if abs(log10) < 2:
        return f"{10**log10:.1g}"
    exponent = math.floor(log10)
    digit = round(10 ** (log10 - exponent))
    if abs(log10) > 1000 or digit == 10:
        exponent, digit = round(log10), 1
    power = f"10{str(exponent).translate(_SUPERSCRIPT)}"
    return power if digit == 1 else f"{digit}·{power}"


def _plain(log10: float) -> str:
    return f"{10**log10:.2g}" if log10 < 2 else f"{10**log10:.0f}"


def _power(log10: float) -> str:
    exponent = math.floor(log10 + 1e-9)
    digit = round(10 ** (log10 - exponent), 1)
    power = f"10{str(exponent).translate(_SUPERSCRIPT)}"
    return power if digit == 1 else f"{digit:g}·{power}"
