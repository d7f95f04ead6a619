"""Claims, for real sweeps over one to four axes and for every fault in sweep_rows:

- each figure that applies is drawn without a warning, labelled, its text inside the page and none
  of it over another;
- each figure can be drawn even where nothing is known, and no point is dropped without a mark;
- the contour of the edge lies where linear interpolation puts it: growth = x - y is zero on x = y;
- colours are centred at zero: white there, the verdicts' colours on their sides;
- the same sweep gives the same bytes, and 10,000 points are drawn in seconds.
"""

from __future__ import annotations

import math
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text
from sweep_rows import FAULTS, REAL, SCALE, Swept, closed, made, real, summary

from gradlab.errors import GradlabError
from gradlab.report import style, sweep_figures
from gradlab.report.sweep_figures import edges, phase_diagram, roles, scales
from gradlab.report.sweep_figures.axis import axis
from gradlab.report.sweep_figures.grid import Status, grid
from gradlab.report.sweep_table import Row

FIGURES = sweep_figures.SWEEP_FIGURES


def applying(swept: Swept) -> list[str]:
    found = grid(*swept)
    return [name for name, entry in FIGURES.items() if entry.applies(found)]


def drawn(name: str, swept: Swept) -> Figure:
    """A figure as `save` makes it, drawn."""
    with style.applied():
        figure = style.new_figure()
        FigureCanvasAgg(figure)
        FIGURES[name].draw(figure, grid(*swept))
        figure.draw_without_rendering()
    return figure


def panel(figure: Figure) -> Axes:
    return figure.axes[0]


def texts(figure: Figure) -> list[Text]:
    """All text that is seen; matplotlib also keeps tick labels outside the limits."""
    unseen = [
        tick.label1
        for ax in figure.axes
        for side in (ax.xaxis, ax.yaxis)
        for tick in side.majorTicks
        if not min(side.get_view_interval()) <= tick.get_loc() <= max(side.get_view_interval())
    ]
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text not in unseen
    ]


def check_text(figure: Figure) -> None:
    """Nothing leaves the page, nothing is written over another."""
    page = figure.bbox
    boxes = [(text.get_window_extent(), text) for text in texts(figure)]
    for box, text in boxes:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    for (a, one), (b, other) in combinations(boxes, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(wide, high) <= 1, (one, other)


@pytest.mark.parametrize("case", REAL)
def test_real_sweeps_are_drawn_labelled_and_legible(case: str) -> None:
    swept = real(case)
    names = applying(swept)
    assert names
    for name in names:
        figure = drawn(name, swept)
        check_text(figure)
        shown = {text.get_text() for text in texts(figure)}
        if name in ("growth_rate", "categories"):
            assert "growth rate (nats per step)" in shown
        assert not any("None" in text for text in shown)


def test_which_figures_there_are() -> None:
    assert applying(real("one number")) == ["growth_rate", "curves"]
    assert applying(real("two numbers")) == ["phase_diagram", "growth_rate"]
    assert applying(real("cells and a number")) == ["growth_rate"]
    assert applying(real("four axes")) == ["phase_diagram", "growth_rate"]
    assert applying(real("one category")) == ["categories", "curves"]
    assert applying(real("three categories")) == ["categories"]
    assert applying(real("single point")) == applying(real("single number")) == ["categories"]


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_drawn_legibly_and_without_a_warning(case: str) -> None:
    for name in applying(closed(case)):
        check_text(drawn(name, closed(case)))


@pytest.mark.parametrize("case", ["all failed", "nothing done"])
@pytest.mark.parametrize(
    ("name", "axes"),
    [("phase_diagram", "plane"), ("growth_rate", "cells"), ("categories", "names")],
)
def test_where_nothing_is_known_nothing_is_saved_but_all_could_be_drawn(
    name: str, axes: str, case: str, tmp_path: Path
) -> None:
    swept = closed(f"{axes}, {case}")
    assert sweep_figures.save(*swept, tmp_path, ["png"], 50) == []
    check_text(drawn(name, swept))


@pytest.mark.parametrize(
    ("case", "status", "label"),
    [
        ("overflow", Status.OVERFLOW, "overflow (top)"),
        ("failures", Status.FAILED, "failed (bottom)"),
        ("zeros", Status.ZERO, "exactly zero (bottom)"),
        ("half done", Status.MISSING, "not computed (bottom)"),
    ],
)
def test_points_without_a_growth_rate_are_marked(case: str, status: Status, label: str) -> None:
    swept = closed(f"cells, {case}")
    ax = panel(drawn("growth_rate", swept))
    marks = [line for line in ax.get_lines() if line.get_label() == label]
    count = int((grid(*swept).status == status).sum())
    assert count > 0
    assert sum(len(np.asarray(line.get_xdata())) for line in marks) == count
    means = [line for line in ax.get_lines() if str(line.get_label()).startswith("cell=")]
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in means])
    assert np.isfinite(values).sum() == (grid(*swept).status == Status.MEASURED).sum()


def test_cells_without_a_growth_rate_are_hatched() -> None:
    swept = closed("plane, overflow")
    ax = panel(drawn("phase_diagram", swept))
    (hatched,) = [c for c in ax.collections if c.get_hatch()]
    (row,) = hatched.get_paths()  # one length, all scales
    assert (row.get_extents().x0, row.get_extents().x1) == ax.get_xlim()


def test_a_gradient_that_is_exactly_zero_has_the_colour_of_vanishing() -> None:
    ax = panel(drawn("phase_diagram", closed("plane, zeros")))
    assert not [c for c in ax.collections if c.get_hatch()]
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    mesh.update_scalarmappable()
    lowest = phase_diagram.colours()(0.0)
    assert (np.abs(mesh.get_facecolor() - lowest).max(axis=-1) < 1e-6).sum() >= 8


def contour(figure: Figure) -> np.ndarray:
    (found,) = [c for c in panel(figure).collections if isinstance(c, QuadContourSet)]
    return np.concatenate([path.vertices for path in found.get_paths()])


def test_the_edge_lies_where_growth_is_zero() -> None:
    x, y = [0.0, 0.5, 1.1, 1.6, 2.0, 3.0], [0.0, 0.7, 1.4, 2.1, 3.0]
    at = contour(drawn("phase_diagram", made({"x": x, "y": y}, lambda a, b: a - b)))
    np.testing.assert_allclose(at[:, 0], at[:, 1], rtol=0, atol=1e-12)
    assert at.min() == 0
    assert at.max() == 3


def test_the_edge_of_a_curved_surface_is_interpolated_along_the_grid() -> None:
    x, y = np.linspace(0.5, 3, 11), np.array([1.0, 2.0, 3.0])
    swept = made({"x": x.tolist(), "y": y.tolist()}, lambda a, b: math.log(a) - 0.1 * b)
    at = contour(drawn("phase_diagram", swept))
    for b in y:
        (expected,) = edges.crossings(x, np.log(x) - 0.1 * b)
        row = at[np.abs(at[:, 1] - b) < 1e-12]
        assert np.abs(row[:, 0] - expected).min() < 1e-12


def test_crossings() -> None:
    x = np.array([1.0, 2.0, 4.0, 5.0])
    assert edges.crossings(x, np.array([-1.0, -1.0, 3.0, 5.0])) == [2.5]
    assert edges.crossings(x, np.array([-1.0, 1e-17, 3.0, -1.0])) == [2.0, 4.75]
    assert edges.crossings(x, np.array([-1.0, 0.0, 0.0, 1.0])) == [3.0]
    assert edges.crossings(x, np.array([-1.0, np.nan, 1.0, 2.0])) == [2.5]
    assert edges.crossings(x, np.array([0.0, 0.0, 1.0, 2.0])) == []
    assert edges.crossings(x, np.full(4, np.nan)) == []
    assert edges.beside(np.array([-1.0, -1.0, np.nan, 3.0, 5.0])) == {1, 3}


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_the_spacing_of_an_axis_does_not_depend_on_the_unit(unit: float) -> None:
    """Also where a square leaves float range, above and below."""
    for numbers, log in [([1, 2, 3, 4], False), ([1, 10, 100, 1000], True), ([1, 2, 3], False)]:
        assert axis(("weight_scale",), [unit * number for number in numbers]).log == log


def test_between_logarithmic_points_it_is_the_logarithm_that_is_interpolated() -> None:
    scale = axis(["weight_scale"], [(0.01,), (0.1,), (1.0,), (10.0,)])
    assert scale.log
    (value,) = edges.values_of(scale, np.array([-2.0, -1.0, 1.0, 2.0]))
    assert value == pytest.approx(10**-0.5, rel=1e-12)


def test_crossings_are_marked_and_named() -> None:
    swept = made({"cell": ["rnn", "gru"], "g": SCALE}, lambda cell, g: g - len(cell) / 2)
    ax = panel(drawn("growth_rate", swept))
    marks = [line for line in ax.get_lines() if line.get_label() == "mean crosses zero"]
    assert [np.asarray(line.get_xdata()).tolist() for line in marks] == [[1.5], [1.5]]
    labels = [str(line.get_label()) for line in ax.get_lines()]
    assert "cell=rnn, zero at 1.5" in labels
    assert ax.get_ylim()[0] < 0 < ax.get_ylim()[1]


def test_colours_are_centred_at_zero() -> None:
    swept = made({"x": SCALE, "y": SCALE}, lambda a, b: a - b - 0.7)
    ax = panel(drawn("phase_diagram", swept))
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert mesh.cmap(mesh.norm(0.0))[:3] == (1, 1, 1)
    blue, orange = (to_rgb(style.VERDICT_COLOURS[v]) for v in ("vanishing", "exploding"))
    np.testing.assert_allclose(mesh.cmap(0.2)[:3], blue, atol=0.01)
    np.testing.assert_allclose(mesh.cmap(1.0)[:3], orange, atol=0.01)


def test_colours_end_before_an_outlier_and_the_bar_says_so() -> None:
    growth = np.linspace(-1, 1, 99)
    assert phase_diagram.colour_limit(growth) == (1.0, "neither")
    limit, extend = phase_diagram.colour_limit(np.append(growth, [50.0, np.nan]))
    assert 0.9 < limit < 1.01
    assert extend in ("max", "both")
    assert phase_diagram.colour_limit(np.append(growth, -np.inf)) == (1.0, "min")
    assert phase_diagram.colour_limit(np.zeros(5)) == (phase_diagram.LEAST, "neither")
    swept = made({"x": list(range(10)), "y": list(range(10))}, lambda a, b: 50.0 ** (a * b == 81))
    assert any(
        "colours end at ±1" in text.get_text() for text in texts(drawn("phase_diagram", swept))
    )


@pytest.mark.parametrize(
    ("case", "title"),
    [("zeros", "Vanishing everywhere"), ("failures", "Exploding wherever it is known")],
)
def test_everywhere_is_said_only_where_all_is_known(case: str, title: str) -> None:
    found = grid(*closed(f"cells, {case}"))
    assert edges.title(found, roles.lines(found)) == title


def test_textbook_bound_is_the_record_s() -> None:
    swept = real("one number")
    ax = panel(drawn("growth_rate", swept))
    (bound,) = [line for line in ax.get_lines() if str(line.get_label()).startswith("textbook")]
    expected = [
        math.log(row.summary["theory"]["textbook"]["bound_per_step"])
        for row in swept.rows
        if row.summary
    ]
    np.testing.assert_array_equal(bound.get_ydata(), expected)


def test_numbers_ascend_whatever_their_order_and_are_judged_for_their_spacing() -> None:
    found = grid(*closed("unsorted"))
    assert found.axes[0].texts == ("0.5", "1", "2")
    assert found.mean.tolist() == [-0.75, -0.25, 0.75]
    assert found.index.tolist() == [1, 2, 0]
    assert [found.value_texts(k) for k in range(3)] == [["2"], ["0.5"], ["1"]]
    spacing = {(20, 40, 60, 80): False, (1, 2, 4, 8): True, (10, 20, 50, 100): True}
    spacing |= {(0.5, 1.0, 2.0): True, (1.0, 1.2, 1.5): False, (0, 1, 10): False}
    spacing |= {(-1e300, 0, 1e300): False, (1e-200, 1, 1e200): True, (1e299, 1e300, 1.9e300): False}
    for values, log in spacing.items():
        assert axis(["a"], [(value,) for value in values]).log is log


def test_what_is_no_number_is_a_category() -> None:
    assert axis(["clip"], [(None,), (1.0,)]).positions is None
    assert axis(["a"], [(True,), (False,)]).positions is None
    assert axis(["a"], [(1,), (1.0,)]).positions is None
    assert axis(["a", "b"], [(1, 2), (3, 4)]).texts == ("1, 2", "3, 4")
    relu = {"type": "rnn", "activation": "relu"}
    assert axis(["cell"], [("rnn",), (relu,)]).texts == ("rnn", "relu rnn")


def test_no_two_values_have_the_same_text() -> None:
    close = [(1.0,), (1.0 + 1e-15,)]
    long = [("x" * 40 + "a",), ("x" * 40 + "b",)]
    for values in (close, long):
        assert len(set(axis(["a"], values).texts)) == 2


def test_panels_and_lines_are_thinned_and_it_is_said() -> None:
    def growth(a: int, *_: object) -> float:
        return a - 5.0

    axes = {"a": list(range(30)), "b": [f"b{k}" for k in range(20)], "c": list("abcdefghijklmnop")}
    swept = made(axes, growth)
    figure = drawn("growth_rate", swept)
    assert len(figure.axes) == 12
    words = " ".join(text.get_text() for text in texts(figure))
    assert "8 of 20 values of b; 12 of 16 values of c" in words
    swept = made({"a": list(range(9)), "b": list(range(8)), "c": list("abcdefghijklmnop")}, growth)
    figure = drawn("phase_diagram", swept)
    assert len(figure.axes) == 13
    assert any("12 of 16 values of c" in text.get_text() for text in texts(figure))


def test_a_fourth_axis_stays_at_its_first_value_and_it_is_said() -> None:
    for name in ("growth_rate", "phase_diagram"):
        figure = drawn(name, real("four axes"))
        assert any("batch_size=1 only, of 2" in text.get_text() for text in texts(figure))


def test_many_curves_are_thinned_and_it_is_said() -> None:
    few = made({"g": list(range(40))}, lambda g: 0.1)
    many = made({"g": list(range(100))}, lambda g: 0.1)
    for swept, count, words in ((few, 40, "median"), (many, 20, "20 of 100 values drawn")):
        figure = drawn("curves", swept)
        assert len(panel(figure).get_lines()) == count
        assert any(words in text.get_text() for text in texts(figure))
        check_text(figure)


def test_curves_over_lengths_start_together_at_no_lag() -> None:
    swept = real("one length")
    ax = panel(drawn("curves", swept))
    for line, (t, log10) in zip(ax.get_lines(), (swept.curves[k] for k in range(3)), strict=True):
        lag = np.asarray(line.get_xdata(), float)
        np.testing.assert_array_equal(lag, t[-1] - t)
        np.testing.assert_array_equal(line.get_ydata(), log10)


def test_curves_of_failed_points_are_counted() -> None:
    swept = made({"g": SCALE}, lambda g: 0.1, lambda g: g == 1.0)
    figure = drawn("curves", swept)
    assert any("1 of 5 have no curve" in text.get_text() for text in texts(figure))


def test_no_curves_no_figure_of_them(tmp_path: Path) -> None:
    axes, rows, _ = real("one number")
    paths = sweep_figures.save(axes, rows, None, tmp_path, ["png"], 50)
    assert [path.name for path in paths] == ["growth_rate.png"]


@pytest.mark.parametrize("case", ["two numbers", "one number", "one category"])
def test_files_are_the_same_every_time_and_nothing_else_is_left(case: str, tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        paths = sweep_figures.save(*real(case), folder, ["pdf", "png", "svg"], 60)
        assert len(paths) == 6
        assert sorted(paths) == sorted(folder.iterdir())
    for path in paths:
        data = path.read_bytes()
        assert data == (folders[0] / path.name).read_bytes()
        assert b"CreationDate" not in data
        assert b"dc:date" not in data


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match="unknown figure format 'gif'; known: png, svg, pdf"):
        sweep_figures.save(*real("one number"), tmp_path, ["png", "gif"])
    assert list(tmp_path.iterdir()) == []


def test_text_of_a_sweep_is_not_read_as_mathematics(tmp_path: Path) -> None:
    assert sweep_figures.save(*closed("markup"), tmp_path, ["png", "svg", "pdf"], 50)


def test_ten_thousand_points_take_seconds(tmp_path: Path) -> None:
    axes = {"cell": ["a", "b", "c", "d"], "x": np.linspace(0, 3, 50), "y": np.linspace(0, 3, 50)}
    flat = {name: [v if isinstance(v, str) else float(v) for v in axes[name]] for name in axes}
    swept = made(flat, lambda cell, x, y: x - y)
    assert len(swept.rows) == 10_000
    start = time.perf_counter()
    assert len(sweep_figures.save(*swept, tmp_path, ["png", "pdf"], 150)) == 4
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows(name: str) -> None:
    assert "\n" not in FIGURES[name].alt
    assert len(FIGURES[name].caption.split("\n\n")) == 2


def test_a_lone_point_between_others_that_failed_has_its_marker() -> None:
    swept = made({"g": list(range(60))}, lambda g: -0.1, lambda g: g % 2 == 1)
    ax = panel(drawn("growth_rate", swept))
    (mean,) = [line for line in ax.get_lines() if str(line.get_label()).startswith("mean over")]
    assert mean.get_markevery() == 1


def test_interval_without_an_end_is_no_band() -> None:
    rows = [Row(k, {"g": g}, summary(-0.1)) for k, g in enumerate(SCALE)]
    for row in rows:
        assert row.summary is not None
        row.summary["growth_rate"] |= {"low": None, "high": None}
    low, high = scales.growth_limits(
        *(getattr(grid([(("g",), SCALE)], rows), n) for n in ("mean", "low", "high"))
    )
    assert low < -0.1 < 0 < high
    assert roles.numeric(grid([(("g",), SCALE)], rows)) == [0]
