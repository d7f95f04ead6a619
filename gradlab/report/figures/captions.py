"""Title, notes, steps and legend, in places where they never lie on a curve, and room for them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradlab.report import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.015  # of the steps, on both sides of them
# points
LEFT, RIGHT = 62.0, 8.0  # from the figure's edges to the axes: tick labels and axis label
INDENT = 44.0  # from the axes to the legend's left edge
TITLE_PAD, TITLE_HEIGHT, NOTE_HEIGHT = 8.0, 17.0, 13.0
BELOW = 38.0  # from the axes to the legend: tick labels and axis label are between
LINE_HEIGHT = 13.6  # of the legend
BAR_LABELS = 60.0  # to the right of a colour bar: its tick labels and its label
# characters
TITLE_LINE, NOTE_LINE = 57, 76
LINE = 88  # of a legend that stand beside each other
HANDLE = 8  # what a handle and the space after a column take
SIDES = 0.13  # of the axes' width: half of the words at the sides of a junction
_ABOVE = "above"  # marks the texts between axes and title: `make_room` counts them


def title(ax: Axes, text: str, colour: str = style.INK, notes: Sequence[str] = ()) -> None:
    """The message above the axes; below it, smaller, what has to be known to read them."""
    notes = [line for note in notes for line in textwrap.wrap(note, NOTE_LINE)]
    below = sum(one.get_gid() == _ABOVE for one in ax.texts)  # words that are there already
    pad = TITLE_PAD + NOTE_HEIGHT * (len(notes) + below)
    # y is what it would be: without it every tick's label is measured, to find that none is above
    ax.set_title("\n".join(textwrap.wrap(text, TITLE_LINE)), color=colour, pad=pad, y=1.0)
    for line, note in enumerate(reversed(notes)):
        _above(ax, note, 0, below + line)


def sides(ax: Axes, x: float, left: str, right: str) -> None:
    """Name the two sides of x, just above the axes; before the title."""
    low, high = ax.get_xlim()
    centre = min(max((x - low) / (high - low), SIDES), 1 - SIDES)
    _above(ax, f"← {left}   {right} →", centre, 0, ha="center")


def _above(ax: Axes, text: str, x: float, line: int, ha: str = "left") -> None:
    """Small text above the axes, so many lines up."""
    ax.annotate(
        text,
        (x, 1),
        (0, 6.0 + NOTE_HEIGHT * line),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=style.SMALL,
        color=style.SOFT,
        ha=ha,
        annotation_clip=False,
        gid=_ABOVE,
    )


def steps(ax: Axes, first: int, last: int, unit: str = "step") -> None:
    """The x axis: steps t, or layers of a deep net; the gradient travels to the left."""
    whole_numbers(ax, first, last, f"{unit} t   (the gradient travels from right to left ←)")


def whole_numbers(ax: Axes, first: int, last: int, label: str) -> None:
    """An x axis of whole numbers, and what they count."""
    from matplotlib.ticker import MaxNLocator

    margin = MARGIN * max(last - first, 1)
    ax.set_xlim(first - margin, last + margin)
    ax.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )
    ax.set_xlabel(label)


def legend(
    ax: Axes, more: Sequence[Axes] = (), handles: Mapping[str, Artist] | None = None
) -> None:
    """Below the axes, and those inset below them, as many columns as fit; also for more axes.

    handles: further entries, by their labels.
    """
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    assert figure is not None
    entries: list[tuple[Any, str]] = []
    for one in (ax, *more):
        entries += zip(*one.get_legend_handles_labels(), strict=True)
    entries += [(handle, label) for label, handle in (handles or {}).items()]
    labels = [str(label) for _, label in entries]
    offset = ScaledTranslation(-INDENT / 72, -BELOW / 72, figure.dpi_scale_trans)
    ax.legend(
        [handle for handle, _ in entries],
        labels,
        loc="upper left",
        bbox_to_anchor=(0, -_overhang(ax)[1]),
        bbox_transform=ax.transAxes + offset,
        ncols=columns(labels),
    )


def columns(labels: Sequence[str]) -> int:
    """The largest number of columns that fit into a line; a legend fills them one by one."""
    widths = [len(label) + HANDLE for label in labels]
    for n in (3, 2):
        longer = len(labels) % n  # this many columns have one more row
        rows = [len(labels) // n + (k < longer) for k in range(n)]
        ends = [sum(rows[: k + 1]) for k in range(n)]
        columns = [widths[end - row : end] for row, end in zip(rows, ends, strict=True)]
        if sum(max(column, default=0) for column in columns) <= LINE:
            return n
    return 1


def make_room(figure: Figure, ax: Axes) -> None:
    """Place the only axes of a figure so that all that stands around them is inside."""
    width, height = (float(inches) * 72 for inches in figure.get_size_inches())
    beside, below = _overhang(ax)
    found = ax.get_legend()
    labels = [text.get_text() for text in found.get_texts()] if found else []
    rows = -(-len(labels) // columns(labels)) if labels else 0
    bottom = BELOW + LINE_HEIGHT * rows + 2.0
    lines = ax.get_title(loc="left").count("\n") + 1
    above = sum(one.get_gid() == _ABOVE for one in ax.texts)
    top = TITLE_PAD + TITLE_HEIGHT * lines + NOTE_HEIGHT * above
    bars = any(str(child.yaxis.get_label_position()) == "right" for child in ax.child_axes)
    w = (width - LEFT - (BAR_LABELS if bars else RIGHT)) / (1 + beside)
    h = (height - top - bottom) / (1 + below)
    ax.set_position((LEFT / width, 1 - (top + h) / height, w / width, h / height))


def _overhang(ax: Axes) -> tuple[float, float]:
    """How far inset axes reach beyond ax, to the right and below, in its widths and heights."""
    outer = ax.get_position()
    boxes = [child.get_position() for child in ax.child_axes]
    right = max((box.x1 for box in boxes), default=outer.x1) - outer.x1
    below = outer.y0 - min((box.y0 for box in boxes), default=outer.y0)
    return right / outer.width, below / outer.height
