"""Pieces of a page: plain text, tables and figures in, HTML out."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gradlab.dotted import leaves
from gradlab.report.page.inline_svg import inline
from gradlab.report.tables import Table


class Drawing(NamedTuple):
    """A figure of a page: its file as SVG, and what is said of it in plain text."""

    name: str
    svg: bytes
    alt: str  # one line
    caption: str  # the question; an empty line; how to read the figure


def text(value: object) -> str:
    """Plain text as HTML, also within quotes: nothing in it is markup.

    What has no shape (control characters, halves of a surrogate pair) is shown as in Python.
    """
    return html.escape(printable(value), quote=True)


def printable(value: object) -> str:
    """Plain text in which all has a shape."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(value))


def paragraphs(lines: Iterable[str], kind: str = "") -> str:
    """Each line a paragraph, of that class."""
    attribute = f' class="{kind}"' if kind else ""
    return "\n".join(f"<p{attribute}>{text(line)}</p>" for line in lines)


def bullets(lines: Sequence[str]) -> str:
    """A list; '' where there is nothing in it."""
    items = "".join(f"<li>{text(line)}</li>\n" for line in lines)
    return f"<ul>\n{items}</ul>" if items else ""


def verdict(headline: str, kind: str, lines: Sequence[str], caveats: Sequence[str]) -> str:
    """What was found: in one sentence, beside the colour of its kind; why; what to keep in mind.

    kind: vanishing, preserved, exploding, undecided, or '' for none of their colours.
    """
    first = f'<p class="headline {text(kind)}">{text(headline)}</p>'
    notes = paragraphs([f"Note: {caveat}" for caveat in caveats], "note")
    return "\n".join(part for part in (first, bullets(lines), notes) if part)


def table(content: Table, key: str) -> str:
    """A table that scrolls by itself where the page is narrower. key: its id, unique in a page."""
    head = "".join(f'<th scope="col">{text(cell)}</th>' for cell in content.header)
    rows = "\n".join(_row(row) for row in content.rows)
    caption = f'<caption id="{key}">{text(content.title)}</caption>'
    return (
        f'<div class="scroll" role="region" aria-labelledby="{key}" tabindex="0">\n'
        f"<table>\n{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        f"</table>\n</div>\n{paragraphs(content.notes, 'soft')}"
    )


def tables(contents: Sequence[Table], key: str) -> str:
    """Those that have rows, beside each other where there is room. key: begins their ids."""
    shown = (table(one, f"{key}-{k}") for k, one in enumerate(contents) if one.rows)
    inner = "\n".join(f"<div>\n{one}\n</div>" for one in shown)
    return f'<div class="tables">\n{inner}\n</div>' if inner else ""


def _row(row: Sequence[str]) -> str:
    first, *others = row
    cells = "".join(f"<td>{text(cell)}</td>" for cell in others)
    return f'<tr><th scope="row">{text(first)}</th>{cells}</tr>'


def figures(drawings: Sequence[Drawing]) -> str:
    """The figures, each with its question and how to read it; '' where there are none."""
    shown = "\n".join(_figure(drawing) for drawing in drawings)
    return f'<div class="figures">\n{shown}\n</div>' if shown else ""


def _figure(drawing: Drawing) -> str:
    question, _, reading = drawing.caption.partition("\n\n")
    picture = inline(drawing.svg, drawing.name, text(drawing.alt), text(_joined(question)))
    label = f'aria-label="{text(drawing.alt)}"'
    parts = [
        "<figure>",
        f'<div class="scroll" role="region" {label} tabindex="0">{picture}</div>',
        f"<figcaption>{text(_joined(question))}",
    ]
    if reading:
        told = f"<p>{text(_joined(reading))}</p>"
        parts.append(f"<details><summary>How to read it</summary>{told}</details>")
    return "\n".join([*parts, "</figcaption>", "</figure>"])


def _joined(lines: str) -> str:
    return " ".join(lines.split())


def listing(source: str, label: str) -> str:
    """A file as it is."""
    body = f"<code>{text(source)}</code>"
    return f'<pre role="region" aria-label="{text(label)}" tabindex="0">{body}</pre>'


def facts(found: Mapping[str, Any], title: str, key: str) -> str:
    """Nested names and values as a table of two columns."""
    rows = tuple((" ".join(path), _fact(value)) for path, value in leaves(found))
    if not rows:
        return ""
    return f'<div class="facts">\n{table(Table(title, ("what", "value"), rows), key)}\n</div>'


def _fact(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "-" if value is None else str(value)
