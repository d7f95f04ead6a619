"""Figures and words of trainings.

Claims:
- the loss is the median over the seeds of the means of blocks of updates, of which the last ends
  with the last whole block; a seed that has ended keeps its last value;
- the clip's figure has the smallest and the largest norm of every block as its band, and lines at
  the threshold (of a norm) and at the 90th percentile;
- each snapshot is a line, the median over the seeds; the first and the last are thick; a training
  that has ended shows no snapshot of after its end but one;
- no text lies on another or leaves the figure;
- the words say how many seeds ended where, and what the clip did: counted anew from the curves.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawing import drawn, line, texts
from figure_records import TRAINED, record
from matplotlib.collections import PolyCollection

from gradlab.report import training
from gradlab.report.figures import snapshots

FIGURES = ("training_loss", "training_clip", "snapshots")
HEALTHY = [case for case in TRAINED if "overflows" not in case]


@pytest.mark.parametrize("case", HEALTHY)
def test_the_loss_is_the_median_of_means_of_blocks(case: str) -> None:
    source = record(case)
    _, ax = drawn("training_loss", case)
    x, y = line(ax, "median of" if len(source["seeds"]) > 1 else "one seed")
    losses = source["train_loss"].copy()
    size = -(-losses.shape[1] // 120)
    for r, end in enumerate(source["train_stopped"]):
        if end:
            losses[r, end:] = losses[r, end - 1]
    assert x.tolist() == list(range(size, losses.shape[1] + 1, size))
    for k, last in enumerate(x.astype(int)):
        expected = np.median(np.log10(losses[:, last - size : last].mean(axis=1)))
        # medians of logarithms here and there: one rounding
        np.testing.assert_allclose(y[k], expected, rtol=1e-13, atol=1e-15)
    _, level = line(ax, "baseline")
    np.testing.assert_allclose(10 ** level[0], source.summary["train"]["baseline"], rtol=1e-13)


@pytest.mark.parametrize("case", HEALTHY)
def test_the_band_of_the_clip_holds_all_norms(case: str) -> None:
    source = record(case)
    _, ax = drawn("training_clip", case)
    norms = source["train_log10_norm"]
    norms = norms[np.isfinite(norms)]
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    shown = bands[0].get_paths()[0].vertices[:, 1] if bands else line(ax, "before clipping")[1]
    np.testing.assert_array_equal([shown.min(), shown.max()], [norms.min(), norms.max()])
    _, level = line(ax, "90 % of the norms")
    assert np.mean(norms <= level[0] + 1e-12) >= 0.9
    assert np.mean(norms < level[0] - 1e-12) <= 0.9
    labels = [str(one.get_label()) for one in ax.get_lines()]
    clip = source.config["clip"]
    assert any(label.startswith("after") for label in labels) == (clip is not None)
    by_norm = clip is not None and clip["by"] == "global_norm"
    assert any(label.startswith("threshold") for label in labels) == by_norm
    if by_norm:
        _, threshold = line(ax, "threshold")
        np.testing.assert_allclose(10 ** threshold[0], clip["threshold"], rtol=1e-13)


@pytest.mark.parametrize("case", HEALTHY)
def test_each_snapshot_is_a_line(case: str) -> None:
    source = record(case)
    _, ax = drawn("snapshots", case)
    at, medians = snapshots.shown(source)
    lines = [one for one in ax.get_lines() if len(np.asarray(one.get_xdata())) == len(source["t"])]
    assert len(lines) == len(at) == len(medians)
    kept = np.searchsorted(source["snapshot_update"], at)
    expected = np.median(source["snapshot_log10_grad_norm_h"][:, kept], axis=0)
    for one, curve in zip(lines, expected, strict=True):
        found = np.asarray(one.get_ydata(), float)
        np.testing.assert_array_equal(found, np.where(np.isfinite(curve), curve, np.nan))
    widths = [one.get_linewidth() for one in lines]
    assert widths[0] == widths[-1] > max(widths[1:-1], default=0)
    colours = [one.get_color() for one in lines]
    light = [float(np.dot(colour[:3], (0.2126, 0.7152, 0.0722))) for colour in colours]
    assert (np.diff(light) > 0).all()  # dark to light


def test_of_a_training_that_has_ended_one_snapshot_of_after_it_is_shown() -> None:
    source = record("training that ends")
    assert source["train_stopped"].tolist() == [7] * 4
    at, _ = snapshots.shown(source)
    assert at.tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize("case", HEALTHY)
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another(name: str, case: str) -> None:
    figure, ax = drawn(name, case)
    axes = [ax, *(child for child in ax.child_axes)]
    width, height = figure.bbox.width, figure.bbox.height
    boxes = [text.get_window_extent() for text in texts(figure, axes)]
    for k, box in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[:k])


@pytest.mark.parametrize("case", TRAINED)
def test_the_words_count_what_the_curves_have(case: str) -> None:
    source = record(case)
    told, text = source.summary["train"], " ".join(training.sentences(source))
    losses, ends = source["train_loss"], source["train_stopped"]
    final = []
    for own, end in zip(losses, ends, strict=True):
        last = int(end) or len(own)
        final.append(own[max(0, last - max(10, last // 10)) : last].mean())
    below = sum(loss < 0.9 * told["baseline"] for loss in final)
    above = sum(loss > 1.1 * told["baseline"] for loss in final)
    lost = sum(not math.isfinite(loss) for loss in final)
    at = len(final) - below - above - lost
    assert list(told["seeds"].values()) == [below, at, above, lost]
    assert f"of {len(final)}, {below} below the baseline" in text
    assert f"{lost} not finite" in text
    nonfinite = int((source["train_nonfinite"] == 1).sum())
    assert (f"At {nonfinite} updates" in text) == (nonfinite > 0)
    if source.config["clip"] is None:
        assert told["clip"]["acted"] is None
        assert "acted on" not in text
    else:
        norms, rate = source["train_log10_norm"], source["train_clip_rate"]
        acted = np.mean(rate < 1)
        np.testing.assert_allclose(told["clip"]["acted"], acted, rtol=1e-13)
        np.testing.assert_allclose(told["clip"]["learning_rate_factor"], rate.mean(), rtol=1e-13)
        if source.config["clip"]["by"] == "global_norm":
            assert acted == np.mean(10**norms > source.config["clip"]["threshold"])
        assert ("rather than a guard" in text) == (acted > 0.5)
    rows = dict(training.tables(source)[1][2])
    assert rows["updates with a finite gradient"] == f"{told['clip']['updates']}"
    assert len(training.tables(source)[0][2]) == len(final)


def test_a_run_is_no_training() -> None:
    assert not training.applies(record("rnn"))
    assert training.sentences(record("rnn")) == []
    assert training.tables(record("rnn")) == []
