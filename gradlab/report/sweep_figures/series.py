"""Colours, markers and labels of the values of an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.report import style
from gradlab.report.sweep_figures.axis import Axis
from gradlab.report.sweep_figures.roles import chosen

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST = len(style.CATEGORIES)
DARK, LIGHT = 0.0, 0.84  # of viridis: the yellow is too light for a line


@dataclass(frozen=True)
class Series:
    """One value of an axis."""

    place: int
    colour: str
    marker: str
    label: str


def along(axis: Axis | None, most: int = MOST) -> list[Series]:
    """The values that are drawn; a single nameless one if there is no axis."""
    if axis is None:
        return [Series(0, style.INDIGO, "o", "")]
    places = chosen(axis, most)
    colours = [style.CATEGORIES[k % MOST] for k in range(len(places))]
    if axis.positions is not None:
        colours = _sequence(axis.positions[places])
    return [
        Series(place, colour, MARKERS[k % MOST], axis.at(place))
        for k, (place, colour) in enumerate(zip(places, colours, strict=True))
    ]


def sequential() -> Colormap:
    """Colours of numbers, dark to light: told apart in grey, and unlike those of the verdicts."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(DARK, LIGHT, 256)))


def _sequence(positions: np.ndarray) -> list[str]:
    from matplotlib.colors import to_hex

    span = float(positions[-1] - positions[0]) or 1.0
    colours = sequential()
    return [to_hex(colours(float(p - positions[0]) / span)) for p in positions]
