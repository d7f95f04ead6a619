"""table.csv of a sweep: one row a point."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# path in the summary -> column; a nested name is joined by an underscore
COLUMNS: tuple[tuple[str, ...], ...] = (
    ("verdict",),
    ("growth_rate", "mean"),
    ("growth_rate", "std"),
    ("growth_rate", "low"),
    ("growth_rate", "high"),
    ("half_life",),
    ("doubling_time",),
    ("horizon",),
    ("log10_remaining",),
    ("sigma_max",),
    ("spectral_radius",),
    ("memory_horizon",),
    ("truncation", "lost"),
    ("truncation", "cosine"),
    ("loss",),
    ("clip", "log10_norm"),
    ("clip", "rate"),
    ("clip", "acted"),
    ("outcome",),
    ("overflow_step",),
)


@dataclass(frozen=True)
class Row:
    """One point: where it is in the order, its swept values, and its summary or why it failed."""

    index: int
    values: dict[str, Any]
    summary: dict[str, Any] | None
    failed: str | None = None


def table_text(keys: Sequence[str], rows: Sequence[Row]) -> str:
    """The CSV: swept keys by their dotted names, then the summary; 17 significant digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*keys, *("_".join(path) for path in COLUMNS), "reason"])
    for row in rows:
        cells = [_cell(row.values[key]) for key in keys]
        summary = row.summary or {"outcome": "failed"}
        cells += [_cell(lookup(summary, path)) for path in COLUMNS]
        writer.writerow([*cells, row.failed or ""])
    return buffer.getvalue()


def lookup(summary: dict[str, Any], path: Sequence[str]) -> Any:
    """A value of a summary by its path; None where it, or what it is in, does not exist."""
    value: Any = summary
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".17g") if isinstance(value, float) else str(value)
