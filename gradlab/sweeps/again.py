"""A sweep's table, report and figures again, from the files of its tasks.

Points that are not computed yet are left out, and their number is said. The files are read one at a
time: the curves of a thousand points are never in memory together.
"""

from __future__ import annotations

import json
from pathlib import Path

from gradlab.errors import GradlabError
from gradlab.files import write_whole
from gradlab.report import sweep_figures, sweep_page
from gradlab.report.explorer.choice import choose
from gradlab.report.explorer.traces import Trace, trace
from gradlab.report.page import of_sweep
from gradlab.report.stored import PAGE, Say, Wanted, read_provenance, read_setup, write_figures
from gradlab.report.sweep_table import Row, table_text, told
from gradlab.sweeps.collect import Curves, summary
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.taskfile import TaskFile


class Points:
    """The rows of a sweep's table, and its curves, read from its tasks when asked.

    traces: what the page shows of the curves; read with the rows, so that each file is opened once.
    """

    def __init__(self, result: SweepResult, say: Say, explored: bool = False) -> None:
        self.rows: list[Row] = []
        self.traces: dict[int, Trace] = {}
        file_of: dict[int, Path] = {}
        self.axes = list(result.axes.items())
        values = list(result.values())
        choice = choose(self.axes) if explored else None
        for task in sorted(result.folder.done()):
            path = result.folder.task(task)
            try:
                file = TaskFile(path)
            except GradlabError as error:
                say(f"{error}; its points are left out")
                continue
            for point in file.points:
                if not 0 <= point.index < len(values) or point.index in file_of:
                    say(f"{path} holds a point {point.index} that is none of this sweep: left out")
                    continue
                file_of[point.index] = path
                found = told(point.summary)
                self.rows.append(Row(point.index, values[point.index], found, point.failed))
                if choice and not point.failed and choice.at(point.index) is not None:
                    self.traces[point.index] = trace(file.record(point.index))
        self.rows.sort(key=lambda row: row.index)
        self.whole = len(self.rows) == len(values)
        self.curves = Curves(file_of)


def again(path: Path, wanted: Wanted, say: Say) -> list[Path]:
    """Write the table and the report of a sweep; the paths that were written, the pages last.

    summary.json, which says that a sweep is done, is written where all points are there and it is
    missing: the tasks of several machines were brought together. say is told what a user should
    know. Raises GradlabError where sweep.json is torn, a format is unknown, or a file cannot be
    written.
    """
    result = SweepResult(path)
    folder, points = result.folder, Points(result, say, wanted.html)
    setup = read_setup(folder.config, path, wanted, say)
    figures = sweep_figures.rendered(
        points.axes, points.rows, points.curves, setup.drawn(wanted), setup.dpi
    )
    written, drawings = write_figures(path, figures, sweep_figures.SWEEP_FIGURES, setup)
    keys = [key for names, _ in points.axes for key in names]
    write_whole(folder.table, table_text(keys, points.rows))
    nothing = bool(setup.formats) and not written
    name = path.resolve().name
    page = sweep_page.text(name, points.axes, points.rows, written, nothing)
    write_whole(folder.report, page)
    written += [folder.table, folder.report]
    if wanted.html:
        origin = read_provenance(folder, say) if folder.provenance.exists() else {}
        source = setup.text or json.dumps(result.description, indent=2)
        html = of_sweep.page(
            name, points.axes, points.rows, source, origin, drawings, points.traces
        )
        write_whole(path / PAGE, html)
        written.append(path / PAGE)
    if points.whole and not folder.summary.exists():
        identity = result.description["identity"]
        write_whole(folder.summary, summary(identity, points.axes, points.rows))
        written.append(folder.summary)
    return written
