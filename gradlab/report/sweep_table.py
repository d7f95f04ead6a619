"""table.csv of a sweep: one row a point."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gradlab.report import told_theory

# path in the summary -> column; a nested name is joined by an underscore
COLUMNS: tuple[tuple[str, ...], ...] = (
    ("verdict",),
    ("growth_rate", "mean"),
    ("growth_rate", "std"),
    ("growth_rate", "low"),
    ("growth_rate", "high"),
    ("theory", "growth_rate"),
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
# and of trainings
TRAINING: tuple[tuple[str, ...], ...] = (
    ("train", "first_loss"),
    ("train", "final_loss", "mean"),
    ("train", "final_loss", "std"),
    ("train", "final_loss", "low"),
    ("train", "final_loss", "high"),
    ("train", "final_loss_median"),
    ("train", "final_accuracy", "mean"),
    ("train", "final_perplexity", "mean"),
    ("train", "baseline"),
    ("train", "seeds", "below"),
    ("train", "seeds", "at"),
    ("train", "seeds", "above"),
    ("train", "seeds", "nonfinite"),
    ("train", "nonfinite", "updates"),
    ("train", "clip", "acted"),
    ("train", "clip", "learning_rate_factor"),
    ("train", "clip", "log10_norm", "p50"),
    ("train", "clip", "log10_norm", "p90"),
    ("train", "clip", "log10_norm", "p99"),
    ("train", "clip", "suggested"),
)


def columns(summaries: Iterable[dict[str, Any] | None]) -> tuple[tuple[str, ...], ...]:
    """Those of a table of these points; of trainings there are more."""
    return COLUMNS + TRAINING if any(map(trained, summaries)) else COLUMNS


def trained(summary: dict[str, Any] | None) -> bool:
    """Whether it is that of a training."""
    return summary is not None and "train" in summary


def theory_growth_rate(summary: dict[str, Any]) -> float | None:
    """What the most special theory says of the growth rate, nats per step; None without any."""
    rate = told_theory.growth_rate(summary)
    return None if rate is None else rate.value


# columns that are chosen from several entries of a summary
CHOSEN: dict[tuple[str, ...], Callable[[dict[str, Any]], Any]] = {
    ("theory", "growth_rate"): theory_growth_rate
}


# what tables and figures of a sweep tell of a point, and of each theory: a summary has much more
TOLD = {path[0] for path in (*COLUMNS, *TRAINING)} | {"caveats"}
RATES = {"bound_per_step", "growth_rate", "growth_rate_at_width", "H"}


def told(summary: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of a summary what a sweep tells of it: the points of a sweep are many."""
    if summary is None:
        return None
    found = {key: value for key, value in summary.items() if key in TOLD}
    found["theory"] = {
        name: {key: value for key, value in entry.items() if key in RATES}
        for name, entry in (found.get("theory") or {}).items()
        if isinstance(entry, dict)  # else it is why there is none
    }
    return found


@dataclass(frozen=True)
class Row:
    """One point: where it is in the order, its swept values, what is told of its summary, or why it
    failed.
    """

    index: int
    values: dict[str, Any]
    summary: dict[str, Any] | None
    failed: str | None = None


def table_text(keys: Sequence[str], rows: Sequence[Row]) -> str:
    """The CSV: swept keys by their dotted names, then the summary; 17 significant digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    paths = columns(row.summary for row in rows)
    writer.writerow([*keys, *("_".join(path) for path in paths), "reason"])
    for row in rows:
        cells = [_cell(row.values[key]) for key in keys]
        summary = row.summary or {"outcome": "failed"}
        cells += [_cell(value(summary, path)) for path in paths]
        writer.writerow([*cells, row.failed or ""])
    return buffer.getvalue()


def value(summary: dict[str, Any], column: tuple[str, ...]) -> Any:
    """What a summary has for one of COLUMNS; None where it has nothing."""
    chosen = CHOSEN.get(column)
    return lookup(summary, column) if chosen is None else chosen(summary)


def lookup(summary: dict[str, Any], path: Sequence[str]) -> Any:
    """A value of a summary by its path; None where it, or what it is in, does not exist."""
    found: Any = summary
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """How many points there are, failed, and have which verdict."""
    verdicts = Counter(row.summary["verdict"] if row.summary else "failed" for row in rows)
    failed = sum(bool(row.failed) for row in rows)
    return {
        "points": len(rows),
        "failed": failed,
        "verdicts": dict(sorted(verdicts.items())),
        "outcome": "failed" if failed else "ok",
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".17g") if isinstance(value, float) else str(value)
