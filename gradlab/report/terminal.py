"""A record in the terminal: the verdict, why, norms at a few lags, the curve in one line, clipping.

On a terminal with colours and rules, plain text when piped; 80 columns are enough.
"""

from __future__ import annotations

import sys
from functools import cached_property
from textwrap import wrap
from typing import IO, TYPE_CHECKING

import numpy as np

from gradlab.middle import median
from gradlab.record import Record
from gradlab.report import plain, trained, words
from gradlab.report.sparkline import sparkline
from gradlab.report.style import verdict_colour
from gradlab.report.tables import Table, details, experiment, norms_by_lag

if TYPE_CHECKING:
    from rich.console import Console


class Out:
    """Where tables and texts go: as wide as the terminal; piped, 80 columns, no colours.

    rich is loaded where it is a terminal, or where a text is more than `plain` can do.
    """

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.piped = plain.is_plain(file)

    @cached_property
    def rich(self) -> Console:
        """The same place, for rich."""
        from gradlab.report.pipe import OpenPipe

        width = None if self.file.isatty() else plain.WIDTH
        return OpenPipe(file=self.file, width=width, highlight=False, emoji=False)

    @property
    def unicode(self) -> bool:
        """Whether more than ASCII can be written there."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower().startswith("utf")

    def print(self, text: str = "", style: str = "") -> None:
        """One text, broken into lines; on a terminal in a style of rich."""
        if self.piped and plain.is_simple(text):
            self.write(plain.wrapped(text))
            return
        from rich.text import Text

        self.rich.print(Text(text, style=style))

    def write(self, lines: list[str]) -> None:
        """Lines as they are."""
        self.file.write("".join(f"{line}\n" for line in lines))


def console(file: IO[str] | None = None) -> Out:
    """What prints to stdout, or to a file."""
    return Out(file or sys.stdout)


def show(record: Record, out: Out) -> None:
    """Print the summary of one run."""
    out.print(experiment(record), style="dim")
    out.print(words.headline(record), style=f"bold {verdict_colour(record)}")
    for reason in words.reasons(record):
        out.print(f"  {reason}")
    out.print()
    print_table(norms_by_lag(record), out)
    _curve(record, out)
    clip = words.clipping(record)
    if clip is not None:
        out.print(clip)
    for finding in words.findings(record):
        out.print(finding)
    for sentence in trained.sentences(record):
        out.print(sentence)
    for table in details(record):
        out.print()
        print_table(table, out)
    for caveat in record.summary["caveats"]:
        out.print(f"note: {caveat}", style="yellow")


def show_sweep(lines: list[str], out: Out) -> None:
    """Print what a sweep has found."""
    for line in lines:
        out.print(line)


def print_table(table: Table, out: Out) -> None:
    """A table with its first column to the left and numbers to the right."""
    out.print(table.title, style="italic")  # rich would wrap it to the table's width
    lines = plain.columns(table.header, table.rows) if out.piped else None
    if lines is None:
        _print_rich(table, out)
    else:
        out.write(lines)
    for note in table.notes:
        out.print(note, style="dim")


def _print_rich(table: Table, out: Out) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    style = (box.SIMPLE_HEAD if out.unicode else box.ASCII2) if out.rich.is_terminal else None
    rich = RichTable(box=style, pad_edge=False)
    for index, name in enumerate(table.header):
        rich.add_column(Text(name), justify="left" if index == 0 else "right")
    for row in table.rows:
        rich.add_row(*(Text(cell) for cell in row))
    out.rich.print(rich)


def print_entries(entries: dict[str, list[str]], out: Out) -> None:
    """Names, each with a few lines of text; where one is broken, the rest stands further in."""
    from rich.padding import Padding
    from rich.text import Text

    width = out.rich.width - 4
    for name, lines in entries.items():
        out.print(name, style="bold")
        for line in lines:
            for part in wrap(line, width, subsequent_indent="  ", break_on_hyphens=False):
                out.rich.print(Padding(Text(part), (0, 0, 0, 4), expand=False))


def _curve(record: Record, out: Out) -> None:
    curve = median(record["log10_grad_norm_h"], axis=0)
    finite = curve[np.isfinite(curve)]
    if len(finite) == 0:
        return
    line = sparkline(curve, 48, out.unicode)
    low, high = (words.power(float(f)) for f in (finite.min(), finite.max()))
    last = record.config["seq_len"]
    out.print(f"log |dL/dh_t|  t=0 {line} t={last}")
    out.print(f"from {low} to {high}; the gradient travels from right to left", style="dim")
