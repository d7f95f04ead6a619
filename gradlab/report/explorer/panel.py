"""The explorer as HTML: filters, two empty drawings and the data; the script fills them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from gradlab.report.explorer.choice import Choice
from gradlab.report.explorer.content import Plane, colour
from gradlab.report.page.elements import text
from gradlab.report.sweep_figures.axis import Axis

PARTS = ("points", "curve", "scales", "marks", "diagram", "choosing", "filters")
MOST_BOXES = 12  # values of an axis that have a box each

WITHOUT = (
    "The diagram that can be explored needs JavaScript. The table and the figures below show the "
    "same points without it."
)
HOW = (
    "Each mark is a point of the sweep: blue vanishes, orange explodes, white is preserved; what "
    "is hatched has no growth rate. Point at one to see its curve; a click keeps it. With the "
    "keyboard: arrows move, Enter keeps."
)
HOW_CURVE = (
    "The norm of the gradient at every step: the line is the median over the seeds, the band their "
    "spread. A straight line is a constant factor per step."
)


def scripts() -> tuple[str, str]:
    """The charting library, and the explorer itself: its parts, one after the other."""
    folder = Path(__file__).parent
    parts = "\n".join((folder / "script" / f"{name}.js").read_text("utf-8") for name in PARTS)
    return (folder / "plot.js").read_text("utf-8"), f'(() => {{\n"use strict";\n{parts}}})();\n'


def panel(choice: Choice, plane: Plane, verdicts: Sequence[str], data: str) -> str:
    """The body of the section. plane: the axes at first; verdicts: those that there are; data: of
    content.script_data.
    """
    axes = [
        (k, one, kept)
        for k, (one, kept) in enumerate(zip(choice.axes, choice.places, strict=True))
        if len(kept) > 1
    ]
    filters = "\n".join(_filter(k, one, kept) for k, one, kept in axes)
    return f"""\
<p class="soft" id="explorer-without">{text(WITHOUT)}</p>
<div id="explorer" hidden>
<div class="controls">
{_view(axes, plane)}
{filters}
{_verdicts(verdicts)}
<button type="button" id="explorer-reset">Show all</button>
</div>
<p class="soft" id="explorer-count" role="status"></p>
<div class="panes">
<div class="pane" id="explorer-diagram-pane">
<div id="explorer-legend"></div>
<div id="explorer-diagram" role="group" aria-label="Diagram of the points"
 aria-describedby="explorer-how"></div>
<p class="soft" id="explorer-how">{text(HOW)}</p>
</div>
<div class="pane" id="explorer-curve-pane">
<p id="explorer-point"></p>
<figure id="explorer-curve"></figure>
<p class="soft">{text(HOW_CURVE)}</p>
</div>
</div>
<p class="unseen" id="explorer-said" role="status"></p>
</div>
<script type="application/json" id="explorer-data">{data}</script>"""


def _view(axes: Sequence[tuple[int, Axis, Sequence[int]]], plane: Plane) -> str:
    """What is across and what is up; nothing to choose with one axis."""
    if len(axes) < 2:
        return ""
    names = [(k, one.name) for k, one, _ in axes]
    rate = [(-1, "growth rate")]
    return _group(
        "Diagram",
        _select("across", names, plane.across, 'id="explorer-across"')
        + _select("up", names + rate, -1 if plane.up is None else plane.up, 'id="explorer-up"'),
    )


def _filter(k: int, one: Axis, kept: Sequence[int]) -> str:
    values = [(place, one.texts[p]) for place, p in enumerate(kept)]
    if one.positions is not None:
        low = _select("from", values, 0, f'data-axis="{k}" data-end="low"')
        high = _select("to", values, len(kept) - 1, f'data-axis="{k}" data-end="high"')
        return _group(one.name, low + high)
    if len(kept) > MOST_BOXES:
        every = [(-1, "all"), *values]
        return _group(one.name, _select("value", every, -1, f'data-axis="{k}" data-end="one"'))
    boxes = (_box(f'data-axis="{k}" value="{place}"', text(name)) for place, name in values)
    return _group(one.name, "".join(boxes))


def _verdicts(names: Sequence[str]) -> str:
    boxes = []
    for place, name in enumerate(names):
        mark = f'<i style="background:{colour(name)}"></i>'
        boxes.append(_box(f'data-verdict="{place}"', mark + text(name)))
    return _group("verdict", "".join(boxes))


def _group(name: str, body: str) -> str:
    return f"<fieldset>\n<legend>{text(name)}</legend>\n{body}</fieldset>"


def _box(attributes: str, body: str) -> str:
    return f'<label><input type="checkbox" checked {attributes}> {body}</label>\n'


def _select(label: str, options: Iterable[tuple[int, str]], chosen: int, attributes: str) -> str:
    shown = "".join(
        f'<option value="{value}"{" selected" * (value == chosen)}>{text(name)}</option>'
        for value, name in options
    )
    return f"<label>{text(label)} <select {attributes}>{shown}</select></label>\n"
