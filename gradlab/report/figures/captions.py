"""Title, notes, steps and legend, in places where they never lie on a curve, and room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradlab.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.015  # of the steps, on both sides of them
# points
LEFT, RIGHT = 62.0, 8.0  # from the figure's edges to the axes: tick labels and axis label
INDENT = 44.0  # from the axes to the legend's left edge
TITLE_PAD, TITLE_HEIGHT, NOTE_HEIGHT = 8.0, 17.0, 13.0
BELOW = 38.0  # from the axes to the legend: tick labels and axis label are between
LINE_HEIGHT = 13.6  # of the legend
# characters
LINE = 88  # of a legend that stand beside each other
HANDLE = 8  # what a handle and the space after a column take


def title(ax: Axes, text: str, colour: str = style.INK, notes: Sequence[str] = ()) -> None:
    """The message above the axes; below it, smaller, what has to be known to read them."""
    ax.set_title(text, color=colour, pad=TITLE_PAD + NOTE_HEIGHT * len(notes))
    for line, note in enumerate(reversed(notes)):
        ax.annotate(
            note,
            (0, 1),
            (0, 6.0 + NOTE_HEIGHT * line),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.SOFT,
            annotation_clip=False,
        )


def steps(ax: Axes, first: int, last: int) -> None:
    """The x axis: steps, which are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    margin = MARGIN * max(last - first, 1)
    ax.set_xlim(first - margin, last + margin)
    ax.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )
    ax.set_xlabel("step t   (the gradient travels from right to left ←)")


def legend(ax: Axes, more: Sequence[Axes] = ()) -> None:
    """Below the axes, and those inset below them, as many columns as fit; also for more axes."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    assert figure is not None
    found = [one.get_legend_handles_labels() for one in (ax, *more)]
    labels = [str(label) for _, labels in found for label in labels]
    offset = ScaledTranslation(-INDENT / 72, -BELOW / 72, figure.dpi_scale_trans)
    ax.legend(
        [handle for handles, _ in found for handle in handles],
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
    top = TITLE_PAD + TITLE_HEIGHT + NOTE_HEIGHT * len(ax.texts)
    w = (width - LEFT - RIGHT) / (1 + beside)
    h = (height - top - bottom) / (1 + below)
    ax.set_position((LEFT / width, 1 - (top + h) / height, w / width, h / height))


def _overhang(ax: Axes) -> tuple[float, float]:
    """How far inset axes reach beyond ax, to the right and below, in its widths and heights."""
    outer = ax.get_position()
    boxes = [child.get_position() for child in ax.child_axes]
    right = max((box.x1 for box in boxes), default=outer.x1) - outer.x1
    below = outer.y0 - min((box.y0 for box in boxes), default=outer.y0)
    return right / outer.width, below / outer.height
