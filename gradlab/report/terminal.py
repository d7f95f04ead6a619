"""A record in the terminal: the verdict, why, norms at a few lags, the curve in one line, clipping.

On a terminal with colours and rules, plain text when piped; 80 columns are enough.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from textwrap import wrap
from typing import IO

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from gradlab.record import Record
from gradlab.report import trained, training, words
from gradlab.report.sparkline import sparkline
from gradlab.report.style import verdict_colour
from gradlab.report.tables import Table, details, experiment, norms_by_lag

PIPED_WIDTH = 80


def console(file: IO[str] | None = None) -> Console:
    """A console on stdout (or file): as wide as the terminal; piped, 80 columns, no colours."""
    file = file or sys.stdout
    width = None if file.isatty() else PIPED_WIDTH
    return _Console(file=file, width=width, highlight=False, emoji=False)


class _Console(Console):
    """rich ends the program with exit code 1 when nobody reads any more; that is no failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def show(record: Record, out: Console, plots: bool = False) -> None:
    """Print the summary of one run. plots: the curve, and a spectrum, of several lines each."""
    out.print(Text(experiment(record), style="dim"))
    colour = "" if training.applies(record) else verdict_colour(record)
    out.print(Text(training.headline(record), style=f"bold {colour}".strip()))
    for sentence in training.sentences(record):
        out.print(Text(sentence))
    for reason in words.reasons(record):
        out.print(Text(f"  {reason}"))
    out.print()
    print_table(norms_by_lag(record), out)
    if plots and unicode(out):
        _plots(record, out)
    else:
        _curve(record, out)
    clip = words.clipping(record)
    if clip is not None:
        out.print(Text(clip))
    for finding in words.findings(record):
        out.print(Text(finding))
    for sentence in trained.sentences(record):
        out.print(Text(sentence))
    for table in details(record):
        out.print()
        print_table(table, out)
    for caveat in record.summary["caveats"]:
        out.print(Text(f"note: {caveat}", style="yellow"))


def show_sweep(lines: list[str], out: Console) -> None:
    """Print what a sweep has found."""
    for line in lines:
        out.print(Text(line))


def print_table(table: Table, out: Console) -> None:
    """A table with its first column to the left and numbers to the right. Where it is too wide,
    headers and the first column are broken between words and columns move closer; what still does
    not fit stands below, beside the first column once more. No number is ever cut: a part of one
    would be read as another.
    """
    style = (box.SIMPLE_HEAD if unicode(out) else box.ASCII2) if out.is_terminal else None
    out.print(Text(table.title, style="italic"))  # rich would wrap it to the table's width
    narrowest = [_narrowest(table, index) for index in range(len(table.header))]
    rule = 1 if style else 0  # characters of a border, which is at both ends too
    padding = 2
    if style and sum(narrowest) + len(narrowest) * (padding + rule) + rule > out.width:
        padding = 1
    for columns in _blocks(narrowest, padding + rule, out.width - rule):
        rich = RichTable(box=style, pad_edge=False, padding=(0, 1, 0, padding - 1))
        for index in columns:
            side: JustifyMethod = "right" if index else "left"
            name = Text(table.header[index])
            rich.add_column(name, justify=side, min_width=narrowest[index], overflow="fold")
        for row in table.rows:
            rich.add_row(*(Text(row[index]) for index in columns))
        out.print(rich)
    for note in table.notes:
        out.print(Text(note, style="dim"))


def _narrowest(table: Table, index: int) -> int:
    """The longest word of a column, which cannot be broken."""
    texts = (table.header[index], *(row[index] for row in table.rows))
    return max((cell_len(word) for text in texts for word in text.split()), default=1)


def _blocks(narrowest: Sequence[int], around: int, room: int) -> list[list[int]]:
    """Columns that stand beside each other, by their index, each time after the first."""
    widths = [width + around for width in narrowest]
    blocks, used = [[0]], widths[0]
    for index, width in enumerate(widths[1:], start=1):
        if used + width > room and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(index)
        used += width
    return blocks


def print_entries(entries: dict[str, list[str]], out: Console) -> None:
    """Names, each with a few lines of text; where one is broken, the rest stands further in."""
    for name, lines in entries.items():
        out.print(Text(name, style="bold"))
        for line in lines:
            for part in wrap(line, out.width - 4, subsequent_indent="  ", break_on_hyphens=False):
                out.print(Padding(Text(part), (0, 0, 0, 4), expand=False))


def _curve(record: Record, out: Console) -> None:
    curve = np.median(record["log10_grad_norm_h"], axis=0)
    finite = curve[np.isfinite(curve)]
    if len(finite) == 0:
        return
    line = sparkline(curve, 48, unicode(out))
    low, high = (words.power(float(f)) for f in (finite.min(), finite.max()))
    last = record.config["seq_len"]
    out.print(Text(f"log |dL/dh_t|  t=0 {line} t={last}"))
    out.print(Text(f"from {low} to {high}; the gradient travels from right to left", style="dim"))


def _plots(record: Record, out: Console) -> None:
    from importlib.util import find_spec

    if find_spec("plotille") is None:
        _curve(record, out)
        hint = "plots of it and of a spectrum need an extra: pip install 'gradlab-rnn[terminal]'"
        out.print(Text(hint, style="dim"))
        return
    from gradlab.report.plotted import plots

    for plot in plots(record, out.width):
        out.print()
        out.print(Text(plot.title, style="italic"))
        out.print(Text("\n".join(plot.lines), style=verdict_colour(record)))
    out.print()


def unicode(out: Console) -> bool:
    """Whether its encoding has blocks and lines."""
    return out.encoding.lower().startswith("utf")
