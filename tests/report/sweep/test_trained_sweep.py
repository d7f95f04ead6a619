"""The figure, the table and the words of a sweep over trainings, from rows with known losses.

Claims:
- markers lie at the losses, bars at their intervals; one that reaches zero begins at the edge;
- the baseline is where it is, and the title counts the intervals that lie below it;
- a point of which a seed was lost is marked at the right edge, one that failed is left out;
- a sweep of many points shows 40 of them, and says so;
- nothing leaves the page, nothing is written over another; without trainings there is no figure;
- the table of a sweep has columns of trainings only where there are any.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from sweep_rows import REAL, real
from test_sweep_figures import applying, check_text, drawn, panel

from gradlab.report import sweep_page
from gradlab.report.sweep_table import COLUMNS, TRAINING, Row, table_text

BASELINE = 0.25
RATES = [0.01, 0.1, 1.0]
CLIPS = ["none", 1.0]
LOSSES: list[tuple[float | None, float | None, float | None]] = [
    (0.1, 0.05, 0.15),
    (0.01, -0.02, 0.04),
    (0.25, 0.2, 0.3),
    (0.2, None, None),
    (None, None, None),
    (3.0, 2.0, 4.0),
]


def row(index: int, values: dict[str, Any], loss: tuple[Any, Any, Any]) -> Row:
    final = dict(zip(("mean", "low", "high"), loss, strict=True))
    seeds = {"below": int((loss[0] or 9) < 0.225), "at": 0, "above": 0, "nonfinite": 0}
    told = {"final_loss": final, "final_loss_median": loss[0], "baseline": BASELINE, "seeds": seeds}
    told |= {"clip": {"acted": 0.5}}
    rate = {"mean": 0.1, "low": 0.0, "high": 0.2, "std": 0.1}
    summary: dict[str, Any] = {"verdict": "undecided", "growth_rate": rate, "theory": {}}
    summary |= {"caveats": [], "outcome": "ok", "log10_remaining": 0.0, "train": told}
    return Row(index, values, summary)


def swept(losses: list[tuple[Any, Any, Any]] = LOSSES) -> Any:
    rates = RATES if losses is LOSSES else list(range(1, len(losses) // 2 + 1))
    axes = [(("train.learning_rate",), [(r,) for r in rates]), (("clip",), [(c,) for c in CLIPS])]
    places = [{"train.learning_rate": r, "clip": c} for r in rates for c in CLIPS]
    rows = [row(k, place, losses[k]) for k, place in enumerate(places)]
    return axes, rows, {}


def test_markers_and_bars_lie_at_the_losses() -> None:
    ax = panel(drawn("final_loss", swept()))
    (markers,) = [one for one in ax.get_lines() if one.get_marker() == "o"]
    known = [loss[0] for loss in LOSSES if loss[0] is not None]
    x, y = (np.asarray(a, float) for a in markers.get_data())
    np.testing.assert_allclose(10 ** x[np.isfinite(x)], known, rtol=1e-12)
    assert y.tolist() == list(range(6))
    bars = np.array([path.vertices for path in ax.collections[0].get_paths()])
    left = ax.get_xlim()[0]
    wanted = [(lo, hi, k) for k, (_, lo, hi) in enumerate(LOSSES) if hi is not None]
    for bar, (lo, hi, k) in zip(bars, wanted, strict=True):
        start = left if lo <= 0 else np.log10(lo)
        np.testing.assert_allclose(bar, [(start, k), (np.log10(hi), k)], rtol=1e-12, atol=1e-12)
    (line,) = [one for one in ax.get_lines() if str(one.get_label()).startswith("baseline")]
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), np.log10(BASELINE))


def test_a_lost_seed_is_marked_at_the_right() -> None:
    ax = panel(drawn("final_loss", swept()))
    (marks,) = [one for one in ax.get_lines() if one.get_marker() == "x"]
    assert np.asarray(marks.get_ydata()).tolist() == [4]
    assert "not finite" in str(marks.get_label())


def test_the_title_counts_whole_intervals_below_the_baseline() -> None:
    """Of 0.1 with 0.15, 0.01 with 0.04, and 0.2 without an interval; 0.25 with 0.3 is not."""
    figure = drawn("final_loss", swept())
    assert any("3 of 6 end below the baseline" in text.get_text() for text in figure.texts)


def test_the_title_and_the_words_agree_on_one_seed() -> None:
    """0.24 is at the baseline of 0.25, 0.2 is below it."""
    figure = drawn("final_loss", swept([(0.24, None, None), (0.2, None, None)]))
    assert any("1 of 2 end below the baseline" in text.get_text() for text in figure.texts)


def test_rows_with_long_names_can_be_told_apart() -> None:
    keys = ["train.learning_rate", "train.optimizer", "train.stop_when.accuracy"]
    places = list(itertools.product([0.01, 0.1], ["sgd", "adam"], [0.5, 0.75]))
    rows = [row(k, dict(zip(keys, at, strict=True)), LOSSES[0]) for k, at in enumerate(places)]
    values = [[(v,) for v in dict.fromkeys(at[k] for at in places)] for k in range(3)]
    axes = [((key,), value) for key, value in zip(keys, values, strict=True)]
    figure = drawn("final_loss", (axes, rows, {}))
    check_text(figure)
    names = [label.get_text() for label in panel(figure).get_yticklabels()]
    assert names == [f"{rate}, {optimizer}, {most}" for rate, optimizer, most in places]
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert all(key in said for key in keys)


@pytest.mark.parametrize("count", [2, 6, 120])
def test_text_stays_on_the_page(count: int) -> None:
    losses = [LOSSES[k % 6] for k in range(count)]
    figure = drawn("final_loss", swept(losses if count != 6 else LOSSES))
    check_text(figure)
    shown = len(panel(figure).get_yticks())
    assert shown == min(count, 40)
    assert any(f"40 of {count} points" in t.get_text() for t in figure.texts) == (count > 40)


def test_without_trainings_there_is_no_such_figure_and_no_such_column() -> None:
    for case in list(REAL)[:3]:
        assert "final_loss" not in applying(real(case))
        header = table_text(["x"], [Row(0, {"x": 1}, real(case).rows[0].summary)]).splitlines()[0]
        assert "train" not in header
    assert "final_loss" in applying(swept())
    keys = ["train.learning_rate", "clip"]
    header = table_text(keys, swept()[1]).splitlines()[0].split(",")
    assert header[2:-1] == ["_".join(path) for path in (*COLUMNS, *TRAINING)]


def test_the_page_says_how_many_seeds_ended_where() -> None:
    axes, rows, _ = swept()
    lines = sweep_page.headline(axes, rows)
    assert any(line.startswith("trained: of 3 seeds 3 ended below the baseline") for line in lines)
    assert any("0.01 (train.learning_rate=0.01, clip=1.0)" in line for line in lines)
    text = sweep_page.text("x", axes, rows, [])
    assert "| 0.01 | 1.0 | 0.01 | -0.02 to 0.04 | 0.25 | 1, 0, 0, 0 | 50 % |" in text
    failed = [*rows[:-1], Row(5, rows[5].values, None, "no reason")]
    assert "failed" in sweep_page.text("x", axes, failed, [])
