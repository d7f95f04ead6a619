"""One panel or several, and room around them for title, notes, labels, legend and colour bar.

All measures are in points. Panels share both axes; only the outer ones have tick labels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradlab.report import style
from gradlab.report.figures.captions import HANDLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

LEFT, RIGHT = 62.0, 10.0
TICKS, LABEL = 18.0, 17.0  # below the axes: tick labels, the axis' label
BESIDE, ABOVE = 14.0, 22.0  # between panels; ABOVE holds a panel's own title
TITLE_HEIGHT, NOTE_HEIGHT = 20.0, 13.0
WORDS = 16.0  # to the right of the axes: the names of the half-planes
BAR, BAR_WIDTH = 90.0, 13.0  # room for the colour bar, and the bar
WIDTHS = (460.8, 540.0, 640.0, 740.0)  # of the figure, by columns
HEIGHT = 288.0  # of the figure with a single panel
LEAST_HEIGHT = 170.0  # of all panels: the label fits beside it
ROW_HEIGHT = 118.0  # of a panel among several
LINE_HEIGHT = 13.2  # of the legend
MOST_COLUMNS = 4
INDENT = 18.0  # from the axes to the legend's left edge
CHARACTER, BOLD = 5.1, 7.1  # widths, about


@dataclass(frozen=True)
class Frame:
    """What stands around the panels."""

    title: str
    notes: Sequence[str]
    x: str
    y: str
    left: float = LEFT
    right: float = RIGHT


def add(figure: Figure, titles: Sequence[str]) -> list[Axes]:
    """Empty axes, one for each title; `arrange` puts them in their places."""
    axes = [figure.add_axes((0.1, 0.1, 0.8, 0.8), label=str(k)) for k in range(len(titles))]
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=style.TEXT, fontweight="normal", pad=4.0)
    return axes


def arrange(
    figure: Figure,
    axes: Sequence[Axes],
    frame: Frame,
    handles: dict[str, Any] | None = None,
    height: float = HEIGHT,
    least: float = LEAST_HEIGHT,
) -> None:
    """Size the figure and place the panels and all around them.

    handles: of the legend, by their labels; by default what the axes hold. height: of a figure with
    one panel; least: of all its panels.
    """
    across = columns(len(axes))
    rows = -(-len(axes) // across)
    width = WIDTHS[across - 1]
    room = width - frame.left - RIGHT
    title = textwrap.wrap(frame.title, int(room / BOLD))
    notes = [line for note in frame.notes for line in textwrap.wrap(note, int(room / CHARACTER))]
    handles = _handles(axes) if handles is None else handles
    ncols = _legend_columns(list(handles), (width - frame.left + INDENT) / CHARACTER)
    own = ABOVE - 4 if any(ax.get_title(loc="left") for ax in axes) else 0.0
    top = 6.0 + TITLE_HEIGHT * len(title) + NOTE_HEIGHT * len(notes) + own
    bottom = TICKS + LABEL + LINE_HEIGHT * -(-len(handles) // ncols) + (6.0 if handles else 2.0)
    around = top + bottom + ABOVE * (rows - 1)
    inside = max(height - around if len(axes) == 1 else ROW_HEIGHT * rows, least)
    total = around + inside
    figure.set_size_inches(width / 72, total / 72)
    w = (width - frame.left - frame.right - BESIDE * (across - 1)) / across
    _place(axes, across, (frame.left, total - top), (w, inside / rows), (width, total))
    _texts(figure, title, notes, frame.left)
    _labels(figure, axes, frame)
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="upper left",
            bbox_to_anchor=((frame.left - INDENT) / width, (bottom - TICKS - LABEL) / total),
            ncols=ncols,
        )


def _place(
    axes: Sequence[Axes],
    across: int,
    corner: tuple[float, float],
    size: tuple[float, float],
    page: tuple[float, float],
) -> None:
    """Rows of panels of one size, from the upper left corner on."""
    (left, top), (w, h), (width, height) = corner, size, page
    for k, ax in enumerate(axes):
        row, column = divmod(k, across)
        x, y = left + column * (w + BESIDE), top - h * (row + 1) - ABOVE * row
        ax.set_position((x / width, y / height, w / width, h / height))
        ax.tick_params(labelbottom=k + across >= len(axes), labelleft=column == 0)


def words(figure: Figure, axes: Sequence[Axes]) -> None:
    """Name the half-planes of growth beside the panels at the right, where there is room."""
    edge = max(float(ax.get_position().x1) for ax in axes)
    for ax in axes:
        box = ax.get_position()
        if box.x1 < edge - 1e-9:
            continue
        low, high = ax.get_ylim()
        points = float(box.height) * float(figure.get_size_inches()[1]) * 72
        for verdict, (start, end) in {"vanishing": (low, 0.0), "exploding": (0.0, high)}.items():
            if (end - start) / (high - low) * points > 5.4 * len(verdict):
                ax.annotate(
                    verdict,
                    (1, (start + end) / 2),
                    (4, 0),
                    xycoords=ax.get_yaxis_transform(),
                    textcoords="offset points",
                    rotation=270,
                    va="center",
                    fontsize=style.SMALL,
                    color=style.VERDICT_COLOURS[verdict],
                    annotation_clip=False,
                )


def colour_bar(
    figure: Figure, axes: Sequence[Axes], mappable: ScalarMappable, label: str, extend: str
) -> Axes:
    """A bar as high as all panels, in the room that Frame.right = BAR leaves."""
    width = float(figure.get_size_inches()[0]) * 72
    boxes = [ax.get_position() for ax in axes]
    bottom, top = (
        min(float(box.y0) for box in boxes),
        max(float(box.y1) for box in boxes),
    )
    place = (1 - (BAR - 14) / width, bottom, BAR_WIDTH / width, top - bottom)
    bar = figure.add_axes(place, label="bar")
    figure.colorbar(mappable, cax=bar, extend=extend)
    middle = (bottom + top) / 2
    figure.text(1 - 4 / width, middle, label, ha="right", va="center", rotation=90)
    bar.grid(False)
    return bar


def columns(panels: int) -> int:
    """How many panels stand beside each other."""
    if panels <= 3:
        return panels
    return 2 if panels == 4 else 3 if panels <= 9 else 4


def _handles(axes: Sequence[Axes]) -> dict[str, Any]:
    """Of all axes, each label once."""
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    return found


def _legend_columns(labels: Sequence[str], line: float) -> int:
    """The largest number of columns that fit into so many characters."""
    widths = [len(label) + HANDLE for label in labels]
    for n in range(min(MOST_COLUMNS, len(labels)), 1, -1):
        rows = [len(labels) // n + (k < len(labels) % n) for k in range(n)]  # filled one by one
        ends = [sum(rows[: k + 1]) for k in range(n)]
        widest = [max(widths[end - row : end]) for row, end in zip(rows, ends, strict=True)]
        if sum(widest) <= line:
            return n
    return 1


def _texts(figure: Figure, title: Sequence[str], notes: Sequence[str], left: float) -> None:
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    y = height - 6.0
    for line in title:
        look: dict[str, Any] = {"fontsize": style.TITLE, "fontweight": "bold"}
        figure.text(left / width, y / height, line, va="top", **look)
        y -= TITLE_HEIGHT
    for line in notes:
        look = {"fontsize": style.SMALL, "color": style.SOFT}
        figure.text(left / width, (y + 2) / height, line, va="top", **look)
        y -= NOTE_HEIGHT


def _labels(figure: Figure, axes: Sequence[Axes], frame: Frame) -> None:
    """The labels of both axes, once for all panels."""
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    boxes = [ax.get_position() for ax in axes]
    x = (min(float(b.x0) for b in boxes) + max(float(b.x1) for b in boxes)) / 2
    low, high = min(float(b.y0) for b in boxes), max(float(b.y1) for b in boxes)
    below = (TICKS + 2) / height
    figure.text(x, low - below, frame.x, ha="center", va="top")
    figure.text(6 / width, (low + high) / 2, frame.y, va="center", rotation=90)
