"""What a training came to, in words and tables: the loss, the seeds, the clip report.

It says what was seen. Where a seed's loss ends is told against the task's baseline, the loss of who
does not look at the inputs; the rule is in gradlab.learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.learned import ABOVE, BELOW, last_updates
from gradlab.record import Record
from gradlab.report import words
from gradlab.report.words import plain, power, share

MOST_SEEDS = 50  # of the table
OFTEN = 0.5  # of the updates: a clip that acts as often is no guard


def applies(record: Record) -> bool:
    """Whether the record is that of a training."""
    return "train" in record.summary and "train_loss" in record.arrays


def headline(record: Record) -> str:
    """What stands first: of a training the loss at the start and at the end, else the verdict."""
    if not applies(record):
        return words.headline(record)
    told = record.summary["train"]
    task, seeds = told["task"].replace("_", " "), len(record["seeds"])
    of = f"median of {seeds} seeds" if seeds > 1 else "one seed"
    first, final = told["first_loss"], told["final_loss_median"]
    course = f"the loss went from {_or_lost(first)} to {_or_lost(final)}"
    how = f"{told['updates']} updates by {record.config['train']['optimizer']['type']}"
    return f"{task}, {how}: {course} ({of}); baseline {plain(told['baseline'])}"


def sentences(record: Record) -> list[str]:
    """What else is to be said of a training, the verdict at its end included; nothing of a run."""
    if not applies(record):
        return []
    told = record.summary["train"]
    lines = [_seeds(told, len(record["seeds"]))]
    if "final_perplexity" in told:
        final = told["final_perplexity"]["mean"]
        lines.append(
            f"Perplexity: {_or_lost(told['first_perplexity'])} at the start, {_or_lost(final)} "
            "at the end, on what is trained on."
        )
    elif "final_accuracy" in told:
        lines.append(f"Right answers at the end: {_spread(told['final_accuracy'], share)}.")
    if told["stopped"]:
        what = "reached what stop_when asks for, or was ended by an update that was not finite"
        lines.append(f"{told['stopped']} of {len(record['seeds'])} seeds {what}.")
    verdict = words.headline(record)
    lines += [_nonfinite(record), *_clip(record), f"{verdict[0].upper()}{verdict[1:]}."]
    return [line for line in lines if line]


def tables(record: Record) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, header and rows of each table of a training; none of a run."""
    if not applies(record):
        return []
    return [
        ("Training by seed", *_by_seed(record)),
        ("Clip report: the gradient's norm over all updates", ("", "value"), _clip_rows(record)),
    ]


def _seeds(told: dict[str, Any], seeds: int) -> str:
    """How many seeds ended where."""
    places = {
        "below": f"below the baseline (less than {BELOW} of it)",
        "at": "at it",
        "above": f"above it (more than {ABOVE} of it)",
        "nonfinite": "not finite",
    }
    parts = [f"{told['seeds'][place]} {text}" for place, text in places.items()]
    return f"Seeds at the end: of {seeds}, {', '.join(parts)}."


def _nonfinite(record: Record) -> str:
    lost = record.summary["train"]["nonfinite"]
    if not lost["updates"]:
        return ""
    skipped = record.config["train"]["nonfinite"] == "skip"
    done = "these left the weights as they were" if skipped else "that ended the seed's training"
    return (
        f"At {_some(lost['updates'], 'update')} of {_some(lost['seeds'], 'seed')} loss or "
        "gradient were not finite; "
        f"{done}, and they are not counted as clipped."
    )


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _clip(record: Record) -> list[str]:
    """What clipping did."""
    report = record.summary["train"]["clip"]
    guard = report["suggested"]
    suggestion = f"a threshold of {plain(guard)} (P90 of the norm) acts on one update in ten"
    if report["acted"] is None:
        return [f"Without a clip: {suggestion}."] if guard is not None else []
    by = report["by"].replace("_", " ")
    acted = f"acted on {share(report['acted'])} of the updates"
    factor = f"multiplied by {plain(report['learning_rate_factor'])} on average"
    clip = f"Clip ({by}, threshold {plain(report['threshold'])})"
    lines = [f"{clip}: {acted}; the gradient, and a plain learning rate with it, was {factor}."]
    if report["acted"] > OFTEN and guard is not None:
        lines.append(f"That is a smaller learning rate rather than a guard; {suggestion}.")
    return lines


def _by_seed(record: Record) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    seeds = [int(seed) for seed in record["seeds"]][:MOST_SEEDS]
    classes = "final_accuracy" in record.summary["train"]
    header = ("seed", "first loss", "final loss", *(["right"] if classes else []), "not finite")
    rows = []
    for r, seed in enumerate(seeds):
        last = _last(record, r)
        cells = [_number(record["train_loss"][r, 0]), _number(record["train_loss"][r, last].mean())]
        right = float(record["train_right"][r, last].mean())
        cells += [share(right) if np.isfinite(right) else "-"] if classes else []
        lost = int(record["train_nonfinite"][r].sum(where=record["train_nonfinite"][r] > 0))
        rows.append((f"{seed}", *cells, f"{lost}"))
    return header, rows


def _last(record: Record, r: int) -> slice:
    return last_updates(int(record["train_stopped"][r]) or record["train_loss"].shape[1])


def _clip_rows(record: Record) -> list[tuple[str, ...]]:
    told = record.summary["train"]
    report = told["clip"]
    log10 = report["log10_norm"]
    rows = [
        ("updates with a finite gradient", f"{report['updates']}"),
        *((f"P{q} of the norm before clipping", power(log10[f"p{q}"])) for q in (50, 90, 99)),
        ("threshold", plain(report["threshold"])),
        ("acted on", "-" if report["acted"] is None else share(report["acted"])),
        ("factor of the learning rate, mean", plain(report["learning_rate_factor"])),
        ("updates that were not finite", f"{told['nonfinite']['updates']}"),
        ("suggested threshold (P90)", plain(report["suggested"])),
    ]
    return [row for row in rows if row[1] != "-"]


def _spread(found: dict[str, float | None], text: Any) -> str:
    if found["mean"] is None:
        return "not finite in some seed"
    if found["low"] is None:
        return str(text(found["mean"]))
    low, high = max(found["low"], 0.0), min(found["high"] or 0.0, 1.0)  # they are shares
    return f"{text(found['mean'])} ({text(low)} to {text(high)}, 95 % of the mean over seeds)"


def _or_lost(value: float | None) -> str:
    return "what is not finite" if value is None else plain(value)


def _number(value: float) -> str:
    return plain(float(value)) if np.isfinite(value) else "not finite"
