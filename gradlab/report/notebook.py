"""A record that shows itself in a notebook: the verdict, a table, the gradient's curve."""

from __future__ import annotations

import base64
import html
import tempfile
from dataclasses import fields
from pathlib import Path

from gradlab.record import Record
from gradlab.report import words
from gradlab.report.tables import Table, experiment, norms_by_lag


class Shown(Record):
    """A Record with the method that notebooks look for."""

    @classmethod
    def of(cls, record: Record) -> Shown:
        """The same record, shown."""
        return cls(**{field.name: getattr(record, field.name) for field in fields(record)})

    def __repr__(self) -> str:
        return f"<Record {experiment(self)}: {words.headline(self)}>"

    def _repr_html_(self) -> str:
        lines = [f"<b>{html.escape(words.headline(self))}</b>", html.escape(experiment(self))]
        lines += [html.escape(reason) for reason in words.reasons(self)]
        return f"<p>{'<br>'.join(lines)}</p>{_picture(self)}{_html(norms_by_lag(self))}"


def _picture(record: Record) -> str:
    from gradlab.report import figures

    with tempfile.TemporaryDirectory() as folder:
        drawn = figures.save(record, Path(folder), ["png"], 110, ["gradient_norms"])
        pictures = [base64.b64encode(path.read_bytes()).decode() for path in drawn]
        return "".join(
            f'<img alt="gradient norms" src="data:image/png;base64,{data}">' for data in pictures
        )


def _html(table: Table) -> str:
    rows = [table.header, *table.rows]
    tags = ["th"] + ["td"] * len(table.rows)
    body = [
        "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(tags, rows, strict=True)
    ]
    return f"<table><caption>{html.escape(table.title)}</caption>{''.join(body)}</table>"
