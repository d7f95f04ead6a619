"""report.html of a run: the verdict, why, figures, numbers with their spread, where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradlab.record import Record
from gradlab.report import network, trained, training, words
from gradlab.report.page import Page, Section, document
from gradlab.report.page.elements import (
    Drawing,
    facts,
    figures,
    listing,
    paragraphs,
    tables,
    verdict,
)
from gradlab.report.tables import Table, details, experiment, norms_by_lag, numbers

MOST_SEEDS = 50  # of the table
FOOT = (
    "All numbers are in summary.json and steps.csv, the arrays in record.npz; config.yaml runs "
    "again. This file needs no network and runs no script."
)


def page(
    record: Record,
    name: str,
    config: str,
    provenance: Mapping[str, Any],
    drawings: Sequence[Drawing],
) -> str:
    """The HTML. config: the text of config.yaml; provenance: that of provenance.json, {} for
    none.
    """
    shown = [numbers(record), by_seed(record), norms_by_lag(record), *details(record)]
    origin = facts(provenance, "How it was computed", "provenance-table")
    sections = (
        Section("verdict", "Verdict", verdict(*found(record))),
        Section("figures", "Figures", figures(drawings)),
        Section("numbers", "Numbers", tables(shown, "table")),
        Section("config", "Config", listing(config, "The resolved config")),
        Section("provenance", "Provenance", origin or paragraphs(["There is no provenance.json."])),
    )
    return document(Page("one run", name, experiment(record), sections, FOOT))


def found(record: Record) -> tuple[str, str, list[str], list[str]]:
    """What was found: in one sentence, the kind of it, why and what else, caveats."""
    clip = words.clipping(record)
    lines = [*training.sentences(record), *words.reasons(record), *([clip] if clip else [])]
    lines += [*words.findings(record), *trained.sentences(record)]
    plain = network.sums(record) or training.applies(record)
    kind = "" if plain else record.summary["verdict"]
    return training.headline(record), kind, lines, record.summary["caveats"]


def by_seed(record: Record) -> Table:
    """The growth rate of every seed: how far one seed alone may mislead; no rows for one seed."""
    seeds, rates = record["seeds"], record["growth_rate"]
    errors, steps = record["growth_rate_error"], record["overflow_step"]
    many = len(seeds) if len(seeds) > 1 else 0
    rows: list[tuple[str, ...]] = [
        (
            f"{int(seeds[k])}",
            words.signed(float(rates[k])) if np.isfinite(rates[k]) else "-",
            words.plain(float(errors[k])) if np.isfinite(errors[k]) else "-",
            f"overflow at t={int(steps[k])}" if steps[k] else "",
        )
        for k in range(min(many, MOST_SEEDS))
    ]
    if not any(row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    header = ("seed", f"nats/{network.unit(record)}", "error of the fit", "outcome")
    notes = [f"the first {MOST_SEEDS} of {many} seeds"] if many > MOST_SEEDS else []
    spread = (record.summary["growth_rate"] or {}).get("std")
    if spread is not None and many:
        notes.append(f"standard deviation over seeds: {words.plain(spread)}")
    return Table(
        "Growth rate by seed", header[: len(rows[0]) if rows else 1], tuple(rows), tuple(notes)
    )
