"""gradlab run"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.guard import Terminated

if TYPE_CHECKING:
    from gradlab.job import Done


def run(
    config: Annotated[
        str, typer.Argument(help="YAML file; - reads standard input.", show_default=False)
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Values instead of the file's: weight_scale=0.5."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The results folder itself; default ROOT/NAME."),
    ] = None,
    results: Annotated[
        Path,
        typer.Option(
            "--results", metavar="ROOT", envvar="GRADLAB_RESULTS", help="Where results go."
        ),
    ] = Path("results"),
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Run although the result is there.")
    ] = False,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Draw no figures.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="The summary as one JSON document on stdout.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the folder and errors only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell where the time went.")
    ] = False,
) -> None:
    """Run one experiment: tables in the terminal, all numbers and figures in a folder."""
    from gradlab.cli.progress import bar
    from gradlab.config import load
    from gradlab.errors import GradlabError
    from gradlab.job import Place, perform
    from gradlab.store import Folder

    loaded = load(config, overrides or [])
    folder = Folder(out if out is not None else results / loaded.name)

    def say(line: str) -> None:
        if not quiet:
            typer.echo(f"gradlab: {line}", err=True)

    with bar(f"running {loaded.name}", shown=not quiet) as progress:
        done = perform(loaded, Place(folder, force), sys.argv, say, not no_figures, progress)
    try:
        _print(done, json, quiet)
        if verbose:
            _print_times(done)
    except (KeyboardInterrupt, Terminated) as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else 143
        message = f"interrupted; the result is in {folder.path}"
        raise GradlabError(message, exit_code=code) from error


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
