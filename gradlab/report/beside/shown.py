"""A comparison in the terminal, as Markdown, as one HTML file, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from gradlab.report import markdown, network, words
from gradlab.report.beside import Compared, differing, overlaid, quantities
from gradlab.report.page import Page, Section, document
from gradlab.report.page.elements import (
    Drawing,
    bullets,
    figures,
    paragraphs,
    tables,
    verdict,
)
from gradlab.report.sparkline import sparkline
from gradlab.report.style import verdict_colour
from gradlab.report.tables import experiment
from gradlab.report.terminal import print_table, unicode

WIDTH = 60  # characters of a curve
TITLE = 60  # characters of all names in a title
SUMS = "the gradient is a sum over several loss terms: what is left of it is of no single distance"
FOOT = "Each number is in the summary.json of its result. This file needs no network and no script."


def in_terminal(compared: Sequence[Compared], out: Console) -> None:
    """Print it; 80 columns are enough."""
    for one in compared:
        out.print(Text(f"{one.letter}  {one.label}", style="bold"))
        out.print(Text(f"   {experiment(one.record)}", style="dim"))
        out.print(Text(f"   {words.headline(one.record)}", style=verdict_colour(one.record)))
    out.print()
    config = differing.table(compared)
    if config.rows:
        print_table(config, out)
    else:
        out.print(Text(differing.SAME))
    for table in (*quantities.tables(compared), overlaid.table(compared)):
        out.print()
        print_table(table, out)
    _curves(compared, out)
    for line in quantities.sentences(compared):
        out.print(Text(line))
    for note in notes(compared):
        out.print(Text(f"note: {note}", style="yellow"))


def _curves(compared: Sequence[Compared], out: Console) -> None:
    """All on one scale, so that they can be compared."""
    found = {one.letter: overlaid.left(one) for one in compared}
    measured = np.concatenate([curve.finite_median() for curve in found.values()])
    if not len(measured):
        return
    limits = float(measured.min()), float(measured.max())
    longest = max(int(curve.t[-1]) for curve in found.values())
    for letter, curve in found.items():
        width = max(round(WIDTH * int(curve.t[-1]) / max(longest, 1)), 1)
        out.print(Text(f"{letter}  {sparkline(curve.median, width, unicode(out), limits)}"))
    low, high = (words.power(end) for end in limits)
    what = f"left of the gradient, 0 to {longest} steps back, on one scale from {low} to {high}"
    out.print(Text(what, style="dim"))


def as_markdown(compared: Sequence[Compared], picture: str | None = None) -> str:
    """The same in Markdown. picture: the name of the figure's file beside it, if there is one."""
    escape = markdown.escape
    parts = [f"# {escape(title(compared))}"]
    parts += ["\n".join(f"- {escape(line)}" for line in _each(compared))]
    config = differing.table(compared)
    parts += [markdown.render(config) if config.rows else differing.SAME]
    parts += ["\n".join(f"- {escape(line)}" for line in quantities.sentences(compared))]
    parts += [f"![{overlaid.ALT}](<{picture}>)"] if picture else []
    parts += [markdown.render(table) for table in quantities.tables(compared)]
    parts += [markdown.render(overlaid.table(compared))]
    parts += [f"> Note: {escape(note)}" for note in notes(compared)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(compared: Sequence[Compared]) -> str:
    """The same as a page with the curves: one file, no network, no script."""
    drawn = []
    if overlaid.applies(compared):
        caption = (overlaid.__doc__ or "").strip()
        drawn = [Drawing("curves", overlaid.rendered(compared, "svg"), overlaid.ALT, caption)]
    config = differing.table(compared)
    each = [
        verdict(line, "" if network.sums(one.record) else one.record.summary["verdict"], [], [])
        for one, line in zip(compared, _each(compared), strict=True)
    ]
    found = "\n".join(each) + bullets(quantities.sentences(compared))
    found += paragraphs([f"Note: {note}" for note in notes(compared)], "note")
    same = paragraphs([differing.SAME])
    numbers = [*quantities.tables(compared), overlaid.table(compared)]
    sections = (
        Section("results", "Results", found),
        Section("config", "What differs", tables([config], "config") if config.rows else same),
        Section("curves-section", "Curves", figures(drawn)),
        Section("numbers", "Numbers", tables(numbers, "table")),
    )
    what = "Tables and curves call the results by their letters."
    return document(Page("a comparison", title(compared), what, sections, FOOT))


def as_data(compared: Sequence[Compared]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "results": [
            {
                "letter": one.letter,
                "result": one.label,
                "gradlab": one.record.version,
                "identity": one.record.identity,
                "verdict": one.record.summary["verdict"],
                "growth_rate": one.record.summary["growth_rate"],
                "outcome": one.record.summary["outcome"],
            }
            for one in compared
        ],
        "config": differing.differing(compared),
        "numbers": quantities.as_data(compared),
    }


def title(compared: Sequence[Compared]) -> str:
    """All that are compared: by their names, or by their letters where that would be long."""
    short = sum(len(one.label) for one in compared) <= TITLE
    first, *others = (one.label if short else one.letter for one in compared)
    return f"{first} against {', '.join(others)}"


def notes(compared: Sequence[Compared]) -> list[str]:
    """What to keep in mind: versions, sums, and the caveats of each result."""
    found = differing.versions(compared)
    for one in compared:
        found += [f"{one.letter}: {SUMS}"] if network.sums(one.record) else []
        found += [f"{one.letter}: {caveat}" for caveat in one.record.summary["caveats"]]
    return found


def _each(compared: Sequence[Compared]) -> list[str]:
    return [f"{one.letter}, {one.label}: {words.headline(one.record)}" for one in compared]
