"""The curve of freshly drawn weights in the figure of the norms.

Claims:
- its line is the median of its array, its band from the least to the largest;
- what was measured with the file's weights keeps at least a third of the axis: a fresh curve that
  falls far below, or rises far above, leaves the picture, and the legend says where it ends;
- without the array the figure is as it was, and one seed is not called a median;
- its colour is apart in grey from those it is drawn among; all text is inside the page.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import line, texts
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from test_style import lightness

import gradlab
from gradlab.record import Record
from gradlab.report import figures, style
from gradlab.report.figures import captions
from gradlab.report.figures.fresh import ROOM
from gradlab.report.trained import FRESH
from gradlab.report.words import power

LABEL = "freshly drawn, same scale: "


def measured(seeds: int = 3, slope: float | None = None) -> Record:
    """A run whose fresh curve is its own, less slope decades a step; none without a slope."""
    record = gradlab.run(
        {"cell": "lstm", "hidden_size": 4, "seq_len": 40, "seeds": seeds, "spectrum": "none"}
    )
    if slope is None:
        return record
    own = record["log10_grad_norm_h"]
    away = slope * (record["t"][-1] - record["t"])
    return replace(record, arrays=record.arrays | {FRESH: own - away})


def drawn(record: Record) -> tuple[Figure, Axes]:
    with style.applied():
        figure = style.new_figure(figures.FIGURES["gradient_norms"].size)
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        figures.FIGURES["gradient_norms"].draw(ax, record)
        captions.make_room(figure, ax)
        figure.draw_without_rendering()
    return figure, ax


@pytest.mark.parametrize("slope", [0.0, 0.01, -0.01, 3.0, -3.0, 1e4])
def test_the_line_is_the_median(slope: float) -> None:
    record = measured(3, slope)
    figure, ax = drawn(record)
    x, y = line(ax, LABEL)
    np.testing.assert_array_equal(x, record["t"])
    np.testing.assert_array_equal(y, np.median(record[FRESH], axis=0))
    colour = style.FRESH
    (band,) = [one for one in ax.collections if _hex(one) == colour]
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == record[FRESH].min()
    assert corners[:, 1].max() == record[FRESH].max()
    box = [text.get_window_extent() for text in texts(figure, [ax])]
    assert min(one.x0 for one in box) >= figure.bbox.x0
    assert max(one.x1 for one in box) <= figure.bbox.x1


@pytest.mark.parametrize("slope", [0.01, -0.01, 3.0, -3.0, 1e4])
def test_it_does_not_press_the_measured_flat(slope: float) -> None:
    low, high = drawn(measured())[1].get_ylim()
    record = measured(3, slope)
    bottom, top = drawn(record)[1].get_ylim()
    assert bottom <= low < high <= top
    # the limits have a rim, in proportion to what is between them
    assert top - bottom <= (1 + ROOM) * (high - low) * 1.1
    label = next(
        str(one.get_label())
        for one in drawn(record)[1].get_lines()
        if str(one.get_label()).startswith(LABEL)
    )
    end = float(np.median(record[FRESH], axis=0)[0])
    outside = not bottom <= end <= top
    assert outside == (abs(slope) > 1)
    assert label == f"{LABEL}median" + (f", {power(end)} at t = 0" if outside else "")


def test_zeros_are_gaps_and_draw_no_warning() -> None:
    record = measured(3, 0.0)
    arrays = {FRESH: record[FRESH].copy()}
    arrays[FRESH][:, :20] = -np.inf
    _, y = line(drawn(replace(record, arrays=record.arrays | arrays))[1], LABEL)
    assert np.isnan(y[:20]).all()
    assert np.isfinite(y[20:]).all()
    arrays[FRESH][:] = -np.inf  # nothing is left of it: no line
    _, ax = drawn(replace(record, arrays=record.arrays | arrays))
    assert not [one for one in ax.get_lines() if str(one.get_label()).startswith(LABEL)]


def test_one_seed_is_no_median() -> None:
    label = [str(one.get_label()) for one in drawn(measured(1, 0.0))[1].get_lines()]
    assert f"{LABEL}one seed" in label


def test_without_it_there_is_none() -> None:
    _, ax = drawn(measured())
    assert not [one for one in ax.get_lines() if str(one.get_label()).startswith("freshly")]


def test_its_colour_is_apart_in_grey() -> None:
    others = [lightness(colour) for colour in style.PART_COLOURS.values()]
    assert min(abs(lightness(style.FRESH) - other) for other in others) > 6  # as within a palette


def _hex(collection: object) -> str:
    from matplotlib.collections import Collection
    from matplotlib.colors import to_hex

    assert isinstance(collection, Collection)
    return to_hex(collection.get_facecolor()[0]) if len(collection.get_facecolor()) else ""
