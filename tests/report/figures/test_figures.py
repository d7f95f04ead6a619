"""Claims, for every cell and every case in figure_records:

- each figure that applies is drawn without a warning, its axes labelled, its text inside the page,
  no text on another;
- what was measured lies within the limits, and what is drawn is the record's median;
- the bound has the slope log10(gamma sigma_max) and lies above every seed;
- the shaded stretch of the weight gradient is the one that the title speaks of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from drawing import drawn, line, texts
from figure_records import CASES, NETWORKS, WITH_THEORY, record

from gradlab.record import Record
from gradlab.report import figures
from gradlab.report.figures import (
    gradient_norms,
    singular_values,
    weight_gradient,
)

TOUCH = 1.0  # pixels: boxes of texts have a rim
# how the labels of a figure's axes begin
X_LABELS = {
    "lag_split": "lag",
    "directions": "distance in steps",
    "factor_histogram": "factor",
    "lyapunov_spectrum": "i, of",
    "jacobian_spectrum": "singular value of Jₜ",
    "weight_spectrum": "singular value of W_hh",
    "weight_eigenvalues": "Re λ",
    "gate_histograms": "value",
    "clipping": "norm of",
    "seed_spread": "what is left of the gradient",
}
Y_LABELS = {
    "product_singular_values": "singular values of J_T",
    "singular_values": "singular values",
    "lag_split": "norm, relative to",
    "layer_heatmap": "layer",
    "factor_histogram": "share of all factors",
    "lyapunov_spectrum": "exponent",
    "jacobian_spectrum": "share of all values",
    "weight_spectrum": "density",
    "weight_eigenvalues": "Im λ",
    "gate_histograms": "share in a bin",
    "clipping": ("share of all steps", "number of seeds"),
    "seed_spread": "seeds with less",
}


def finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


@pytest.mark.parametrize("case", [*CASES, *NETWORKS, *WITH_THEORY])
def test_every_case_is_drawn_labelled_and_inside_the_page(case: str) -> None:
    for name, entry in figures.FIGURES.items():
        if entry.applies(record(case)):
            check_text(case, name)


def check_text(case: str, name: str) -> None:
    """Labelled, inside the page, no text on another."""
    figure, ax = drawn(name, case)
    axes = [ax, *ax.child_axes]
    unit = "step" if record(case).config.get("tied", True) else "layer"
    assert any(one.get_xlabel().startswith(X_LABELS.get(name, f"{unit} t")) for one in axes)
    label = ax.get_ylabel()
    assert label.startswith(Y_LABELS.get(name, label)) and (name in Y_LABELS or "norm" in label)
    assert ax.get_title(loc="left")
    page = figure.bbox
    for text in texts(figure, axes):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    boxes = [(text.get_window_extent(), text) for text in texts(figure, axes)]
    for (one, first), (other, second) in combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert width <= TOUCH or height <= TOUCH, (first, second)


@pytest.mark.parametrize("case", [*CASES, *NETWORKS, *WITH_THEORY])
def test_legend_lies_below_the_axes_and_their_labels(case: str) -> None:
    for name, entry in figures.FIGURES.items():
        if entry.applies(record(case)):
            _, ax = drawn(name, case)
            lowest = min([ax, *ax.child_axes], key=lambda one: float(one.get_position().y0))
            legend = ax.get_legend()
            if legend is None or not legend.get_texts():
                assert name == "layer_heatmap"  # where no cell is hatched
                continue
            assert legend.get_window_extent().y1 <= lowest.xaxis.label.get_window_extent().y0


@pytest.mark.parametrize("case", CASES)
def test_gradient_norms_hold_what_was_measured(case: str) -> None:
    source = record(case)
    _, ax = drawn("gradient_norms", case)
    low, high = ax.get_ylim()
    starts = {"h": "hₜ", "c": "cₜ, ", "c_total": "cₜ with"}
    for part in source.names["parts"]:
        values = source[f"log10_grad_norm_{part}"]
        values = values[source["overflow_step"] == 0]
        shown = finite(values) if len(values) < 20 else finite(np.median(values, axis=0))
        assert low <= shown.min() <= shown.max() <= high
        label = (
            starts[part] if len(source.names["parts"]) > 1 else ("median", "one")[len(values) == 1]
        )
        x, y = line(ax, label)
        median = np.median(values, axis=0)
        np.testing.assert_array_equal(x, source["t"])
        np.testing.assert_array_equal(y, np.where(np.isfinite(median), median, np.nan))


@pytest.mark.parametrize(
    "case", [case for case in CASES if "textbook" in record(case).summary["theory"]]
)
def test_bound_has_its_slope_and_holds_for_every_seed(case: str) -> None:
    source = record(case)
    bound = gradient_norms.textbook_bound(source)
    if bound is None:
        assert case in {"loss at all steps", "step clip", "no weights"}
        return
    t, values = bound
    factor = source.summary["theory"]["textbook"]["bound_per_step"]
    np.testing.assert_allclose(
        np.diff(values) / np.diff(t), -math.log10(factor), rtol=1e-9, atol=1e-12
    )
    curves = source["log10_grad_norm_h"][source["overflow_step"] == 0][:, : len(t)]
    assert (curves <= values + 1e-6 * np.abs(values) + 1e-9).all()
    _, ax = drawn("gradient_norms", case)
    np.testing.assert_array_equal(line(ax, "textbook bound")[1], values)


def test_bound_does_not_squash_the_curve() -> None:
    _, ax = drawn("gradient_norms", "loose bound")
    low, high = ax.get_ylim()
    _, curve = line(ax, "median")
    _, bound = line(ax, "textbook bound")
    assert bound.max() > high + 10
    assert np.ptp(curve) > 0.4 * (high - low)


def test_fit_has_the_growth_rate() -> None:
    source = record("gru")
    _, ax = drawn("gradient_norms", "gru")
    x, y = line(ax, "fit")
    rate = source.summary["growth_rate"]["mean"]
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(-rate / math.log(10), rel=1e-12)


def test_threshold_of_a_step_clip_is_drawn_where_it_acted() -> None:
    _, ax = drawn("gradient_norms", "step clip")
    _, y = line(ax, "threshold")
    assert (y == 0).all()
    assert ax.get_ylim()[0] < 0 < ax.get_ylim()[1]


@pytest.mark.parametrize("case", CASES)
def test_singular_values_hold_what_was_measured(case: str) -> None:
    source = record(case)
    if not singular_values.applies(source):
        assert case in {"no spectrum", "no weights", "all seeds dead"} or "beyond" in case
        return
    kept, least = singular_values.log10_values(source)
    _, ax = drawn("singular_values", case)
    low, high = ax.get_ylim()
    alive = kept[~np.isnan(kept).all(axis=(1, 2)), :, 0]
    median = np.median(alive, axis=0)
    np.testing.assert_array_equal(
        line(ax, "largest:")[1], np.where(np.isfinite(median), median, np.nan)
    )
    strips = [child for child in ax.child_axes if child.get_xlabel().startswith("step")]
    if len(alive) < 20:
        assert low <= finite(alive).min() <= finite(alive).max() <= high
        if np.isfinite(least).any():
            bottom, top = (strips or [ax])[0].get_ylim()
            assert bottom <= finite(least).min() <= finite(least).max() <= top
    assert low < 0 < high  # 1 is always in the picture


def test_singular_value_that_is_rounding_counts_as_zero() -> None:
    source = record("relu")
    _, least = singular_values.log10_values(source)
    assert finite(least).min(initial=0) > -16


@pytest.mark.parametrize("case", CASES)
def test_weight_gradient_holds_what_was_measured(case: str) -> None:
    source = record(case)
    values = source["log10_weight_grad_norm"][source["overflow_step"] == 0][:, source["t"] > 0]
    if not weight_gradient.applies(source):
        assert not np.isfinite(values).any()
        return
    _, ax = drawn("weight_gradient", case)
    median = np.median(values, axis=0)
    label = "median" if len(values) > 1 else "one"
    np.testing.assert_array_equal(line(ax, label)[1], np.where(np.isfinite(median), median, np.nan))
    low, high = ax.get_ylim()
    shown = finite(values) if len(values) < 20 else finite(median)
    assert low <= shown.min() <= shown.max() <= high


def weights(log10: Callable[[np.ndarray], np.ndarray], T: int = 100) -> Record:
    """A record whose steps' terms have these norms."""
    source = record("rnn")
    t = np.arange(T + 1)
    curve = np.where(t > 0, log10(t.astype(float)), np.nan)[None]
    arrays = source.arrays | {"t": t, "log10_weight_grad_norm": curve}
    return replace(source, arrays=arrays, config=source.config | {"seq_len": T})


def test_stretch_of_a_geometric_series() -> None:
    # halving per step back: the last n hold 1 - 2^-n, at least 95 % from n = 5 on
    late = weight_gradient.holding(weights(lambda t: t * math.log10(2)))
    assert late == (96, 100, True)
    early = weight_gradient.holding(weights(lambda t: -t * math.log10(2)))
    assert early == (1, 5, False)
    equal = weights(lambda t: 0 * t)
    assert weight_gradient.holding(equal).steps == 95
    assert weight_gradient.title(equal) == "By time: the weights learn from all steps"
    assert weight_gradient.holding(weights(lambda t: 1000 * t)).steps == 1


@pytest.mark.parametrize("case", ["some seeds overflow", "spectra, overflow"])
def test_the_cases_of_overflow_do_overflow(case: str) -> None:
    """In some seeds: else the tests of what is left of the others would test nothing."""
    overflown = record(case)["overflow_step"] > 0
    assert overflown.any()
    assert not overflown.all()
