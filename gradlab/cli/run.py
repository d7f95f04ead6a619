"""gradlab run"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.guard import when_interrupted
from gradlab.cli.options import RESULTS, Config, NoFigures, Out, Quiet, Results, force_option
from gradlab.cli.progress import bar, notes, teller

if TYPE_CHECKING:
    from gradlab.job import Done


def run(
    config: Config,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Values instead of the file's: weight_scale=0.5."
        ),
    ] = None,
    out: Out = None,
    results: Results = RESULTS,
    force: Annotated[bool, force_option("Run although the result is there.")] = False,
    no_figures: NoFigures = False,
    json: Annotated[
        bool, typer.Option("--json", help="The summary as one JSON document on stdout.")
    ] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell where the time went.")
    ] = False,
) -> None:
    """Run one experiment: tables in the terminal, all numbers and figures in a folder."""
    from gradlab.config import load
    from gradlab.job import Place, perform
    from gradlab.store import Folder

    loaded = load(config, overrides or [])
    folder = Folder(out if out is not None else results / loaded.name)
    with notes(verbose), bar(f"running {loaded.name}", shown=not quiet) as progress:
        place = Place(folder, force)
        done = perform(loaded, place, sys.argv, teller(quiet), not no_figures, progress)
    with when_interrupted(lambda: f"interrupted; the result is in {folder.path}"):
        _print(done, json, quiet)
        if verbose:
            _print_times(done)


def _print(done: Done, json: bool, quiet: bool) -> None:
    if json:
        _print_json(done)
    elif quiet:
        typer.echo(str(done.folder.path))
    else:
        _print_tables(done)


def _print_tables(done: Done) -> None:
    from gradlab.report.terminal import console, show

    show(done.record, console())
    for path in (*done.figures, done.folder.report, done.folder.steps):
        typer.echo(str(path))


def _print_json(done: Done) -> None:
    import json

    paths = {"folder": str(done.folder.path), "figures": [str(path) for path in done.figures]}
    text = json.loads(done.folder.summary.read_text(encoding="utf-8"))
    typer.echo(json.dumps(text | paths | {"computed": done.computed}, indent=2))


def _print_times(done: Done) -> None:
    import json

    origin = json.loads(done.folder.provenance.read_text(encoding="utf-8"))
    blas = " ".join(str(value) for value in origin["blas"].values() if value)
    typer.echo(
        f"gradlab: {origin['seconds']} s until the arrays were there, peak memory "
        f"{origin['peak_memory_mib']} MiB; numpy {origin['numpy']}, {blas}",
        err=True,
    )
