"""What theory predicts, in figures and tables.

Claims:
- the line begins at the measured median where the gradient enters, and falls by the rate of the
  summary; of a gated cell by the curve of the dynamic mean field, and then by its slope;
- it is a line without markers in the look of theory, with its rate and its kind in the legend;
- there is none where the gradient is a sum or was clipped, or where nothing is predicted;
- the curve that was measured keeps most of the axis, also where theory is far off;
- the table has a row for every number, and a note why there is none; 80 columns are enough.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawing import drawn, line
from figure_records import record

from gradlab import theory_cache
from gradlab.config import from_mapping
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.report import figures, style, tables, terminal, words
from gradlab.report.figures import prediction
from gradlab.report.theory_curve import expected
from gradlab.runner import run

STRAIGHT = ("rnn", "rnn exploding", "linear", "preserved", "sigmoid", "beyond float range below")
NONE = ("loss at all steps", "step clip", "accumulator", "lstm_peephole", "no weights")
LN10 = math.log(10)


def made(**config: Any) -> Record:
    small = {"hidden_size": 8, "seq_len": 12, "seeds": 2, "spectrum": "none", "lag_split": "none"}
    return run(settle(from_mapping({**small, **config}).config)[1])


@pytest.mark.parametrize("case", STRAIGHT)
def test_the_line_has_the_predicted_rate(case: str) -> None:
    source = record(case)
    told = source.summary["theory"]["mean_field"]
    at_width = told["growth_rate_at_width"]
    rate = told["growth_rate"] if at_width is None else at_width
    _, ax = drawn("gradient_norms", case)
    t, y = line(ax, "mean field")
    # a difference of two numbers of up to some thousand: 1e-12
    np.testing.assert_allclose(np.diff(y) / np.diff(t), -rate / LN10, rtol=1e-9, atol=1e-11)
    assert t[-1] == source.config["seq_len"]
    assert y[-1] == np.median(source["log10_grad_norm_h"][:, -1])
    (drawn_line,) = [one for one in ax.get_lines() if one.get_label().startswith("mean field")]
    width = "H → ∞" if at_width is None else f"H = {source.config['hidden_size']}"
    assert width in drawn_line.get_label()
    assert drawn_line.get_label().endswith(f"{words.signed(rate)} nats per step")
    assert drawn_line.get_marker() in ("", "None")
    assert drawn_line.get_color() == style.THEORY["color"]


def test_of_a_gated_cell_it_is_the_curve() -> None:
    source = made(cell="gru_minimal", seq_len=90, init={"forget_bias": 1.0})
    told = source.summary["theory"]["dynamic_mean_field"]
    assert told["growth_rate"] is None  # it is computed for the figure
    theory = theory_cache.gated(
        *(told[name] for name in ("cell", "g", "s2", "forget_bias", "bias"))
    )
    found = prediction.curve(source)
    assert found is not None
    lag = 90 - found.t
    moved = (found.log10 - found.log10[-1]) * LN10
    near = lag <= 60
    expected_near = np.array(theory.log_mean_square)[lag[near]] / 2
    np.testing.assert_allclose(moved[near], expected_near, atol=1e-12)
    far = np.diff(moved[~near]) / np.diff(lag[~near])
    np.testing.assert_allclose(far, theory.growth_rate, rtol=1e-9)
    assert found.label.startswith("dynamic mean field, H → ∞: ")


def test_of_a_gated_cell_at_rest_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*parameters: Any) -> Any:
        raise AssertionError("computed")

    monkeypatch.setattr(theory_cache, "gated", never)
    source = made(cell="lstm", inputs="zeros")
    found = expected(source)
    assert found is not None
    assert found.rate == source.summary["theory"]["dynamic_mean_field"]["growth_rate"]
    # one step back there is nothing but i o W, of gain 1 / 4
    assert found.log10(np.array([0, 1])).tolist() == pytest.approx([0, math.log10(0.25)])


@pytest.mark.parametrize("case", NONE)
def test_there_is_no_line(case: str) -> None:
    _, ax = drawn("gradient_norms", case)
    labels = [str(one.get_label()) for one in ax.get_lines()]
    assert not any("mean field" in label or "zero state" in label for label in labels)


def test_theory_none_draws_none() -> None:
    assert expected(made(cell="rnn", theory="none")) is None
    assert expected(made(cell="rnn")) is not None


def test_one_sequence_is_said() -> None:
    one, several = (expected(made(cell="rnn", batch_size=B)) for B in (1, 2))
    assert one is not None
    assert several is not None
    assert "one sequence" not in one.name
    assert several.name == "mean field, H = 8, one sequence"


@pytest.mark.parametrize("rate", [-40.0, 40.0])
def test_far_off_it_does_not_squash_the_curve(rate: float) -> None:
    source = record("rnn")
    told = source.summary["theory"]["mean_field"] | {"growth_rate_at_width": rate}
    changed = source.summary | {"theory": source.summary["theory"] | {"mean_field": told}}
    with style.applied():
        ax = style.new_figure().add_subplot()
        figures.FIGURES["gradient_norms"].draw(ax, replace(source, summary=changed))
    low, high = ax.get_ylim()
    values = source["log10_grad_norm_h"]
    # room for theory and for the bound, each a quarter of the span
    assert np.ptp(values) > 0.5 * (high - low)
    assert low < values.min() < values.max() < high


def test_products_have_the_slope_where_no_exponent_was_asked_for() -> None:
    source = record("largest product")
    rate = source.summary["theory"]["mean_field"]["growth_rate_at_width"]
    t, y = line(drawn("product_singular_values", "largest product")[1], "mean field")
    assert (y[0] - y[1]) * LN10 == pytest.approx(rate * (t[1] - t[0]), rel=1e-12)
    assert y[1] == 0  # the product of no steps
    labels = [str(one.get_label()) for one in drawn("product_singular_values", "products")[1].lines]
    assert any(label.startswith("largest Lyapunov exponent") for label in labels)
    assert not any("mean field" in label for label in labels)


def test_the_table_has_every_number() -> None:
    source = record("rnn")
    theory = source.summary["theory"]
    rows = {row[0]: row[1:] for row in tables.theory(source).rows}
    rate = words.signed(source.summary["growth_rate"]["mean"])
    told = theory["mean_field"]
    assert rows["growth rate, infinite width"] == (
        words.signed(told["growth_rate"]),
        rate,
        "mean field",
    )
    assert rows["growth rate, H = 6"][0] == words.signed(told["growth_rate_at_width"])
    assert rows["weight_scale at the edge"][0] == words.plain(told["critical_weight_scale"])
    assert rows["sigma_max of W_hh"][1] == words.plain(source.summary["sigma_max"])
    bound = math.log(theory["textbook"]["bound_per_step"])
    assert rows["growth rate, at most"] == (words.signed(bound), rate, "textbook bound")
    notes = tables.theory(source).notes
    assert all(any(caveat in note for note in notes) for caveat in told["caveats"])


def test_without_a_table_a_line_says_why() -> None:
    (line_of_theory, *_) = words.findings(made(cell="accumulator"))
    assert line_of_theory.startswith("theory: no prediction of the rate: accumulator: its Jacobian")
    assert not any(one.startswith("theory") for one in words.findings(made(cell="rnn")))


def test_the_table_says_why_there_is_none() -> None:
    source = made(cell="gru_2014")
    assert tables.theory(source).notes[0] == (
        "no prediction of the rate: no theory here is about the cell gru_2014"
    )


@pytest.mark.parametrize("cell", ["linear", "rnn", "lstm", "gru", "gru_2014", "accumulator"])
def test_80_columns_are_enough(cell: str) -> None:
    for more in ({}, {"inputs": "zeros"}):
        out = io.StringIO()
        terminal.show(made(cell=cell, **more), terminal.console(out))
        assert max(len(one.rstrip()) for one in out.getvalue().splitlines()) <= 80
        assert "no prediction of the rate" in out.getvalue() or "Theory, " in out.getvalue()


def test_what_full_computes_is_in_words() -> None:
    source = made(cell="gru_minimal", theory="full")
    rate = source.summary["theory"]["dynamic_mean_field"]["growth_rate"]
    told = f"Dynamic mean field: {words.signed(rate)} nats per step at infinite width."
    assert told in words.reasons(source)
    rows = {row[0]: row[1] for row in tables.theory(source).rows}
    assert rows["growth rate, infinite width"] == words.signed(rate)
