"""Theory's growth rate beside the measured one, through a sweep.

Claims:
- the table has the column theory_growth_rate, empty where there is no theory, and it is the most
  special theory's;
- the figure has one line for each series, at theory's values, in the colour of the series, and one
  entry in the legend; without theory there is none;
- theory lies within the picture, as far as it does not squash what was measured;
- the headline says how far the two are apart, and where; the page has a column for theory.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sweep_rows import SCALE, Swept, made

from gradlab.report import style, sweep_page
from gradlab.report.sweep_figures import growth_rate
from gradlab.report.sweep_figures.grid import grid
from gradlab.report.sweep_table import Row, table_text

Theory = dict[str, Any]


def with_theory(swept: Swept, theories: list[Theory]) -> Swept:
    rows = [
        row if row.summary is None else replace(row, summary=row.summary | {"theory": theory})
        for row, theory in zip(swept.rows, theories, strict=True)
    ]
    return swept._replace(rows=rows)


def field(rate: float | None, at_width: float | None = None) -> Theory:
    return {"mean_field": {"H": 8, "growth_rate": rate, "growth_rate_at_width": at_width}}


def along_scale() -> Swept:
    """Measured ln g, theory lower by a tenth of g."""
    return with_theory(made({"g": SCALE}, math.log), [field(math.log(g) - g / 10) for g in SCALE])


def two_cells() -> Swept:
    swept = made({"cell": ["rnn", "lstm", "own"], "g": SCALE}, lambda _, g: math.log(g))
    rates = {"rnn": field(9.0, 0.1), "lstm": {"dynamic_mean_field": {"growth_rate": 0.2}}}
    return with_theory(swept, [rates.get(str(row.values["cell"]), {}) for row in swept.rows])


def drawn(swept: Swept) -> tuple[Figure, Axes]:
    with style.applied():
        figure = style.new_figure()
        FigureCanvasAgg(figure)
        growth_rate.draw(figure, grid(*swept))
        figure.draw_without_rendering()
    return figure, figure.axes[0]


def predictions(ax: Axes) -> list[tuple[str, np.ndarray]]:
    """Colour and values of theory's lines; that of the legend has none."""
    found = [
        (str(line.get_color()), np.asarray(line.get_ydata(), float))
        for line in ax.get_lines()
        if line.get_linestyle() == "--" and line.get_linewidth() == style.THEORY["linewidth"]
    ]
    return [(colour, values) for colour, values in found if len(values)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def column(swept: Swept) -> list[str]:
    text = table_text(list(swept.rows[0].values), swept.rows)
    return [row["theory_growth_rate"] for row in csv.DictReader(io.StringIO(text))]


def test_the_table_has_theorys_growth_rate() -> None:
    assert [float(cell) for cell in column(along_scale())] == [math.log(g) - g / 10 for g in SCALE]
    assert (
        column(two_cells()) == ["0.10000000000000001"] * 5 + ["0.20000000000000001"] * 5 + [""] * 5
    )
    failed = made({"g": SCALE}, lambda g: 0.1, lambda g: g == 1.0)
    assert column(failed) == [""] * 5


def test_one_line_of_theory_beside_one_line_of_measurement() -> None:
    figure, ax = drawn(along_scale())
    ((colour, values),) = predictions(ax)
    np.testing.assert_array_equal(values, [math.log(g) - g / 10 for g in SCALE])
    assert colour == style.INK
    assert legend(figure).count("theory: mean field") == 1
    low, high = ax.get_ylim()
    assert low < values.min() < values.max() < high


def test_each_series_has_its_own_line_and_all_one_entry() -> None:
    figure, ax = drawn(two_cells())
    found = predictions(ax)
    measured = {
        str(line.get_label()).split(",")[0]: str(line.get_color())
        for line in ax.get_lines()
        if str(line.get_label()).startswith("cell=")
    }
    assert [colour for colour, _ in found] == [measured["cell=rnn"], measured["cell=lstm"]]
    assert [set(values.tolist()) for _, values in found] == [{0.1}, {0.2}]
    assert legend(figure).count("theory: mean field") == 1


def test_without_theory_there_is_no_line() -> None:
    figure, ax = drawn(made({"g": SCALE}, math.log))
    assert predictions(ax) == []
    assert "theory: mean field" not in legend(figure)


def test_theory_for_some_points_and_for_a_single_one() -> None:
    measured = made({"g": SCALE}, math.log)
    some = with_theory(measured, [{}, field(0.1), field(0.2), {}, field(None)])
    ((_, values),) = predictions(drawn(some)[1])
    np.testing.assert_array_equal(values, [np.nan, 0.1, 0.2, np.nan, np.nan])
    one = with_theory(measured, [{}, {}, field(0.2), {}, {}])
    (line,) = [x for x in drawn(one)[1].get_lines() if x.get_marker() == "_"]
    assert np.isfinite(np.asarray(line.get_ydata(), float)).sum() == 1


@pytest.mark.parametrize("far", [-50.0, 50.0])
def test_theory_far_away_does_not_squash_the_measurement(far: float) -> None:
    measured = made({"g": SCALE}, math.log)
    _, ax = drawn(with_theory(measured, [field(far)] * 5))
    low, high = ax.get_ylim()
    span = math.log(SCALE[-1]) - math.log(SCALE[0])
    assert span > 0.4 * (high - low)


def test_the_headline_says_how_far_they_are_apart() -> None:
    swept = along_scale()
    lines = sweep_page.headline(swept.axes, swept.rows)
    # g / 10 for g = 0.5 ... 2.5
    assert lines[-1] == (
        "the growth rate is 0.15 nats per step from theory's (median), at most 0.25 (g=2.5)"
    )
    plain = made({"g": SCALE}, math.log)
    assert not any("theory" in line for line in sweep_page.headline(plain.axes, plain.rows))
    one = with_theory(plain, [{}, field(0.5), {}, {}, {}])
    assert sweep_page.headline(one.axes, one.rows)[-1] == (
        "the growth rate is 0.5 nats per step from theory's (g=1)"
    )


def test_the_page_has_a_column_for_theory(tmp_path: Path) -> None:
    swept = along_scale()
    text = sweep_page.write(tmp_path, *swept, ["png"], 50, False)
    header, _, *rows = [line for line in text.splitlines() if line.startswith("| ")]
    place = [cell.strip() for cell in header.split("|")].index("theory")
    assert rows[1].split("|")[place].strip() == "-0.1"
    plain = made({"g": SCALE}, math.log)
    assert "theory" not in sweep_page.write(tmp_path, *plain, ["png"], 50, False)
    failed = [*swept.rows[:4], Row(4, {"g": SCALE[4]}, None, "the worker died")]
    table = sweep_page.write(tmp_path, *swept._replace(rows=failed), ["png"], 50, False)
    assert len({line.count("|") for line in table.splitlines() if line.startswith("| ")}) == 1
