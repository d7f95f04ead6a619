"""Spectra against theory, as they are drawn.

Claims:
- a histogram integrates to the share of the values that lies inside, -inf counts in the total;
- exponents that are drawn are the record's medians, at finite time ln sigma_i(P_0) / T; of an
  orthogonal W both are ln g; exponents of -inf are counted and nowhere drawn;
- theory's lines are where the summary has them, and fresh Gaussian weights have Newman's exponents;
- the steps of the weights have area 1, the quarter circle ends at 2 g; where matrices differ from
  step to step, or no spectrum was asked for, there is no such figure;
- the law of the Jacobians has the mass above 1 of the quarter circle where phi' = 1, and stands
  only where it is about the network; without all values there is no figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawing import drawn, line, texts
from figure_records import record
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from network_records import added

from gradlab.analysis import jacobian_law
from gradlab.analysis.random_matrix import quarter_circle, untied_exponents
from gradlab.record import Record
from gradlab.report import told_theory
from gradlab.report.figures import (
    FIGURES,
    histogram,
    jacobian_spectrum,
    lyapunov_spectrum,
    weight_spectrum,
)


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def words(name: str, case: str) -> str:
    figure, ax = drawn(name, case)
    return " ".join(text.get_text() for text in texts(figure, [ax]))


def steps(ax: Axes) -> list[StepPatch]:
    """Histograms, filled or as outlines; each once."""
    found = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    return [patch for patch in found if str(patch.get_label()).strip("_")]


def area(patch: StepPatch, log: bool = False) -> float:
    data = patch.get_data()
    return float(np.sum(data.values * (1.0 if log else np.diff(data.edges))))


# histograms


def test_a_histogram_of_members() -> None:
    values = [np.array([0.5, 0.5, 1.5, -np.inf]), np.array([1.5, 1.5, 9.0, 1.5])]
    found = histogram.over_members(values, np.array([0.0, 1.0, 2.0]))
    assert found.density.tolist() == [2 / 8, 4 / 8]
    assert (found.low.tolist(), found.high.tolist()) == ([0, 0.25], [0.5, 0.75])
    assert (found.highest, found.spread) == (0.75, "min to max")
    narrow = histogram.over_members(values[:1], np.array([0.0, 0.25, 2.0]), unit=100.0)
    assert narrow.density == pytest.approx([0.0, 100 * 0.75 / 1.75], rel=1e-15)
    assert narrow.spread == ""


def test_members_of_different_sizes_count_by_their_values() -> None:
    values = [np.zeros(30), np.ones(10)]
    found = histogram.over_members(values, np.array([-0.5, 0.5, 1.5]))
    assert found.density.tolist() == [0.75, 0.25]


# exponents


@pytest.mark.parametrize("case", ["tanh", "lstm", "gru", "relu", "many seeds", "overflow"])
def test_the_exponents_are_the_medians_of_the_record(case: str) -> None:
    source = record(f"spectra, {case}")
    values = source["lyapunov_exponents"][:, 0]
    values = values[~np.isnan(values).any(axis=1)]
    _, ax = drawn("lyapunov_spectrum", f"spectra, {case}, theory")
    x, y = line(ax, "Lyapunov exponents (QR)")
    median = np.median(values, axis=0)
    assert x.tolist() == list(range(1, values.shape[1] + 1))
    np.testing.assert_array_equal(y, np.where(np.isfinite(median), median, np.nan))
    assert np.isfinite(ax.get_ylim()).all()
    zeros = int(np.median(np.isneginf(values).sum(axis=1)))
    told = f"{zeros} of {values.shape[1]} are minus infinity"
    assert (told in words("lyapunov_spectrum", f"spectra, {case}")) == (zeros > 0)


@pytest.mark.parametrize("case", ["tanh", "lstm", "gru"])
def test_exponents_at_finite_time(case: str) -> None:
    source = record(f"spectra, {case}")
    _, ax = drawn("lyapunov_spectrum", f"spectra, {case}")
    _, y = line(ax, "finite-time exponents, of 30 steps")
    whole = source["log10_product_singular_values"][:, 0, 0] * math.log(10) / 30
    np.testing.assert_allclose(y, np.median(whole, axis=0), rtol=1e-13)


def test_of_the_products_the_longest_counts() -> None:
    source = record("spectra, tanh")
    values = source["log10_product_singular_values"].copy()
    values[:, :10] = np.nan
    thin = added(source, arrays={"log10_product_singular_values": values})
    curve = lyapunov_spectrum.finite_time(thin)
    assert curve is not None
    expected = np.median(values[:, 10, 0], axis=0) * math.log(10) / 20
    np.testing.assert_allclose(curve.median, expected, rtol=1e-13)


def test_an_orthogonal_matrix_has_one_exponent() -> None:
    _, ax = drawn("lyapunov_spectrum", "spectra, orthogonal, theory")
    for label in ("Lyapunov exponents", "finite-time exponents"):
        np.testing.assert_allclose(line(ax, label)[1], math.log(0.7), atol=1e-13)  # eps a step
    # theory: ln g, whose mean is that of all
    np.testing.assert_allclose(line(ax, "mean field: mean of all")[1], math.log(0.7), rtol=1e-14)


def test_fresh_gaussian_weights_have_their_exact_exponents() -> None:
    _, ax = drawn("lyapunov_spectrum", "spectra, untied, theory")
    x, exact = line(ax, "theory: exact")
    np.testing.assert_array_equal(exact, untied_exponents(1.0, 6))
    assert x.tolist() == [1, 2, 3, 4, 5, 6]
    measured = line(ax, "Lyapunov exponents")[1]
    # a step's ln chi scatters by up to 1.1: 60 steps, the median of 4 seeds, four times that
    np.testing.assert_allclose(measured, exact, atol=4 * 1.1 / math.sqrt(60 * 4) * 1.25)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"tied": True}},
        {"config": {"residual": True}},
        {"config": {"layers": 2}},
        {"config": {"cell": {"type": "rnn", "activation": "tanh"}}},
        {"init": "uniform"},
        {"summary": {"theory": {}}},
    ],
)
def test_the_exact_exponents_are_of_nothing_else(change: dict[str, Any]) -> None:
    source = record("spectra, untied, theory")
    if "init" in change:
        init = source.config["init"] | {"recurrent": change.pop("init")}
        change = {"config": {"init": init}}
    values = source["lyapunov_exponents"][:, 0]
    before = [label for *_, label in lyapunov_spectrum.theory(source, values)]
    after = [label for *_, label in lyapunov_spectrum.theory(added(source, **change), values)]
    assert any("exact" in label for label in before)
    assert not any("exact" in label for label in after)


def test_mean_field_lines() -> None:
    source = record("spectra, tanh, theory")
    field = source.summary["theory"]["mean_field"]
    _, ax = drawn("lyapunov_spectrum", "spectra, tanh, theory")
    x, y = line(ax, "mean field, H = 6: largest")
    assert x[0] == 1
    np.testing.assert_array_equal(y, field["growth_rate_at_width"])
    _, y = line(ax, "mean field: mean of all")
    np.testing.assert_array_equal(y, field["mean_exponent"])
    low, high = ax.get_ylim()
    assert low < field["mean_exponent"] < field["growth_rate_at_width"] < high
    assert low < 0 < high
    _, ax = drawn("lyapunov_spectrum", "spectra, lstm, theory")
    assert not any("mean field" in label for label in labels(ax))


@pytest.mark.parametrize(
    ("theory", "value"),
    [
        ({}, None),
        ({"mean_field": {"growth_rate": 0.2, "growth_rate_at_width": None}}, 0.2),
        ({"mean_field": {"growth_rate": 0.2, "growth_rate_at_width": 0.1, "H": 8}}, 0.1),
        ({"deep": {"growth_rate": 0.2, "growth_rate_at_width": 0.1, "H": 8}}, 0.1),
        ({"mean_field": {"growth_rate": None}}, None),
        ({"mean_field": {"growth_rate": 0.2}, "deep": {"growth_rate": 0.0}}, 0.0),
        ({"dynamic_mean_field": {"growth_rate": None}, "reason": "no"}, None),
        ({"dynamic_mean_field": {"growth_rate": -0.3}}, -0.3),
    ],
)
def test_which_rate_theory_predicts(theory: dict[str, Any], value: float | None) -> None:
    rate = told_theory.growth_rate({"theory": theory})
    assert (rate is None) == (value is None)
    assert rate is None or rate.value == value


# weights


@pytest.mark.parametrize("case", ["tanh", "linear", "many seeds", "gru", "lstm", "one unit"])
def test_the_weights_have_area_one_and_their_largest(case: str) -> None:
    source = record(f"spectra, {case}, theory")
    values = source["weight_singular_values"]
    _, ax = drawn("weight_spectrum", f"spectra, {case}, theory")
    assert [area(patch) for patch in steps(ax)] == pytest.approx([1.0] * len(steps(ax)))
    rugs = [found for found in ax.get_lines() if found.get_marker() == "v"]
    assert len(rugs) == len(steps(ax)) == (values.shape[1] if values.shape[1] <= 4 else 1)
    shown = np.sort(np.concatenate([np.asarray(rug.get_xdata(), float) for rug in rugs]))
    largest = values.max(axis=2) if len(rugs) > 1 else values.max(axis=(1, 2))
    np.testing.assert_array_equal(shown, np.sort(largest.ravel()))
    assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] > values.max()


def test_the_quarter_circle_and_the_largest_value_at_this_width() -> None:
    theory = record("spectra, tanh, theory").summary["theory"]["random_matrix"]
    _, ax = drawn("weight_spectrum", "spectra, tanh, theory")
    sigma, law = line(ax, "quarter circle, to 2 g = 4")
    assert (sigma[0], sigma[-1]) == (0, pytest.approx(4))
    np.testing.assert_array_equal(law, quarter_circle(sigma, 2.0))
    x, _ = line(ax, "largest, theory at H = 6")
    np.testing.assert_array_equal(x, theory["sigma_max"]["mean"])
    (band,) = [p for p in ax.patches if not isinstance(p, StepPatch) and p.get_alpha() == 0.12]
    middle, std = theory["sigma_max"]["mean"], theory["sigma_max"]["std"]
    assert band.get_extents().transformed(ax.transData.inverted()).intervalx == pytest.approx(
        [middle - std, middle + std]
    )


def test_all_values_of_an_orthogonal_matrix() -> None:
    source = record("spectra, orthogonal, theory")
    assert weight_spectrum.title(source) == "All singular values of W_hh are 0.7"
    _, ax = drawn("weight_spectrum", "spectra, orthogonal, theory")
    (patch,) = steps(ax)
    data = patch.get_data()
    (bin_,) = np.flatnonzero(data.values)
    assert data.edges[bin_] <= 0.7 <= data.edges[bin_ + 1]
    assert not any("quarter" in label for label in labels(ax))
    np.testing.assert_allclose(line(ax, "theory: all are g = 0.7")[0], 0.7, rtol=1e-15)


def test_no_figure_of_weights_that_differ_or_were_not_asked_for() -> None:
    for case in ("spectra, untied", "no spectrum", "beyond float range above", "no weights"):
        assert not FIGURES["weight_spectrum"].applies(record(case))
    assert FIGURES["weight_spectrum"].applies(record("rnn"))
    assert not FIGURES["weight_spectrum"].applies(record("lstm_simple"))  # has none


# Jacobians


@pytest.mark.parametrize("case", ["tanh", "linear", "relu", "gru", "orthogonal", "many seeds"])
def test_the_shares_of_the_jacobians(case: str) -> None:
    source = record(f"spectra, {case}, theory")
    _, ax = drawn("jacobian_spectrum", f"spectra, {case}, theory")
    (patch,) = steps(ax)
    pooled = np.concatenate(jacobian_spectrum.log10_values(source))
    assert pooled.size == 4 * 30 * 6 if case != "many seeds" else 21 * 30 * 33
    edges = patch.get_data().edges
    inside = (pooled >= edges[0]) & (pooled <= edges[-1])
    assert area(patch, log=True) == pytest.approx(100 * inside.mean(), rel=1e-12)
    # at the left end 0.5 % are left out, and what is zero
    assert inside.mean() >= 0.99 - np.isneginf(pooled).mean()
    assert pooled.max() <= edges[-1]
    above = np.mean(source["step_singular_values"][:, 1:] > 1)
    title = ax.get_title(loc="left").replace("\n", " ")
    percent = float(title.split(" %")[0])
    assert percent == pytest.approx(100 * above, abs=0.51)  # it is rounded to whole per cents


def above(x: float) -> float:
    """The quarter circle's mass above x, g = 1."""
    return 1 - (x * math.sqrt(4 - x * x) / 2 + 2 * math.asin(x / 2)) / math.pi


def law(source: Record) -> jacobian_spectrum.Law | None:
    return jacobian_spectrum.law(source, -3.0)


@pytest.mark.parametrize("g", [0.4, 0.6, 1.3, 3.0])
def test_the_mass_above_one_of_a_linear_net(g: float) -> None:
    source = record("spectra, linear, theory")
    field = source.summary["theory"]["mean_field"] | {"g": g, "q": None}
    theory = source.summary["theory"] | {"mean_field": field}
    found = law(added(source, summary={"theory": theory}))
    assert found is not None
    expected = above(1 / g) if g > 0.5 else 0.0
    # linear interpolation of 160 points
    assert found.above_one() == pytest.approx(expected, abs=1e-3)
    assert found.edge == pytest.approx(2 * g, rel=1e-12)


def test_the_law_and_its_words() -> None:
    source = record("spectra, tanh, theory")
    found = law(source)
    assert found is not None
    _, ax = drawn("jacobian_spectrum", "spectra, tanh, theory")
    x, y = line(ax, "law at large H: mean square χ")
    assert x[0] == pytest.approx(math.log10(found.edge), rel=1e-12)
    edges = steps(ax)[0].get_data().edges
    # per bin, as the steps are, of log10 sigma
    per_bin = 100 * (edges[1] - edges[0]) * math.log(10)
    expected = per_bin * 10**x * jacobian_law.density(10**x, found.units)
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    chi = source.summary["theory"]["mean_field"]["chi"]
    assert found.units.moment(1) == pytest.approx(chi, rel=1e-11)
    assert "here H = 6" in words("jacobian_spectrum", "spectra, tanh, theory")
    assert "not drawn" in words("jacobian_spectrum", "spectra, relu, theory")


def test_a_net_at_rest_has_the_quarter_circle() -> None:
    found = law(record("spectra, at rest, theory"))
    assert found is not None
    sigma = 10 ** found.x[10:]
    expected = quarter_circle(sigma, 0.8) * sigma * math.log(10)
    np.testing.assert_allclose(found.density[10:], expected, rtol=1e-6)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_where_q_diverges_the_slope_is_that_of_no_spread(activation: str) -> None:
    source = record("spectra, linear, theory")
    field = source.summary["theory"]["mean_field"]
    assert field["q"] is None  # g = 1.3
    theory = source.summary["theory"] | {"mean_field": field | {"activation": activation}}
    found = law(added(source, summary={"theory": theory}))
    assert found is not None
    # slopes 1, or of half of the units
    assert found.units.moment(1) == pytest.approx(1.69 * (0.5 if activation == "relu" else 1))


def test_fresh_weights_have_the_law_of_their_layers() -> None:
    found = law(record("spectra, deep, theory"))
    assert found is not None
    chi = record("spectra, deep, theory").summary["theory"]["deep"]["chi"]
    assert found.units.moment(1) == pytest.approx(chi, rel=1e-11)


CHANGES: dict[str, Callable[[Record], Record]] = {
    "no mean field": lambda r: added(r, summary={"theory": {}}),
    "no matrix": lambda r: added(
        r, summary={"theory": {"mean_field": r.summary["theory"]["mean_field"]}}
    ),
    "orthogonal": lambda r: added(
        r, config={"init": r.config["init"] | {"recurrent": "orthogonal"}}
    ),
    "layers": lambda r: added(r, config={"layers": 2}),
    "residual": lambda r: added(r, config={"residual": True}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_there_is_no_law_where_it_is_not_about_the_network(change: str) -> None:
    source = record("spectra, tanh, theory")
    assert law(source) is not None
    assert law(CHANGES[change](source)) is None
    assert law(record("spectra, gru, theory")) is None
    assert "no law is known" in words("jacobian_spectrum", "spectra, gru, theory")


def test_without_all_values_there_is_no_figure_of_the_jacobians() -> None:
    source = record("spectra, tanh")
    assert jacobian_spectrum.applies(source)
    part = added(source, arrays={"step_singular_values": source["step_singular_values"][..., :5]})
    assert not jacobian_spectrum.applies(part)
    assert not jacobian_spectrum.applies(record("no spectrum"))
    whole = record("spectra, lstm")["step_singular_values"].shape[-1]
    assert whole == 2 * 2 * 6  # h and c, of two layers
    assert jacobian_spectrum.applies(record("spectra, lstm"))


def test_the_measured_law_is_theorys_at_large_width() -> None:
    """A run of 100 units, its law and its steps: the mean of sigma^2 is chi."""
    from figure_records import made
    from theory_records import with_theory

    keys = {"cell": "rnn", "weight_scale": 1.5, "hidden_size": 100, "batch_size": 1}
    spectrum = {"step": True, "values": "all"}
    source = with_theory(made(**keys, seq_len=25, seeds=3, spectrum=spectrum))
    values = [one[500:] for one in jacobian_spectrum.log10_values(source)]  # the state has settled
    chi = source.summary["theory"]["mean_field"]["chi"]
    # three draws of W; 10,000 entries have a mean square within 1.4 %, phi'^2 over units 5 %
    assert np.mean(100.0 ** np.concatenate(values)) == pytest.approx(chi, rel=0.1)
    found = law(source)
    assert found is not None
    share = np.mean(np.concatenate(values) > 0)
    assert share == pytest.approx(found.above_one(), abs=0.03)
