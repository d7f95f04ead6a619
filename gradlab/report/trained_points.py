"""What a sweep over trainings has found: lines for its headline, and the cells of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gradlab.report.sweep_figures.grid import Grid
from gradlab.report.sweep_table import Row
from gradlab.report.words import plain, rate_text, share

HEADER = (
    *("final loss", "95 % interval", "baseline", "below, at, above, not finite", "clip acted"),
    *("verdict at the end", "nats/step"),
)


def lines(rows: Sequence[Row]) -> list[str]:
    """Of trainings: how many points have seeds that ended where, and the smallest loss."""
    told = [(row, row.summary["train"]) for row in rows if row.summary and "train" in row.summary]
    if not told:
        return []
    sums = Counter[str]()
    for _, one in told:
        sums.update(one["seeds"])
    total = sum(sums.values())
    places = f"{sums['at']} at it, {sums['above']} above it, {sums['nonfinite']} not finite"
    found = [f"trained: of {total} seeds {sums['below']} ended below the baseline, {places}"]
    finite = [(one["final_loss_median"], row) for row, one in told]
    known = [pair for pair in finite if pair[0] is not None]
    if known:
        best, row = min(known, key=lambda pair: float(pair[0]))
        where = ", ".join(f"{key}={value}" for key, value in row.values.items())
        found.append(f"the smallest loss at the end, a median over seeds: {plain(best)} ({where})")
    return found


def cells(row: Row, made: Grid) -> tuple[str, ...]:
    """A training: what came of its seeds."""
    summary = row.summary or {"verdict": "failed"}
    told = summary.get("train") or {}
    loss, seeds = told.get("final_loss") or {}, told.get("seeds") or {}
    acted = (told.get("clip") or {}).get("acted")
    low, high = (plain(loss.get(name)) for name in ("low", "high"))
    return (
        *made.value_texts(row.index),
        plain(loss.get("mean")),
        "-" if loss.get("low") is None else f"{low} to {high}",
        plain(told.get("baseline")),
        ", ".join(str(n) for n in seeds.values()) or "-",
        "-" if acted is None else share(acted),
        summary["verdict"],
        rate_text((summary.get("growth_rate") or {}).get("mean")),
    )
