"""Figures as `save` makes them, and what is found in them."""

from __future__ import annotations

from functools import cache

import numpy as np
from figure_records import record
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from gradlab.record import Record
from gradlab.report import figures, style
from gradlab.report.figures import captions


@cache
def drawn(name: str, case: str) -> tuple[Figure, Axes]:
    """A figure as `save` makes it, drawn."""
    return drawn_of(name, record(case))


def drawn_of(name: str, source: Record) -> tuple[Figure, Axes]:
    """The figure of this record."""
    with style.applied():
        figure = style.new_figure(figures.FIGURES[name].size)
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        figures.FIGURES[name].draw(ax, source)
        captions.make_room(figure, ax)
        figure.draw_without_rendering()
    return figure, ax


def line(ax: Axes, starts: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the line whose label starts so."""
    (found,) = [one for one in ax.get_lines() if str(one.get_label()).startswith(starts)]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata(), float)


def texts(figure: Figure, axes: list[Axes]) -> list[Text]:
    """All text that is seen; matplotlib also keeps tick labels outside the limits."""
    unseen = [
        tick.label1
        for axis in [axis for ax in axes for axis in (ax.xaxis, ax.yaxis)]
        for tick in axis.majorTicks
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    found = [text for text in figure.findobj(Text) if text not in unseen]
    return [text for text in found if text.get_text() and text.get_visible()]
