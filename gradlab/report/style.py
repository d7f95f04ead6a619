"""How everything looks: one palette, one set of fonts and sizes.

The constants need no matplotlib: the terminal takes the verdict's colours from here. The colours of
the verdicts differ in lightness as well as in hue (in grey, and for colour-blind readers, they stay
apart), and each has a contrast of at least 3 against white and against black. No figure relies on
colour alone: series differ in their markers, theory and measurement in line style.

Measurement is drawn with markers and its spread, theory as a line without markers.
"""

from __future__ import annotations

import importlib
import io
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab import alone
from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.report import network, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERDICT_COLOURS = {
    "vanishing": "#155fa5",  # lightness (CIE L*) 40
    "undecided": "#6f6f6f",  # 47
    "exploding": "#d85a0a",  # 54
    "preserved": "#12a67a",  # 61
}


def verdict_colour(record: Record) -> str:
    """Of what is said of a run at first; of a sum over several loss terms the verdict says little,
    and has no colour.
    """
    return SOFT if network.sums(record) else VERDICT_COLOURS[record.summary["verdict"]]


# P. Tol's muted scheme: L* 22, 46, 56, 64
INDIGO, PURPLE, ROSE, TEAL = "#332288", "#aa4499", "#cc6677", "#44aa99"
PART_COLOURS = {"h": INDIGO, "c_total": PURPLE, "c": TEAL}
PART_MARKERS = {"h": "o", "c_total": "s", "c": "^"}
LARGEST, SMALLEST = INDIGO, PURPLE  # singular values
DIRECTION_COLOURS = {"forward": INDIGO, "backward": ROSE}
DIRECTION_MARKERS = {"forward": "o", "backward": "s"}
PATH_COLOURS = {"direct": INDIGO, "forget": PURPLE, "input": ROSE, "candidate": TEAL}
PATH_MARKERS = {"direct": "o", "forget": "s", "input": "v", "candidate": "^"}
WHOLE, REST = INDIGO, ROSE  # a lag's share, and what is still missing after it
FRESH = "#a07e1f"  # weights drawn anew, beside trained ones: between PURPLE and TEAL in grey
CATEGORIES = (  # of P. Tol's muted scheme those dark enough for a line; neighbours differ in L*
    INDIGO,  # 22
    TEAL,  # 64
    PURPLE,  # 46
    "#ab9a2f",  # 63
    "#882255",  # 32
    "#117733",  # 43
    ROSE,  # 56
    "#111111",  # 5; a grey would be ROSE or TEAL to those who do not see red or green
)
GROWTH = (  # of growth rates, from the lowest to the highest; soon away from white
    (0.0, "#0b3f73"),
    (0.2, VERDICT_COLOURS["vanishing"]),
    (0.4, "#7fb2dc"),
    (0.47, "#c8dff0"),
    (0.5, "#ffffff"),
    (0.53, "#fcdec4"),
    (0.6, "#f5b27f"),
    (0.8, "#ea7a2c"),
    (1.0, VERDICT_COLOURS["exploding"]),
)
NOTHING = "#dcdcdc"  # hatched: where there is no value
SEQUENTIAL = "viridis"  # matplotlib's: lightness rises evenly, for colour-blind readers too

INK = "#222222"
SOFT = "#5a5a5a"  # notes, and lines that are not the point
GRID = "#e4e4e4"
HIGHLIGHT = "#fff1cc"  # a stretch of the axis that the title speaks of
CUT = "#b3261e"  # where truncation cuts the gradient
BAND = 0.18  # opacity of a spread

SIZE = (6.4, 4.0)  # inches; at 150 dpi 960 pixels wide, legible when shown at half of that
DPI = 150
TITLE, TEXT, SMALL = 11.5, 10.0, 9.0  # points
MARKS = 25  # markers on a curve, about

THEORY: Mapping[str, Any] = {"marker": "", "linestyle": (0, (5, 2)), "linewidth": 1.4, "color": INK}
BOUND: Mapping[str, Any] = {
    "marker": "",
    "linestyle": (0, (1, 2, 4, 2)),
    "linewidth": 1.1,
    "color": SOFT,
}
FIT: Mapping[str, Any] = {"marker": "", "linestyle": (0, (1, 1.2)), "linewidth": 1.8}
THRESHOLD: Mapping[str, Any] = {
    "marker": "",
    "linestyle": (0, (7, 2, 1, 2)),
    "linewidth": 1.2,
    "color": SOFT,
}

_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,  # a $ is a $
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.titlesize": TITLE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.0,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.0,
    "legend.labelspacing": 0.35,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.6,
    "svg.hashsalt": "gradlab",  # otherwise random: the same figure, other bytes
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
# without dates and versions: the same figure, the same bytes
_METADATA: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# settings of the program around a figure, not of the figure: left as they are
_NOT_OURS = ("backend", "interactive", "toolbar", "timezone", "date.epoch", "webagg", "docstring")


def _load() -> None:
    """Load matplotlib, as far as it is needed for a figure."""
    if "matplotlib.figure" in sys.modules:
        return
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no word about its own cache folder
    with alone.loading(), _undocumented() if alone.is_so() else nullcontext():
        importlib.import_module("matplotlib.figure")


@contextmanager
def _undocumented() -> Iterator[None]:
    """For the import of matplotlib: without the lists of all properties that it writes, for `help`,
    into a hundred classes. They take half of the import.
    """
    from matplotlib import artist

    writers: tuple[tuple[Any, str, Any], ...] = (
        (artist, "kwdoc", lambda shown: ""),
        (artist.Artist, "_update_set_signature_and_docstring", staticmethod(lambda: None)),
    )
    there = [one for one in writers if one[1] in vars(one[0])]  # the second is no promise of theirs
    usual = [(place, name, vars(place)[name]) for place, name, _ in there]
    for place, name, nothing in there:
        setattr(place, name, nothing)
    try:
        yield
    finally:
        for place, name, value in usual:
            setattr(place, name, value)


@contextmanager
def applied() -> Iterator[None]:
    """matplotlib's defaults with this style on top while the block runs; then all is as it was.

    A user's own matplotlibrc does not show in the figures.
    """
    _load()
    import matplotlib

    settings: dict[Any, Any] = {
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith(_NOT_OURS)
    }
    with matplotlib.rc_context(settings | _SETTINGS):
        yield


def new_figure(size: tuple[float, float] = SIZE) -> Figure:
    """An empty Figure that no window system knows of; to be drawn and saved within `applied`."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, facecolor="white")


def formats(given: Sequence[str]) -> list[str]:
    """Those formats in the order in which they are written. Raises GradlabError for an unknown."""
    for name in given:
        if name not in _METADATA:
            raise GradlabError(f"unknown figure format {name!r}; known: {', '.join(_METADATA)}")
    return [name for name in _METADATA if name in given]


def rendered(figure: Figure, extension: str, dpi: int) -> bytes:
    """The file of a figure: the same bytes for the same figure."""
    if extension == "png":
        return _picture(figure, dpi)
    data = io.BytesIO()
    figure.savefig(data, format=extension, dpi=dpi, metadata=_METADATA[extension])
    return data.getvalue()


def _picture(figure: Figure, dpi: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return png.encoded(np.asarray(canvas.buffer_rgba()), dpi)
