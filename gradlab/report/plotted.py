"""A record's gradient and a spectrum of it as plots of characters, for `gradlab show`.

Drawn with plotille in dots of Braille, eight to a character, at most 80 columns wide; the numbers
at the axes and the shape say all, and the one colour, that of the verdict, nothing more. A terminal
that has no such characters gets the curve in one line instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report import network
from gradlab.report.figures.ensemble import members, over_members
from gradlab.report.words import power, signed

WIDTH, HEIGHT = 60, 11  # of the field, in characters
BESIDE = 20  # characters: the numbers at its left, and the end of the axis
NARROWEST = 10
NUMBER = 9  # characters
BLANK = "\N{BRAILLE PATTERN BLANK}"
LEAST = {"norm": 1.0, "rate": 0.1}  # height of a field: decades; nats per step


@dataclass(frozen=True)
class Plot:
    """A heading and the lines below it."""

    title: str
    lines: list[str]


def plots(record: Record, columns: int = WIDTH + BESIDE) -> list[Plot]:
    """The gradient over t, and a spectrum, in so many columns; what was not recorded, or is nowhere
    finite, is left out.
    """
    width = max(NARROWEST, min(WIDTH, columns - BESIDE))
    return [plot for plot in (gradient(record, width), spectrum(record, width)) if plot is not None]


def gradient(record: Record, width: int = WIDTH) -> Plot | None:
    """The median over the seeds of ||dL/dh_t||; its gaps are exact zeros."""
    curve = over_members(record["t"], record["log10_grad_norm_h"])
    over = members(curve.members)
    title = f"|dL/dh_t| over t, {over}; the gradient travels from right to left"
    return _plot(title, record["t"].astype(float), curve.median, ("t", "norm"), width)


def spectrum(record: Record, width: int = WIDTH) -> Plot | None:
    """All Lyapunov exponents, or where there are none the singular values of W_hh."""
    exponents = record.arrays.get("lyapunov_exponents")
    if exponents is not None:
        alive = exponents[:, 0][~np.isnan(exponents[:, 0]).any(axis=1)]
        values = np.median(alive, axis=0) if len(alive) else np.empty(0)
        title = f"Lyapunov exponents, nats per {network.unit(record)}, the largest first"
        return _plot(title, np.arange(1.0, len(values) + 1), values, ("i", "rate"), width)
    weights = record.arrays.get("weight_singular_values")
    if weights is None or not network.tied(record):
        return None
    each = np.sort(weights.reshape(len(weights), -1), axis=1)[:, ::-1]
    with np.errstate(divide="ignore"):
        values = np.log10(np.median(each, axis=0))
    title = "singular values of W_hh, the largest first"
    return _plot(title, np.arange(1.0, len(values) + 1), values, ("i", "norm"), width)


def _plot(title: str, x: Array, y: Array, axes: tuple[str, str], width: int) -> Plot | None:
    """y over x, in whole numbers. axes: of x, and of y: norm, log10 of what is told, or rate."""
    from plotille import Figure

    number = power if axes[1] == "norm" else signed
    finite = np.isfinite(y)
    if not finite.any():
        return None
    low, high = float(y[finite].min()), float(y[finite].max())
    wider = max(0.0, LEAST[axes[1]] - (high - low)) / 2
    low, high = low - wider, high + wider
    figure: Any = Figure()
    figure.width, figure.height = width, HEIGHT
    figure.with_colors = figure.origin = False
    figure.x_label, figure.y_label = axes
    last = max(float(x[-1]), float(x[0]) + 1)
    # a dot more: what lies on the upper limit would not be drawn
    figure.set_x_limits(float(x[0]), last + (last - float(x[0])) / (2 * width))
    figure.set_y_limits(low, high + (high - low) / (4 * HEIGHT))
    figure.x_ticks_fkt = lambda value, _: f"{value:.0f}"
    figure.y_ticks_fkt = lambda value, _: f"{number(value)[:NUMBER]:>{NUMBER}}"
    for start, end in _runs(finite):
        figure.plot(x[start:end].tolist(), y[start:end].tolist())
    lines = figure.show().replace(BLANK, " ").splitlines()
    return Plot(title, [line.rstrip() for line in lines])


def _runs(there: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], there.astype(int), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
