"""gradlab run"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.guard import when_interrupted
from gradlab.cli.options import RESULTS, Jobs, NoFigures, Out, Quiet, Results, Verbose, force_option
from gradlab.cli.origins import tell_config, tell_options
from gradlab.cli.progress import bar, notes, teller
from gradlab.errors import GradlabError, Problem

if TYPE_CHECKING:
    from gradlab.config import Loaded
    from gradlab.job import Done

FAIL_ON = {  # what may be refused: the key of the summary, and its value
    "vanishing": ("verdict", "vanishing"),
    "exploding": ("verdict", "exploding"),
    "nonfinite": ("outcome", "overflow"),
}


def run(
    context: typer.Context,
    config: Annotated[
        str | None, typer.Argument(help="YAML file; - reads standard input.", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Values instead of the file's: weight_scale=0.5."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="MODEL_FILE", help="Run the layers of a weights file: no config."
        ),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Of --weights: only the layer of that prefix.")
    ] = None,
    out: Out = None,
    results: Results = RESULTS,
    jobs: Jobs = 0,
    force: Annotated[bool, force_option("Run although the result is there.")] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="WHAT",
            help="Exit with 1 where the result is vanishing, exploding or nonfinite; repeatable.",
        ),
    ] = None,
    no_figures: NoFigures = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="The summary as one JSON document on stdout; of --weights a list."
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run one experiment: tables in the terminal, all numbers and figures in a folder."""
    from gradlab.job import Place, perform
    from gradlab.machine import cores
    from gradlab.store import Folder

    say, refused = teller(quiet), _known(fail_on or [])
    every = _wanted(config, overrides or [], weights, prefix, say)
    if out is not None and len(every) > 1:
        raise GradlabError(f"--out is one folder, for {len(every)} layers; choose with --prefix")
    if verbose:
        tell_options(context)
    finished: list[Done] = []
    for loaded in every:
        refuse_training(loaded)
        if verbose:
            tell_config(loaded.source, loaded.config)
        place = Place(Folder(out if out is not None else results / loaded.name), force)
        whole = when_interrupted(partial(_left, finished)) if finished else nullcontext()
        with whole, notes(verbose), bar(f"running {loaded.name}", shown=not quiet) as progress:
            done = perform(loaded, place, sys.argv, say, not no_figures, progress, jobs or cores())
        finished.append(done)
        with when_interrupted(partial(_left, finished)):
            if not json:
                print_done(done, quiet)
            elif len(finished) == len(every):
                print_json(finished, several=weights is not None)
            if verbose:
                print_times(done)
    failed = [reason for done in finished for reason in _failures(done, refused)]
    if failed:
        raise GradlabError(*failed, exit_code=1)


def refuse_training(loaded: Loaded) -> None:
    """Raises GradlabError for a config with a section `train`."""
    if loaded.config.train is not None:
        text, order = loaded.source.place(("train",))
        why = "this config has a 'train' section: use `gradlab train`"
        raise GradlabError(Problem(why, ("train",), text, order))


def _known(fail_on: list[str]) -> list[str]:
    """What --fail-on may name. Raises GradlabError."""
    from gradlab.config.problems import guess

    for what in fail_on:
        if what not in FAIL_ON:
            known = ", ".join(FAIL_ON)
            raise GradlabError(f"unknown --fail-on '{what}'{guess(what, FAIL_ON)}; known: {known}")
    return fail_on


def _failures(done: Done, refused: list[str]) -> list[str]:
    """A line for each that the result is."""
    from gradlab.report.words import headline

    summary = done.record.summary
    is_so = {what: summary[key] == value for what, (key, value) in FAIL_ON.items()}
    found = [what for what in dict.fromkeys(refused) if is_so[what]]
    return [f"--fail-on {what}: {headline(done.record)} ({done.folder.path})" for what in found]


def _left(finished: list[Done]) -> str:
    folders = ", ".join(str(done.folder.path) for done in finished)
    return f"interrupted; the result is in {folders}"


def _wanted(
    config: str | None,
    overrides: list[str],
    weights: Path | None,
    prefix: str | None,
    say: Callable[[str], None],
) -> list[Loaded]:
    """What is to be run: the config, or the layers of a weights file."""
    from gradlab.cli.run_weights import configs
    from gradlab.config import load

    if weights is None:
        if prefix is not None:
            raise GradlabError("--prefix is for --weights; in a config it is init.prefix")
        if config is None:
            raise GradlabError(
                "give a CONFIG, or --weights MODEL_FILE; `gradlab run --help` tells more"
            )
        return [load(config, overrides)]
    if config is not None and "=" not in config:
        raise GradlabError(
            f"{config!r} and --weights: give one; a config has its weights as init: {{file: ...}}"
        )
    return configs(weights, prefix, [*([config] if config else []), *overrides], say)


def print_done(done: Done, quiet: bool) -> None:
    """What was found, or with `quiet` where it is."""
    if quiet:
        typer.echo(str(done.folder.path))
    else:
        _print_tables(done)


def _print_tables(done: Done) -> None:
    from gradlab.report.terminal import console, show

    show(done.record, console())
    tables = [path for path in (done.folder.steps, done.folder.updates) if path.is_file()]
    for path in (*done.figures, done.folder.report, *tables):
        typer.echo(str(path))


def print_json(finished: list[Done], several: bool) -> None:
    """The summaries as one JSON document."""
    import json

    found = []
    for done in finished:
        paths = {"folder": str(done.folder.path), "figures": [str(path) for path in done.figures]}
        text = json.loads(done.folder.summary.read_text(encoding="utf-8"))
        found.append(text | paths | {"computed": done.computed})
    typer.echo(json.dumps(found if several else found[0], indent=2))


def print_times(done: Done) -> None:
    """How long it took, and how much memory."""
    import json

    origin = json.loads(done.folder.provenance.read_text(encoding="utf-8"))
    blas = " ".join(str(value) for value in origin["blas"].values() if value)
    typer.echo(
        f"gradlab: {origin['seconds']} s until the arrays were there, peak memory "
        f"{origin['peak_memory_mib']} MiB; numpy {origin['numpy']}, {blas}",
        err=True,
    )
