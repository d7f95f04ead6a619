"""The pictures that test_images.py compares with: every figure once, small and without any text.

Text is left out because fonts are drawn a little differently from one version of a library to the
next; that texts are there, legible and right, other tests say. After a change that is meant,
`make baselines` draws them anew: look at them before they are committed.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(TESTS.parent),
    str(TESTS),
    *(str(TESTS / "report" / f) for f in ("figures", "sweep")),
]

from figure_records import record  # noqa: E402
from sweep_rows import learned, real  # noqa: E402

from gradlab.record import Record  # noqa: E402
from gradlab.report import style  # noqa: E402
from gradlab.report.figures import FIGURES, captions  # noqa: E402
from gradlab.report.sweep_figures import SWEEP_FIGURES  # noqa: E402
from gradlab.report.sweep_figures.grid import grid  # noqa: E402

FOLDER = Path(__file__).parent / "baseline"
DPI = 50
RUNS = {
    "gradient_norms": "lstm",
    "seed_spread": "rnn exploding",
    "singular_values": "rnn",
    "product_singular_values": "products",
    "lyapunov_spectrum": "spectra, tanh, theory",
    "jacobian_spectrum": "spectra, tanh, theory",
    "weight_spectrum": "spectra, tanh, theory",
    "weight_eigenvalues": "spectra, tanh, theory",
    "weight_gradient": "rnn",
    "lag_split": "truncated",
    "layer_heatmap": "three layers",
    "directions": "both directions",
    "cell_paths": "direct path",
    "gate_histograms": "gru",
    "clipping": "step clip",
    "factor_histogram": "factors between",
    "training_loss": "training",
    "training_clip": "training",
    "snapshots": "training",
}
SWEEPS = {
    "phase_diagram": "two numbers",
    "growth_rate": "cells and a number",
    "categories": "one category",
    "curves": "one number",
    "final_loss": "one number",  # its points as trainings
}


def picture(name: str) -> bytes:
    """The PNG of a figure, of a run or of a sweep."""
    return of_run(name, record(RUNS[name])) if name in RUNS else of_sweep(name)


def of_run(name: str, source: Record) -> bytes:
    """A figure of this record."""
    with style.applied():
        figure = style.new_figure(FIGURES[name].size)
        ax = figure.add_subplot()
        FIGURES[name].draw(ax, source)
        captions.make_room(figure, ax)
        return _without_text(figure)


def of_sweep(name: str) -> bytes:
    """A figure of its case."""
    with style.applied():
        figure = style.new_figure()
        swept = real(SWEEPS[name])
        if name == "final_loss":
            swept = learned(swept, lambda scale: 1.0 + float(scale))
        SWEEP_FIGURES[name].draw(figure, grid(*swept))
        return _without_text(figure)


def _without_text(figure: Figure) -> bytes:
    axes = [one for ax in figure.axes for one in (ax, *ax.child_axes)]
    legends = [ax.get_legend() for ax in axes] + figure.legends
    for legend in legends:
        if legend is not None:
            legend.remove()
    for ax in axes:
        ax.tick_params(labelbottom=False, labelleft=False, labelright=False)
    for text in figure.findobj(Text):
        text.set_visible(False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    return data.getvalue()


def main() -> None:
    """Draw all of them anew."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    for name in (*RUNS, *SWEEPS):
        (FOLDER / f"{name}.png").write_bytes(picture(name))


if __name__ == "__main__":
    main()
