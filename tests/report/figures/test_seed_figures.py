"""Figures of what differs from seed to seed, from gate to gate, and of clipping.

Claims:
- the mean over seeds is that of the values themselves, also beyond float range; the title says how
  far it is from the median; there is no figure where they agree, and none of a sum of terms;
- eigenvalues are marked by the side of the unit circle on which they lie, those of g Q on a circle
  of radius g; the planes are as wide as high; as many seeds as fit are marked, the title is of all;
- the steps of a gate's histogram are the shares of the counted values, with those beyond +-1 in the
  whole; a panel that has another axis has its own ticks;
- the bins of the norms before clipping hold every seed, or every step but t = 0, once; none has
  both what was clipped and what was not where the threshold is one of norms; of a cell with two
  parts of the state the norm is that of both;
- quantile bands of singular values hold the shares that they say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from drawing import drawn, line
from figure_records import made, record
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle, StepPatch
from network_records import added

from gradlab.report import figures, style
from gradlab.report.figures import (
    clipping,
    gate_histograms,
    panes,
    seed_spread,
    singular_values,
    weight_eigenvalues,
)


def with_left(values: list[float], **more: Any) -> Any:
    """A record whose seeds keep 10**value of their gradient."""
    source = made(cell="rnn", seeds=len(values), spectrum="none", **more)
    curves = np.outer(values, source.lag / source.lag.max())
    return added(source, {"log10_grad_norm_h": curves})


# seeds


def test_mean_and_median_are_those_of_the_values() -> None:
    source = with_left([math.log10(v) for v in (1, 2, 3, 94)])
    # the mean of 1, 2, 3, 94 is 25, their median 2.5 as a number; on the axis it is that of the
    # logs, sqrt(2 3)
    assert 10 ** seed_spread.log10_mean(seed_spread.left(source)) == pytest.approx(25, rel=1e-13)
    assert seed_spread.title(source) == "One seed can mislead: the mean is 10 times the median"
    assert seed_spread.applies(source)


def test_a_mean_beyond_float_range() -> None:
    values = np.array([-2000.0, -1000.0, 1000.0, 1000.0])
    # two of four are 10^1000, the others nothing beside them
    assert seed_spread.log10_mean(values) == pytest.approx(1000 + math.log10(0.5), rel=1e-15)


def test_the_drawn_lines_are_mean_and_median() -> None:
    source = record("rnn exploding")
    left = source["log10_grad_norm_h"][:, 0] - source["log10_grad_norm_h"][:, -1]
    _, ax = drawn("seed_spread", "rnn exploding")
    assert line(ax, "median")[0][0] == np.median(left)
    # the values are within a few decades: the plain mean is right to rounding
    assert line(ax, "mean")[0][0] == pytest.approx(math.log10(np.mean(10**left)), rel=1e-12)
    marked = [one for one in ax.get_lines() if "seeds: it" in str(one.get_label())]
    found = {str(one.get_label()): np.asarray(one.get_xdata(), float) for one in marked}
    assert sorted(np.concatenate(list(found.values()))) == sorted(left)
    for label, values in found.items():
        assert (values > 0).all() if "grew" in label else (values <= 0).all()
        assert label.startswith(f"{len(values)} ")


def test_no_figure_of_seeds_that_agree() -> None:
    assert not seed_spread.applies(with_left([1.0, 1.01, 0.99, 1.0]))
    assert not seed_spread.applies(with_left([0.0, 3.0]))  # two seeds
    assert not seed_spread.applies(record("loss at all steps"))
    assert not seed_spread.applies(record("truncated"))


def test_seeds_that_are_exactly_zero_are_told() -> None:
    source = record("some seeds dead")
    left = seed_spread.left(source)
    assert np.isfinite(left).all()
    zeros = int(np.isneginf(source["log10_grad_norm_h"][:, 0]).sum())
    assert 0 < zeros == len(source["seeds"]) - len(left)


# eigenvalues


def marks(ax: Axes) -> dict[str, np.ndarray]:
    """The drawn eigenvalues, by their colours' verdicts."""
    verdicts = {colour: name for name, colour in style.VERDICT_COLOURS.items()}
    found: dict[str, np.ndarray] = {}
    for one in ax.get_lines():
        if one.get_linestyle() == "None":
            points = np.asarray(one.get_xdata()) + 1j * np.asarray(one.get_ydata())
            found[verdicts[str(one.get_color())]] = points
    return found


@pytest.mark.parametrize(
    ("g", "verdict"), [(0.5, "vanishing"), (1.0, "preserved"), (2.0, "exploding")]
)
def test_an_orthogonal_matrix_has_its_circle(g: float, verdict: str) -> None:
    source = made(cell="linear", init="orthogonal", weight_scale=g, seeds=2)
    with style.applied():
        ax = style.new_figure().add_subplot()
        weight_eigenvalues.draw(ax, source)
    ((found, values),) = marks(ax).items()
    assert found == verdict
    assert len(values) == 2 * 6
    assert np.abs(np.abs(values) - g).max() < 1e-13  # eigenvalues of a normal matrix: eps, times 6
    titles = {"preserved": "All eigenvalues", "vanishing": "No eigenvalue", "exploding": "100 %"}
    assert weight_eigenvalues.title(source).startswith(titles[verdict])


def test_marks_lie_on_their_side_of_the_circle_and_planes_are_as_wide_as_high() -> None:
    figure, ax = drawn("weight_eigenvalues", "lstm")
    source, grid = record("lstm"), [ax, *ax.child_axes]
    for k, pane in enumerate(grid):
        found = marks(pane)
        assert (np.abs(found.get("vanishing", np.zeros(1))) < 1).all()
        assert (np.abs(found.get("exploding", np.full(1, 2.0))) > 1).all()
        drawn_here = np.concatenate(list(found.values()))
        expected = source["weight_eigenvalues"][:, k].ravel()
        assert sorted(drawn_here, key=repr) == sorted(expected, key=repr)
        box = pane.get_window_extent()
        (x0, x1), (y0, y1) = pane.get_xlim(), pane.get_ylim()
        # a unit is as many pixels to the right as upwards
        assert box.width / (x1 - x0) == pytest.approx(box.height / (y1 - y0), rel=1e-6)
        assert min(x1, y1, -x0, -y0) >= np.abs(source["weight_eigenvalues"]).max()
    assert len(grid) == 4
    assert figure is ax.get_figure(root=True)


def test_many_eigenvalues_are_thinned_by_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    source = record("rnn")
    monkeypatch.setattr(weight_eigenvalues, "MOST", 15)  # two seeds of six units
    with style.applied():
        ax = style.new_figure().add_subplot()
        weight_eigenvalues.draw(ax, source)
    assert sum(map(len, marks(ax).values())) == 12
    assert "marks: 2 of 4 seeds" in " ".join(text.get_text() for text in ax.texts)


# gates


def histograms(ax: Axes) -> list[StepPatch]:
    return [patch for patch in ax.patches if isinstance(patch, StepPatch)]


@pytest.mark.parametrize("case", ["lstm", "gru", "rnn", "lstm_simple", "sigmoid", "three layers"])
def test_the_steps_are_the_shares_of_the_counts(case: str) -> None:
    _, ax = drawn("gate_histograms", case)
    source = record(case)
    for pane, counts in zip(
        [ax, *ax.child_axes], gate_histograms.gates(source).values(), strict=True
    ):
        data = histograms(pane)[0].get_data()
        whole = counts.sum(axis=0)[1:-1]
        if data.edges[0] == -1:
            shares = whole.reshape(50, 2).sum(axis=1)
        else:
            assert not whole[:50].any()
            shares = whole[50:]
        # every seed has as many values, so the mean of the shares is that of all together
        np.testing.assert_allclose(data.values, 100 * shares / counts.sum(), rtol=1e-12)


def test_titles_of_gates() -> None:
    """Without weights each gate is sigma of its bias: sigma(3) = 0.9526 of the state is kept."""
    init = {"recurrent": "zeros", "input": "zeros", "forget_bias": 3.0}
    kept = "keeps 0.95 of the state on average"
    assert gate_histograms.title(made(cell="lstm", init=init)) == f"The forget gate f {kept}"
    assert gate_histograms.title(made(cell="gru", init=init)) == f"The update gate z {kept}"
    still = made(cell="rnn", init={"recurrent": "zeros", "input": "zeros"})
    assert gate_histograms.title(still) == "The activation h is hardly saturated"
    stuck = made(cell="rnn", init={"recurrent": "zeros", "input": "zeros", "bias": 50.0})
    assert gate_histograms.title(stuck) == "The activation h is saturated in 100 % of all cases"


def test_values_beyond_one_are_told_and_count_in_the_whole() -> None:
    source = record("relu")
    counts = source["gate_histogram"]
    (shape,) = map(gate_histograms.shape, gate_histograms.gates(source).values())
    inside = 1 - counts[..., [0, -1]].sum() / counts.sum()
    assert 0 < inside < 1
    assert shape.density.sum() == pytest.approx(100 * inside, rel=1e-12)


def test_panes_of_different_axes_have_their_own_ticks() -> None:
    _, ax = drawn("gate_histograms", "gru")
    labelled = [pane.xaxis.get_tick_params()["labelbottom"] for pane in (ax, *ax.child_axes)]
    assert labelled == [True] * 3  # r, z from 0 on; n from -1 on
    _, ax = drawn("weight_eigenvalues", "gru")
    assert not ax.xaxis.get_tick_params()["labelbottom"]
    assert len(ax.child_axes) < panes.MOST


# clipping


def bars(ax: Axes) -> dict[str, list[Rectangle]]:
    return {str(one.get_label()): list(one.patches) for one in ax.containers}  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", ["norm clip", "clip of all", "value clip", "step clip"])
def test_bars_hold_everything_once(case: str) -> None:
    _, ax = drawn("clipping", case)
    source, found = record(case), bars(ax)
    total = sum(bar.get_height() for group in found.values() for bar in group)
    by_step = source.config["clip"]["by"] == "step_norm"
    assert total == pytest.approx(100 if by_step else len(source["seeds"]), rel=1e-12)
    before, acted = clipping.norms(source)
    clipped = sum(bar.get_height() for bar in found.get("clipped", []))
    expected = 100 * acted.mean() if by_step else acted.sum()
    assert clipped == pytest.approx(expected, rel=1e-12)
    if source.config["clip"]["by"] != "value":
        threshold = math.log10(source.config["clip"]["threshold"])
        assert line(ax, "threshold")[0][0] == threshold
        # 1e-9: the border of a bin is a sum of its width
        for label, group in found.items():
            for bar in (bar for bar in group if bar.get_height()):
                if label == "clipped":
                    assert bar.get_x() >= threshold - 1e-9
                else:
                    assert bar.get_x() + bar.get_width() <= threshold + 1e-9
        assert (acted == (10**before > source.config["clip"]["threshold"])).all()


def test_the_norm_of_a_step_is_that_of_the_whole_state() -> None:
    source = made(cell="lstm", clip={"threshold": 0.5, "by": "step_norm"}, seeds=2)
    whole = np.hypot(source["grad_norm_h"], source["grad_norm_c"])[:, 1:]
    before, acted = clipping.norms(source)
    np.testing.assert_allclose(10**before, whole.ravel(), rtol=1e-12)
    # at rate = threshold / (norm + 1e-6) it acts from there on
    assert (acted == (whole.ravel() + 1e-6 > 0.5)).all()
    assert 0 < acted.mean() < 1


def test_titles_say_how_often_it_acts() -> None:
    assert clipping.title(record("idle step clip")).startswith("Clipping never acts")
    assert clipping.title(record("clip of all")) == "Clipping acts in 4 of 4 seeds"
    share = (record("step clip")["clip_scale"] < 1).mean()
    assert (
        clipping.title(record("step clip")) == f"Clipping acts at {100 * share:.0f} % of the steps"
    )
    assert not figures.FIGURES["clipping"].applies(record("rnn"))


# bands


def test_quantile_bands_hold_their_shares() -> None:
    values = np.random.default_rng(3).standard_normal((5, 7, 40))
    values[-1] = np.nan  # a seed that overflowed
    for name, share in (("5 to 95 %", 0.9), ("25 to 75 %", 0.5)):
        low, high = singular_values.quantiles(values)[name]
        inside = (values[:4] >= low[:, None]) & (values[:4] <= high[:, None])
        # both ends are values: of 160 one more may be inside
        assert np.abs(inside.mean(axis=(0, 2)) - share).max() <= 1.5 / 160


def test_of_many_values_bands_are_drawn_and_of_few_lines() -> None:
    for case, bands in (("whole spectrum", False), ("spectra, many seeds", True)):
        _, ax = drawn("singular_values", case)
        found = [str(one.get_label()) for one in ax.collections]
        assert any("25 to 75 %" in label for label in found) == bands
        thin = [one for one in ax.get_lines() if one.get_alpha() == 0.4]
        assert bool(thin) != bands
