"""gradlab check"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.guard import when_interrupted
from gradlab.cli.options import RESULTS, Jobs, Json, NoFigures, Results, force_option
from gradlab.cli.progress import bar, teller
from gradlab.errors import GradlabError

if TYPE_CHECKING:
    from gradlab.checking import How, Wanted
    from gradlab.expectations.checked import Checked

OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")  # a file of such a name is given as ./NAME


def check(
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG... [KEY=VALUE]...",
            help="YAML files with an `expect:` section; values for all of them.",
            show_default=False,
        ),
    ],
    jobs: Jobs = 0,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")
    ] = None,
    results: Results = RESULTS,
    force: Annotated[bool, force_option("Run although the results are there.")] = False,
    no_figures: NoFigures = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print what failed only.")] = False,
) -> None:
    """Run configs and check what they expect; exit code 1 where something is off."""
    from gradlab.checking import How

    files = [one for one in configs if not OVERRIDE.match(one)]
    if not files:
        raise GradlabError("give at least one CONFIG with an expect: section")
    _writable(junit)
    overrides = tuple(one for one in configs if OVERRIDE.match(one))
    every = _wanted(files, results, How(overrides, force, not no_figures, tuple(sys.argv)))
    checked = _check(every, jobs, quiet)
    if junit is not None:
        from gradlab.files import write_whole
        from gradlab.report.junit import junit as xml

        write_whole(junit, xml(checked))
    _print(checked, json, quiet)
    if not all(one.passed for one in checked):
        raise typer.Exit(1)


def _wanted(files: Sequence[str], results: Path, how: How) -> list[Wanted]:
    """What is to be checked; on GitHub also what is wrong with it is shown at its place."""
    from gradlab.checking import wanted
    from gradlab.report.checks import github_problems

    try:
        return wanted(files, results, how)
    except GradlabError as error:
        if _on_github():
            for line in github_problems(error.problems):
                typer.echo(line, err=True)
        raise


def _on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _writable(junit: Path | None) -> None:
    """Told before anything is run. Raises GradlabError."""
    if junit is not None and junit.is_dir():
        raise GradlabError(f"--junit {str(junit)!r} is a folder; it takes a file")
    if junit is not None and not junit.parent.is_dir():
        raise GradlabError(f"--junit: there is no folder {str(junit.parent)!r}; make it first")


def _check(every: Sequence[Wanted], jobs: int, quiet: bool) -> list[Checked]:
    """What came of each, in the order in which they were given."""
    from gradlab.checking import check as perform
    from gradlab.machine import cores
    from gradlab.sweeps.execute import executors

    say = teller(quiet)
    found: dict[str, Checked] = {}
    workers = executors("processes", min(jobs or cores(), len(every)))
    with (
        when_interrupted(lambda: f"interrupted: {len(found)} of {len(every)} configs are checked"),
        bar("checking", shown=not quiet) as progress,
        closing(perform(every, workers)) as steps,
    ):
        for checked in steps:
            found[checked.config] = checked
            for note in checked.notes:
                say(note)
            progress(len(found) / len(every))
    return [found[one.config] for one in every]


def _print(checked: Sequence[Checked], json: bool, quiet: bool) -> None:
    from gradlab.report.checks import as_json, github_lines, table, total

    if _on_github():
        for line in github_lines(checked):
            typer.echo(line, err=True)  # its runner reads both streams, and stdout may be JSON
    if json:
        import json as encoder

        typer.echo(encoder.dumps(as_json(checked), indent=2))
        return
    from gradlab.report.terminal import console, print_table

    out = console()
    for one in checked:
        if not (quiet and one.passed):
            print_table(table(one), out)
            out.print()
    if not quiet:
        typer.echo(total(checked))
