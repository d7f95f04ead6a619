"""Claims:

- the palette keeps its colours apart in grey, and readable on white and on black;
- the terminal can take its colours without loading matplotlib;
- the style leaves matplotlib's settings as they were, and a user's settings do not reach it.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from figure_records import record

from gradlab.analysis.verdict import Verdict
from gradlab.report import figures, style


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def lightness(colour: str) -> float:
    """CIE L*, 0 to 100."""
    return float(116 * luminance(colour) ** (1 / 3) - 16)


@pytest.mark.parametrize(
    "palette",
    [
        style.VERDICT_COLOURS,
        style.PART_COLOURS,
        style.PATH_COLOURS,
        style.DIRECTION_COLOURS,
        {"whole": style.WHOLE, "rest": style.REST},
    ],
)
def test_colours_stay_apart_in_grey(palette: dict[str, str]) -> None:
    levels = sorted(lightness(colour) for colour in palette.values())
    assert min(b - a for a, b in pairwise(levels)) > 6


def test_every_verdict_has_a_colour_that_is_read_on_white_and_on_black() -> None:
    assert set(style.VERDICT_COLOURS) == {verdict.value for verdict in Verdict}
    for colour in style.VERDICT_COLOURS.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 3
        assert (luminance(colour) + 0.05) / 0.05 >= 3


def test_series_differ_in_their_markers() -> None:
    for colours, markers in (
        (style.PART_COLOURS, style.PART_MARKERS),
        (style.PATH_COLOURS, style.PATH_MARKERS),
        (style.DIRECTION_COLOURS, style.DIRECTION_MARKERS),
    ):
        assert colours.keys() == markers.keys()
        assert len(set(markers.values())) == len(markers)


def test_importing_style_and_figures_loads_no_matplotlib() -> None:
    code = (
        "import sys, gradlab.report.style, gradlab.report.figures\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_saving_loads_no_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; sys.path[:0] = sys.argv[1:2]\n"
        "from figure_records import made\nfrom gradlab.report import figures\n"
        "figures.save(made(cell='rnn'), pathlib.Path(sys.argv[2]), ['png', 'svg', 'pdf'], 50)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    here = str(Path(__file__).parent)
    command = [sys.executable, "-W", "error", "-c", code, here, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_settings_of_matplotlib_are_left_alone_and_have_no_influence(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    before = dict(matplotlib.rcParams)
    figures.save(record("rnn"), first, ["png", "svg"], 80)
    assert dict(matplotlib.rcParams) == before
    users = {
        "font.size": 30,
        "axes.facecolor": "black",
        "savefig.bbox": "tight",
        "lines.marker": "x",
    }
    with matplotlib.rc_context(users):
        figures.save(record("rnn"), second, ["png", "svg"], 80)
        assert matplotlib.rcParams["font.size"] == 30
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
