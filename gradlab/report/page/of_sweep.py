"""report.html of a sweep: what was found, figures, the points that matter, where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from gradlab.report.sweep_figures.grid import AxisValues, grid
from gradlab.report.sweep_page import NO_FIGURES, failures, headline, points
from gradlab.report.sweep_table import Row

FOOT = (
    "All points are in table.csv, their curves in tasks; the sweep runs again from sweep.yaml. "
    "This file needs no network and runs no script."
)


def page(
    name: str,
    axes: Sequence[AxisValues],
    rows: Sequence[Row],
    config: str,
    provenance: Mapping[str, Any],
    drawings: Sequence[Drawing],
) -> str:
    """The HTML. config: the text of sweep.yaml; provenance: that of provenance.json, {} for
    none.
    """
    first, *more = headline(axes, rows)
    swept = ", ".join(f"{' and '.join(keys)}: {len(values)} values" for keys, values in axes)
    failed = failures(rows)
    origin = facts(provenance, "How it was computed", "provenance-table")
    sections = (
        Section("found", "What was found", verdict(first, "", more, _caveats(rows))),
        Section("figures", "Figures", figures(drawings) or paragraphs([NO_FIGURES])),
        Section("points", "Points", table(points(grid(axes, rows), rows), "table-points")),
        Section("failures", "Failures", paragraphs(failed[:1]) + bullets(failed[1:])),
        Section("config", "Config", listing(config, "The resolved sweep")),
        Section("provenance", "Provenance", origin or paragraphs(["There is no provenance.json."])),
    )
    return document(Page("a sweep", name, swept, sections, FOOT))


def _caveats(rows: Sequence[Row]) -> list[str]:
    """Those of the points, each once, with of how many points it is."""
    every = [caveat for row in rows if row.summary for caveat in row.summary["caveats"]]
    return [
        f"{caveat} ({every.count(caveat)} of {len(rows)} points)" for caveat in dict.fromkeys(every)
    ]
