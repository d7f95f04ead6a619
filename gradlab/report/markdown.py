"""report.md: the tables and figures of a run, readable on any forge."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from gradlab.record import Record
from gradlab.report import trained, training, words
from gradlab.report.tables import Table, details, experiment, norms_by_lag, numbers


def report(record: Record, name: str, figures: Sequence[tuple[Path, str]]) -> str:
    """The page. figures: files beside it with their alt texts."""
    parts = [
        f"# {escape(name)}",
        escape(experiment(record)),
        f"**{escape(training.headline(record))}**",
    ]
    parts += [escape(sentence) for sentence in training.sentences(record)]
    parts += ["\n".join(f"- {escape(reason)}" for reason in words.reasons(record))]
    clip = words.clipping(record)
    parts += [escape(clip)] if clip else []
    parts += [escape(finding) for finding in words.findings(record)]
    parts += [escape(sentence) for sentence in trained.sentences(record)]
    parts += [f"> Note: {escape(caveat)}" for caveat in record.summary["caveats"]]
    form = shown([path for path, _ in figures])
    parts += [f"![{escape(alt)}]({path.name})" for path, alt in figures if path.suffix == form]
    parts += [render(numbers(record)), render(norms_by_lag(record))]
    parts += [render(table) for table in details(record)]
    parts.append(
        "All numbers are in summary.json and steps.csv, the arrays in record.npz; "
        "config.yaml runs again."
    )
    return "\n\n".join(parts) + "\n"


def shown(paths: Sequence[Path]) -> str:
    """The format of the page's images, one picture a figure; a pdf is none."""
    there = {path.suffix for path in paths}
    return ".png" if ".png" in there else ".svg"


def render(table: Table) -> str:
    """A table in Markdown."""
    head = "| " + " | ".join(escape(cell) for cell in table.header) + " |"
    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(table.header) - 1)) + "|"
    body = ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in table.rows]
    notes = [line for note in table.notes for line in ("", escape(note))]
    return "\n".join([f"**{escape(table.title)}**", "", head, rule, *body, *notes])


def escape(text: str) -> str:
    """Text as it is: nothing in it is taken for Markdown or HTML."""
    text = html.escape(text, quote=False)
    for character in "\\`*_[]|":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")
