"""What the files of all tasks come to: table, summary, figures, report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from gradlab import __version__
from gradlab.files import write_whole
from gradlab.nonlinearity import Array
from gradlab.provenance import provenance
from gradlab.record import SCHEMA
from gradlab.report import sweep_page
from gradlab.report.sweep_figures.grid import AxisValues
from gradlab.report.sweep_table import Row, counts, table_text, told
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile, TaskPoints


def collect(
    planned: Planned, folder: SweepFolder, started: datetime, draw: bool, command: Sequence[str]
) -> None:
    """Make table.csv, summary.json, figures where they are wanted, and the report from the tasks'
    files. started, command: of the process, for provenance.json.
    """
    rows: list[Row] = []
    values = {p.index: p.values for task in planned.tasks for p in task.points}
    for task in planned.tasks:
        file = TaskPoints(folder.task(task.id))
        rows += [Row(p.index, values[p.index], told(p.summary), p.failed) for p in file.points]
    rows.sort(key=lambda row: row.index)
    write_whole(folder.table, table_text(planned.sweep.keys, rows))
    origin = provenance(command, started, planned.sweep.source.path, folder.path)
    write_whole(folder.provenance, json.dumps(origin, indent=2) + "\n")
    figures = planned.sweep.config(0).figures
    formats = figures.formats if draw else ()
    axes = [(axis.keys, axis.values) for axis in planned.sweep.axes]
    files = ((folder.task(task.id), task.points) for task in planned.tasks)
    curves = Curves({point.index: file for file, points in files for point in points})
    page = sweep_page.write(folder.path, axes, rows, curves, formats, figures.dpi)
    write_whole(folder.report, page)
    write_whole(folder.summary, summary(planned.description["identity"], axes, rows))


def summary(identity: str, axes: Sequence[AxisValues], rows: Sequence[Row]) -> str:
    """The text of a sweep's summary.json."""
    head = {"schema": SCHEMA, "gradlab": __version__, "identity": identity}
    lines = {"headline": sweep_page.headline(axes, rows)}
    return json.dumps(head | counts(rows) | lines, indent=2) + "\n"


class Curves:
    """The per-step curves of a sweep's points, read when a figure asks for one.

    file_of: the task's file of each point. The last one is kept: a figure asks for the points of a
    task one after the other.
    """

    def __init__(self, file_of: Mapping[int, Path]) -> None:
        self._file_of = file_of
        self._read = lru_cache(maxsize=1)(TaskFile)

    def __call__(self, index: int) -> tuple[Array, Array]:
        """t (N,) and the median over seeds of log10 ||dL/dh_t|| (N,) of one point."""
        record = self._read(self._file_of[index]).record(index)
        return record["t"], np.median(record["log10_grad_norm_h"], axis=0)
