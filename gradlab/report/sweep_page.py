"""report.md of a sweep: what was found, the figures, and the points that matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from gradlab.report import style, sweep_figures, trained_points
from gradlab.report.markdown import escape, render, shown
from gradlab.report.sweep_figures.edge_words import edge_lines, next_to_edge
from gradlab.report.sweep_figures.grid import (
    AxisValues,
    Curves,
    Grid,
    Status,
    grid,
    status_of,
)
from gradlab.report.sweep_table import Row, lookup, theory_growth_rate, trained
from gradlab.report.tables import Table
from gradlab.report.words import plain, rate_text

MOST_ROWS, ENDS = 40, 5  # of the table; of these, at its start and at its end
REASONS = 10  # of failures that are told
NO_FIGURES = "There are no figures: nothing is known of any point's gradient."
VERDICTS = ("vanishing", "preserved", "exploding", "undecided", "failed")


class HasAxes(Protocol):
    """A gradlab.config.Sweep, as far as the page needs it."""

    @property
    def axes(self) -> Iterable[HasValues]:
        """In order, the last varying fastest."""


class HasValues(Protocol):
    """An axis of a sweep."""

    @property
    def keys(self) -> Sequence[str]:
        """Dotted keys that vary together."""

    @property
    def values(self) -> Sequence[tuple[object, ...]]:
        """A tuple for each position."""


def write(
    folder: Path,
    axes: Sequence[AxisValues] | HasAxes,
    rows: Sequence[Row],
    curves: Curves | None,
    formats: Sequence[str],
    dpi: int = style.DPI,
    draw: bool = True,
) -> str:
    """Save the figures in the folder; the text of report.md, which shows them.

    Raises GradlabError where a figure cannot be written.
    """
    pairs = _pairs(axes)
    paths = sweep_figures.save(pairs, rows, curves, folder, formats if draw else (), dpi)
    missing = bool(draw and formats and not paths)
    return text(folder.resolve().name, pairs, rows, paths, missing)


def text(
    name: str,
    axes: Sequence[AxisValues],
    rows: Sequence[Row],
    paths: Sequence[Path],
    no_figures: bool = False,
) -> str:
    """The text of report.md. paths: of the figures; no_figures: none could be drawn, to be said."""
    made = grid(axes, rows)
    first, *more = headline(axes, rows)
    parts = [f"# {escape(name)}", f"**{escape(first)}**"]
    parts += ["\n".join(f"- {escape(line)}" for line in more)] if more else []
    parts += [_image(path) for path in paths if path.suffix == shown(paths)]
    parts += [NO_FIGURES] if no_figures else []
    parts += [render(points(made, rows))] if rows else []
    parts += _failures(rows)
    parts.append(
        "All points are in table.csv, their curves in tasks; the sweep runs again from sweep.yaml."
    )
    return "\n\n".join(parts) + "\n"


def headline(axes: Sequence[AxisValues] | HasAxes, rows: Sequence[Row]) -> list[str]:
    """What a sweep has found, in lines of plain text: verdicts, rates, where the edge lies."""
    counts = Counter(row.summary["verdict"] if row.summary else "failed" for row in rows)
    known = [name for name in (*VERDICTS, *sorted(counts.keys() - set(VERDICTS))) if counts[name]]
    total = f"{len(rows)} point{'s' * (len(rows) != 1)}"
    lines = [": ".join([total, *([", ".join(f"{counts[k]} {k}" for k in known)] if known else [])])]
    made = grid(_pairs(axes), rows)
    missing = made.index.size - len(rows)
    lines += [f"{missing} of {made.index.size} points are not computed yet"] if missing else []
    lines += trained_points.lines(rows)
    lines += _range(made)
    lines += edge_lines(made)
    lines += _against_theory(made)
    overflows = sum(row.summary["outcome"] == "overflow" for row in rows if row.summary)
    if overflows:
        some = "some or all seeds"
        lines.append(f"in {overflows} of them the forward pass overflowed for {some}")
    return lines


def _pairs(axes: Sequence[AxisValues] | HasAxes) -> list[AxisValues]:
    if isinstance(axes, Sequence):
        return list(axes)
    return [(axis.keys, axis.values) for axis in axes.axes]


def _range(made: Grid) -> list[str]:
    """The smallest and the largest growth rate, and where they are."""
    if not made.measured:
        return []
    ends = [
        np.unravel_index(int(f(made.mean)), made.mean.shape) for f in (np.nanargmin, np.nanargmax)
    ]
    texts = []
    for end in ends:
        where = ", ".join(
            axis.at(int(k)) for axis, k in zip(made.axes, end, strict=True) if len(axis) > 1
        )
        texts.append(rate_text(float(made.mean[end])) + (f" ({where})" if where else ""))
    if texts[0] == texts[1]:
        return [f"growth rate {texts[0]} nats per step"]
    return [f"growth rates from {texts[0]} to {texts[1]} nats per step"]


def _against_theory(made: Grid) -> list[str]:
    """How far the measured growth rates are from theory's, where both are known."""
    off = np.abs(made.mean - made.theory)
    if not np.isfinite(off).any():
        return []
    at = np.unravel_index(int(np.nanargmax(off)), off.shape)
    named = [one.at(int(k)) for one, k in zip(made.axes, at, strict=True) if len(one) > 1]
    where = f" ({', '.join(named)})" if named else ""
    middle, most = plain(float(np.nanmedian(off))), plain(float(off[at]))
    if np.count_nonzero(np.isfinite(off)) == 1:
        return [f"the growth rate is {most} nats per step from theory's{where}"]
    most += where
    return [f"the growth rate is {middle} nats per step from theory's (median), at most {most}"]


def _image(path: Path) -> str:
    return f"![{escape(sweep_figures.SWEEP_FIGURES[path.stem].alt)}]({path.name})"


def points(made: Grid, rows: Sequence[Row], every: bool = False) -> Table:
    """The table: every point, or all of few, or the first, the last and those next to the edge."""
    kept = rows if every else _kept(made, rows)
    title = "Points"
    if len(kept) < len(rows):
        near = ", the last, and those next to the edge" if next_to_edge(made) else " and the last"
        title = f"The first points{near}; {len(rows) - len(kept)} more are in table.csv"
    keys = [key for axis in made.axes for key in axis.keys]
    theory = ("theory",) if np.isfinite(made.theory).any() else ()
    if any(trained(row.summary) for row in rows):
        header = (*keys, *trained_points.HEADER)
        return Table(title, header, tuple(trained_points.cells(row, made) for row in kept))
    rate = ("nats/step", "95 % interval", *theory)
    header = (*keys, "verdict", *rate, "halves or doubles in", "horizon")
    return Table(title, header, tuple(_cells(row, made, bool(theory)) for row in kept))


def _kept(made: Grid, rows: Sequence[Row]) -> list[Row]:
    if len(rows) <= MOST_ROWS:
        return list(rows)
    last = len(rows) - ENDS
    edge = next_to_edge(made)
    middle = [k for k in range(ENDS, last) if rows[k].index in edge]
    room = MOST_ROWS - 2 * ENDS
    if len(middle) > room:
        middle = [middle[int(k)] for k in np.linspace(0, len(middle) - 1, room)]
    return [rows[k] for k in (*range(ENDS), *middle, *range(last, len(rows)))]


def _cells(row: Row, made: Grid, theory: bool) -> tuple[str, ...]:
    summary = row.summary or {"verdict": "failed"}
    rate = summary.get("growth_rate") or {}
    mean, low, high = (rate_text(rate.get(name)) for name in ("mean", "low", "high"))
    steps = summary.get("half_life") or summary.get("doubling_time")
    verdict = summary["verdict"]
    if summary.get("outcome") == "overflow":
        verdict += f", overflow at t={summary['overflow_step']}"
    elif row.summary and status_of(row) in (Status.ZERO, Status.PARTLY_ZERO):
        verdict += ", exactly zero"
    return (
        *made.value_texts(row.index),
        verdict,
        mean,
        f"{low} to {high}" if rate else "-",
        *([rate_text(theory_growth_rate(summary))] if theory else []),
        plain(steps),
        plain(lookup(summary, ("horizon",))),
    )


def _failures(rows: Sequence[Row]) -> list[str]:
    first, *reasons = failures(rows) or [""]
    return ["\n".join([f"**{first}**", "", *(f"- {escape(one)}" for one in reasons)])] * bool(first)


def failures(rows: Sequence[Row]) -> list[str]:
    """How many points failed, and why: each reason with how many points, and which came first."""
    failed = [row for row in rows if row.summary is None]
    reasons = Counter(row.failed or "no reason was given" for row in failed)
    if not reasons:
        return []
    lines = [f"{len(failed)} of {len(rows)} points failed"]
    for reason, count in reasons.most_common(REASONS):
        first = next(row for row in failed if (row.failed or "no reason was given") == reason)
        where = ", ".join(f"{key}={value}" for key, value in first.values.items())
        points = f"{count} points, the first of them {where}" if count > 1 else where
        lines.append(f"{points}: {reason}")
    if len(reasons) > REASONS:
        lines.append(f"and {len(reasons) - REASONS} more reasons, in table.csv")
    return lines
