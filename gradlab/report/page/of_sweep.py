"""report.html of a sweep: what was found, its points to explore, figures, where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradlab.report.explorer import content
from gradlab.report.explorer.choice import Choice, choose
from gradlab.report.explorer.panel import panel, scripts
from gradlab.report.explorer.traces import Trace
from gradlab.report.page import Page, Section, document
from gradlab.report.page.elements import (
    Drawing,
    bullets,
    facts,
    figures,
    listing,
    paragraphs,
    table,
    verdict,
)
from gradlab.report.sweep_figures.grid import AxisValues, Grid, grid
from gradlab.report.sweep_page import NO_FIGURES, failures, headline, points
from gradlab.report.sweep_table import Row

FOOT = (
    "All points are in table.csv, their curves in tasks; the sweep runs again from sweep.yaml. "
    "This file needs no network; its scripts are within it."
)


def page(
    name: str,
    axes: Sequence[AxisValues],
    rows: Sequence[Row],
    config: str,
    provenance: Mapping[str, Any],
    drawings: Sequence[Drawing],
    traces: Mapping[int, Trace],
) -> str:
    """The HTML. config: the text of sweep.yaml; provenance: that of provenance.json, {} for none;
    traces: the curves of the points that `choose` chooses, by their index.
    """
    first, *more = headline(axes, rows)
    swept = ", ".join(f"{' and '.join(keys)}: {len(values)} values" for keys, values in axes)
    failed = failures(rows)
    origin = facts(provenance, "How it was computed", "provenance-table")
    choice, made = choose(axes), grid(axes, rows)
    shown = [row for row in rows if choice.at(row.index) is not None]
    sections = (
        Section("found", "What was found", verdict(first, "", more, _caveats(rows))),
        Section("explore", "Explore", _explorer(choice, made, shown, traces)),
        Section("points", "Points", _points(choice, made, shown)),
        Section("figures", "Figures", figures(drawings) or paragraphs([NO_FIGURES])),
        Section("failures", "Failures", paragraphs(failed[:1]) + bullets(failed[1:])),
        Section("config", "Config", listing(config, "The resolved sweep")),
        Section("provenance", "Provenance", origin or paragraphs(["There is no provenance.json."])),
    )
    return document(Page("a sweep", name, swept, sections, FOOT, scripts() if shown else ()))


def _explorer(choice: Choice, made: Grid, shown: Sequence[Row], traces: Mapping[int, Trace]) -> str:
    if not shown:
        return ""
    data = content.script_data(choice, shown, traces, made)
    said = paragraphs([choice.words()], "note") if choice.words() else ""
    return said + panel(choice, content.plane(made), content.kinds(shown), data)


def _points(choice: Choice, made: Grid, shown: Sequence[Row]) -> str:
    said = paragraphs([choice.words()], "soft") if choice.words() else ""
    return said + table(points(made, shown, every=True), "table-points")


def _caveats(rows: Sequence[Row]) -> list[str]:
    """Those of the points, each once, with of how many points it is."""
    every = [caveat for row in rows if row.summary for caveat in row.summary["caveats"]]
    return [
        f"{caveat} ({every.count(caveat)} of {len(rows)} points)" for caveat in dict.fromkeys(every)
    ]
