"""Figures of networks that are more than one recurrent layer, and of what only some cells have.

Claims:
- the colours of the layers are the medians over seeds, hatched where there is none;
- both directions begin at distance 0, where the gradient enters them, and end where it leaves;
- the shaded memory horizon is the array's median; the parts are those of the record, relative to
  the whole gradient, and to the largest part where the whole is truncated;
- the title of the paths compares the medians; the histogram is a distribution;
- junction, cuts, and what t counts are where the config says.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from drawing import drawn, drawn_of, line
from figure_records import CASES, NETWORKS, record
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.patches import Rectangle

from gradlab.record import Record
from gradlab.report.figures import (
    cell_paths,
    decades,
    directions,
    factor_histogram,
    gradient_norms,
    lag_split,
    layer_heatmap,
    marks,
    mesh,
    weight_gradient,
)
from gradlab.report.network import Truncation


def having(array: str) -> list[str]:
    return [case for case in NETWORKS if array in record(case).arrays]


def alive(source: Record, array: str) -> np.ndarray:
    return np.asarray(source[array][source["overflow_step"] == 0])


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize("case", having("layer_log10_grad_norm_h"))
def test_colours_of_layers_are_medians_and_zeros_are_hatched(case: str) -> None:
    source = record(case)
    _, ax = drawn("layer_heatmap", case)
    (coloured,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    expected = np.median(alive(source, "layer_log10_grad_norm_h"), axis=0).T  # layers, steps
    shown = np.ma.masked_invalid(expected)
    np.testing.assert_array_equal(coloured.get_array().mask, shown.mask)
    np.testing.assert_array_equal(coloured.get_array().compressed(), shown.compressed())
    low, high = coloured.get_clim()
    assert low <= shown.min() <= shown.max() <= high
    hatched = [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_hatch()]
    assert bool(hatched) == shown.mask.any()
    for one in hatched:
        centres = [(t, k + 1) for k, i in zip(*np.nonzero(shown.mask), strict=True)
                   for t in source["t"][[i]]]  # fmt: skip
        paths = one.get_paths()
        assert all(any(path.contains_point(centre) for path in paths) for centre in centres)


def test_first_layer_is_below_and_the_title_speaks_of_its_first_step() -> None:
    _, ax = drawn("layer_heatmap", "layers of a single step")
    assert ax.get_ylim()[0] < 1 < 2 < ax.get_ylim()[1]
    source = record("layers of a single step")
    values = np.median(source["layer_log10_grad_norm_h"], axis=0)
    down, back = (decades.about(float(values[k, 0] - values[1, 1])) for k in (1, 0))
    assert layer_heatmap.title(source).endswith(
        f"layer 1 gets {down} at its step, {back} at step 0"
    )
    assert "Nothing" in layer_heatmap.title(record("three layers"))


def test_borders_lie_half_way() -> None:
    np.testing.assert_array_equal(mesh.borders(np.array([0.0, 1.0, 3.0])), [-0.5, 0.5, 2.0, 4.0])
    np.testing.assert_array_equal(mesh.borders(np.array([2.0])), [1.5, 2.5])


# ---------------------------------------------------------------- directions

ENTRIES = {
    "both directions": (30, 1, 30, 30),
    "both directions from the middle": (15, 15, 15, 16),
    "both directions, all steps": (30, 1, 30, 30),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_directions_begin_where_the_gradient_enters(case: str) -> None:
    source = record(case)
    forward, backward, there, back = ENTRIES[case]
    assert directions.entries(source) == {"forward": forward, "backward": backward}
    _, ax = drawn("directions", case)
    x, y = line(ax, "forward")
    at = [source["t"].tolist().index(forward - lag) for lag in range(there + 1)]
    np.testing.assert_array_equal(x, np.arange(there + 1))
    np.testing.assert_array_equal(y, np.median(source["log10_grad_norm_h"][:, at], axis=0))
    x, y = line(ax, "backward")
    at = [source["backward_t"].tolist().index(backward + lag) for lag in range(back + 1)]
    np.testing.assert_array_equal(x, np.arange(back + 1))
    np.testing.assert_array_equal(y, np.median(source["backward_log10_grad_norm_h"][:, at], axis=0))


# ---------------------------------------------------------------- lags

LAGGED = having("lag_split_lag")


def shaded(ax: Axes) -> list[Rectangle]:
    return [p for p in ax.patches if isinstance(p, Rectangle) and "horizon" in str(p.get_label())]


@pytest.mark.parametrize("case", LAGGED)
def test_the_shaded_memory_horizon_is_the_median(case: str) -> None:
    source = record(case)
    _, ax = drawn("lag_split", case)
    if not np.isfinite(source["memory_horizon"]).any():  # from h_0 = 0 one step learns nothing
        assert not shaded(ax)
        return
    (span,) = shaded(ax)
    horizon = math.ceil(np.nanmedian(source["memory_horizon"]))
    assert span.get_x() + span.get_width() + 0.5 == horizon
    unit = "step" if source.config["tied"] else "layer"
    assert f"horizon: {horizon} {unit}" in str(span.get_label())
    rest = np.median(alive(source, "lag_remainder"), axis=0)
    assert rest[horizon - 1] <= 0.05 * 1.2  # medians of both need not be the same seed's
    assert horizon == 1 or rest[horizon - 2] > 0.05 * 0.8


@pytest.mark.parametrize("case", LAGGED)
def test_parts_are_relative_to_the_whole_gradient(case: str) -> None:
    source = record(case)
    _, ax = drawn("lag_split", case)
    norms = alive(source, "log10_lag_norm")
    if np.isneginf(source["log10_lag_whole"]).all():
        return  # from h_0 = 0 one step learns nothing
    whole = alive(source, "log10_lag_whole")
    name = source.names.get("weights", ["weight_hh"])[0]
    assert ax.get_ylabel().endswith(f"‖∂L/∂{name.replace('weight', 'W')}‖")
    x, y = line(ax, "lag's part")
    parts = np.median(norms - whole[:, None], axis=0)
    gaps = np.where(np.isneginf(parts), np.nan, parts)
    np.testing.assert_allclose(y, gaps[: len(x)], atol=1e-12)
    assert (parts[len(x) :] < parts.max() - lag_split.DEEPEST + 1).all()  # what is left out


def test_titles_of_the_lag_split() -> None:
    horizon = math.ceil(np.median(record("short memory")["memory_horizon"]))
    assert lag_split.title(record("short memory")) == (
        f"By lag: 95 % of ∂L/∂W_hh comes from the {horizon} steps up to the loss"
    )
    assert lag_split.title(record("memory of a step")).endswith("the step of the loss itself")
    assert lag_split.title(record("long memory")).startswith("By lag: it takes ")
    lost = record("truncated").summary["truncation"]["lost"]
    assert lag_split.title(record("truncated")) == (
        f"Truncation after 10 steps loses {100 * lost:.0f} % of ∂L/∂W_hh"
    )


def test_time_and_lag_are_not_read_against_each_other() -> None:
    """A gradient that enters at every step comes from all times, and yet from a few steps back:
    each of the two titles says what it is over, and each figure names the other.
    """
    source = record("short memory")
    every = source.config | {"loss": source.config["loss"] | {"at": "all"}}
    even = np.where(source["t"] > 0, 0.0, np.nan)[None].repeat(len(source["seeds"]), axis=0)
    every_step = replace(
        source, config=every, arrays=source.arrays | {"log10_weight_grad_norm": even}
    )
    assert weight_gradient.title(every_step) == "By time: the weights learn from all steps"
    assert lag_split.title(every_step).startswith("By lag: 95 % of ")
    assert lag_split.title(every_step).endswith("steps up to each loss term")
    for figure, other in ((weight_gradient, "lag_split"), (lag_split, "weight_gradient")):
        _, ax = drawn_of(figure.__name__.rpartition(".")[-1], every_step)
        assert any(other in text.get_text() for text in ax.texts)
    arrays = {name: a for name, a in every_step.arrays.items() if "lag" not in name}
    _, ax = drawn_of("weight_gradient", replace(every_step, arrays=arrays))  # nothing was split
    assert not any("lag_split" in text.get_text() for text in ax.texts)


def test_the_cut_is_at_the_lag_of_the_truncation() -> None:
    for case, steps in (("truncated", 10), ("chunks", 7)):
        x, _ = line(drawn("lag_split", case)[1], "truncated")
        assert set(x) == {steps - 0.5}


# ---------------------------------------------------------------- paths and factors


@pytest.mark.parametrize("case", having("log10_path_norm"))
def test_paths_are_medians_and_the_title_compares_them(case: str) -> None:
    source = record(case)
    _, ax = drawn("cell_paths", case)
    values = np.median(alive(source, "log10_path_norm")[:, source["t"] > 0], axis=0)
    lines = [one for one in ax.get_lines() if len(one.get_xdata()) == len(values)]
    for k, one in enumerate(lines[-4:]):
        expected = np.where(np.isfinite(values[:, k]), values[:, k], np.nan)
        np.testing.assert_array_equal(one.get_ydata(), expected)
    widths = [one.get_linewidth() for one in lines[-4:]]
    assert widths[0] > max(widths[1:])
    title = cell_paths.title(source)
    if np.isfinite(values[:, 1:]).any():
        typical = [np.median(column[np.isfinite(column)]) for column in values.T]
        assert title.startswith("The direct path dominates") == (np.argmax(typical) == 0)
    else:
        assert title.startswith("Only the direct path")


@pytest.mark.parametrize("case", having("factor_histogram"))
def test_the_histogram_is_a_distribution(case: str) -> None:
    source = record(case)
    shares = factor_histogram.distribution(source)
    np.testing.assert_allclose(shares.sum(axis=1), 100.0, rtol=1e-12)
    factor = source.summary["factor"]
    holds = factor["claim"] == "holds"
    assert factor_histogram.title(source).startswith("Near 0 or 1" if holds else "Between")
    _, ax = drawn("factor_histogram", case)
    assert ax.get_ylim()[1] > shares.max()
    assert ax.get_xlim()[0] < 0 < 1 < ax.get_xlim()[1]


# ---------------------------------------------------------------- marks and words


@pytest.mark.parametrize("name", ["gradient_norms", "weight_gradient", "singular_values"])
def test_the_junction_is_between_encoder_and_decoder(name: str) -> None:
    for case, after in (("encoder, decoder", 20), ("long encoder", 29)):
        _, ax = drawn(name, case)
        assert any(set(one.get_xdata()) == {after + 0.5} for one in ax.get_lines())
        (words,) = [text.get_text() for text in ax.texts if "encoder" in text.get_text()]
        assert words.index("encoder") < words.index("decoder")


def test_borders_of_truncation() -> None:
    last, every = record("rnn"), record("loss at all steps")  # T = 30
    assert marks.borders(last, Truncation(10, "sliding")) == [20.5]
    assert marks.borders(last, Truncation(7, "chunked")) == [28.5]
    assert marks.borders(last, Truncation(30, "sliding")) == []
    assert marks.borders(every, Truncation(10, "sliding")) == []
    assert marks.borders(every, Truncation(7, "chunked")) == [7.5, 14.5, 21.5, 28.5]
    assert marks.borders(every, Truncation(1, "chunked")) == []  # too many: a note tells


def test_the_sliding_border_is_where_the_gradient_ends() -> None:
    source = record("truncated")
    (border,) = marks.borders(source, Truncation(10, "sliding"))
    there = np.isfinite(source["log10_grad_norm_h"]).all(axis=0)
    np.testing.assert_array_equal(there, source["t"] > border)
    assert gradient_norms.title(source) == "vanishing: cut after 10 steps"


def test_words_say_layer_direction_and_weights_where_that_is_what_they_are() -> None:
    deep = record("deep net")
    assert gradient_norms.title(deep).endswith("layers")
    assert weight_gradient.title(deep).startswith("Only the last ")
    assert weight_gradient.title(deep).endswith(" of 30 layers learn")
    alike = "The gradients of all layers are of a like size"
    assert weight_gradient.title(record("deep net that learns")) == alike
    assert gradient_norms.title(record("both directions")).startswith("forward direction, ")
    assert weight_gradient.title(record("both directions")).startswith(
        "By time: the forward direction "
    )
    assert "W_ih" in drawn("weight_gradient", "no recurrent matrix")[1].get_ylabel()
    assert "all layers" in str(
        drawn("gradient_norms", "two even layers")[1].get_legend_handles_labels()
    )


def test_the_legend_of_layers_has_words_for_every_part() -> None:
    """Not the names of arrays, which are nobody's words: h_total."""
    source = record("three layers")
    source = replace(
        source,
        names=source.names | {"parts": [*source.names["parts"], "h_total"]},
        arrays=source.arrays | {"log10_grad_norm_h_total": source["log10_grad_norm_h"] + 1},
    )
    _, ax = drawn_of("gradient_norms", source)
    labels = [str(label) for label in ax.get_legend_handles_labels()[1]]
    assert "hₜ with its paths up the layers" in labels
    assert not any("_" in label for label in labels)


# ---------------------------------------------------------------- layers of both directions

BOTH_WAYS = [case for case in CASES if "both ways" in case]


@pytest.mark.parametrize("case", BOTH_WAYS)
def test_colours_of_layers_that_read_both_ways(case: str) -> None:
    """A row for each layer and direction, by steps of the sequence, the first layer below."""
    source = record(case)
    _, ax = drawn("layer_heatmap", case)
    forward, backward = (c for c in ax.collections if isinstance(c, QuadMesh))
    T = source.config["seq_len"]
    for mesh_, prefix, first in ((forward, "", 1), (backward, "backward_", 0)):
        t = source[f"{prefix}t"]
        values = source[f"{prefix}layer_log10_grad_norm_h"]
        colours = mesh_.get_array()
        shown = sorted(step for step in t.tolist() if 1 <= step <= T)
        assert colours.shape == (2 * source.config["layers"], len(shown))
        for column, step in enumerate(shown):
            (row,) = np.flatnonzero(t == step)
            expected = np.ma.masked_invalid(np.median(values[:, row], axis=0))
            np.testing.assert_array_equal(colours[first::2, column].filled(9), expected.filled(9))
        assert colours[1 - first :: 2].mask.all()
        assert mesh_.get_clim() == forward.get_clim()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    if source.config["layers"] < 7:
        assert labels[:2] == ["1 ←", "1 →"]
        assert ax.get_yticks()[0] < ax.get_yticks()[1]


def test_titles_and_notes_of_layers_that_read_both_ways() -> None:
    source = record("layers both ways from the middle")
    values = np.median(source["layer_log10_grad_norm_h"], axis=0)
    enters = source["t"].tolist().index(11)
    least = 1 + int(np.argmin(values[1:, 0]))
    down, back = (decades.about(float(values[k, 0] - values[enters, 2])) for k in (enters, least))
    assert layer_heatmap.title(source) == (
        f"Forward: of layer 3's gradient, layer 1 gets {down} at its step, "
        f"at least {back} (step {source['t'][least]})"
    )
    for name in ("gradient_norms", "singular_values", "weight_gradient"):
        _, ax = drawn(name, "layers both ways")
        assert any("of the last layer" in text.get_text() for text in ax.texts), name
        assert not any("all layers" in text.get_text() for text in ax.get_legend().get_texts())
    _, ax = drawn("product_singular_values", "layers both ways")
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any("of 12" in text for text in told)  # h and c of one layer, 6 units
