"""Every figure looks as it did.

Claims:
- there is a picture of every figure, and it is what is drawn now, but for what versions of
  matplotlib may do differently;
- what a reader would see is noticed: two colours exchanged, a curve that is 3 % of the axis higher,
  a darker band, a thinner edge, a line that is missing.
"""

from __future__ import annotations

import io
from dataclasses import replace

import baselines
import numpy as np
import pytest
from figure_records import record
from matplotlib.axes import Axes
from PIL import Image

from gradlab.report import style
from gradlab.report.figures import FIGURES, seed_spread
from gradlab.report.sweep_figures import SWEEP_FIGURES, phase_diagram

# of 255: matplotlib 3.10.7 and 3.11.2 draw all of them the same to the last pixel (0.0); the least
# of the changes below is 2.4
TOLERANCE = 1.0
HINT = "look at it; if it is meant: make baselines"


def baseline(name: str) -> bytes:
    return (baselines.FOLDER / f"{name}.png").read_bytes()


def difference(one: bytes, other: bytes) -> float:
    """Root mean square over all pixels and colours, 0 to 255; infinite for other sizes."""
    a, b = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float) for data in (one, other))
    if max(abs(x - y) for x, y in zip(a.shape, b.shape, strict=True)) > 1:
        return float("inf")
    # versions round a size of 229.99999999999997 pixels to 229 or to 230
    high, wide = (min(x, y) for x, y in zip(a.shape[:2], b.shape[:2], strict=True))
    return float(np.sqrt(((a[:high, :wide] - b[:high, :wide]) ** 2).mean()))


def test_every_figure_has_its_picture_and_they_are_small() -> None:
    names = {path.stem for path in baselines.FOLDER.iterdir()}
    assert names == set(FIGURES) | set(SWEEP_FIGURES)
    assert sum(path.stat().st_size for path in baselines.FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize("name", [*FIGURES, *SWEEP_FIGURES])
def test_it_looks_as_it_did(name: str) -> None:
    assert difference(baselines.picture(name), baseline(name)) <= TOLERANCE, HINT


@pytest.mark.parametrize(
    "name", ["weight_eigenvalues", "seed_spread", "singular_values", "growth_rate", "categories"]
)
def test_exchanged_colours_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vanishing, exploding = (style.VERDICT_COLOURS[v] for v in ("vanishing", "exploding"))
    monkeypatch.setitem(style.VERDICT_COLOURS, "vanishing", exploding)
    monkeypatch.setitem(style.VERDICT_COLOURS, "exploding", vanishing)
    assert difference(baselines.picture(name), baseline(name)) > 2 * TOLERANCE


def test_a_curve_that_is_elsewhere_is_noticed() -> None:
    source = record(baselines.RUNS["gradient_norms"])
    curves = source["log10_grad_norm_h"]
    rise = 0.03 * np.ptp(np.median(curves, axis=0)) * np.linspace(0, 1, curves.shape[1])
    other = replace(source, arrays=source.arrays | {"log10_grad_norm_h": curves + rise})
    changed = baselines.of_run("gradient_norms", other)
    assert difference(changed, baseline("gradient_norms")) > 2 * TOLERANCE


def test_a_darker_band_and_a_thinner_edge_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "BAND", 0.3)
    changed = baselines.picture("weight_gradient")
    assert difference(changed, baseline("weight_gradient")) > 2 * TOLERANCE
    monkeypatch.setitem(phase_diagram.EDGE, "linewidths", [0.5])
    assert difference(baselines.picture("phase_diagram"), baseline("phase_diagram")) > 2 * TOLERANCE


def test_a_missing_line_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Axes.axvline

    def without_the_mean(ax: Axes, x: float, **look: object) -> object:
        mean = str(look.get("label")).startswith("mean")
        return drawn(ax, x, **({**look, "alpha": 0.0} if mean else look))  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "axvline", without_the_mean)
    changed = baselines.of_run("seed_spread", record(baselines.RUNS["seed_spread"]))
    assert difference(changed, baseline("seed_spread")) > 2 * TOLERANCE
    assert seed_spread.applies(record(baselines.RUNS["seed_spread"]))


def test_another_size_is_another_picture() -> None:
    image = Image.open(io.BytesIO(baseline("clipping")))
    data = io.BytesIO()
    image.resize((image.width + 2, image.height)).save(data, format="png")
    assert difference(data.getvalue(), baseline("clipping")) == float("inf")
