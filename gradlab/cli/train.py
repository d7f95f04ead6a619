"""gradlab train"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.guard import when_interrupted
from gradlab.cli.options import (
    RESULTS,
    Config,
    Json,
    NoFigures,
    Out,
    Quiet,
    Results,
    Verbose,
    force_option,
)
from gradlab.cli.origins import tell_config, tell_options
from gradlab.cli.progress import bar, notes, teller
from gradlab.cli.run import print_done, print_json, print_times
from gradlab.errors import GradlabError

if TYPE_CHECKING:
    from gradlab.config import Loaded
    from gradlab.job import Place


def train(
    context: typer.Context,
    config: Config,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Values instead of the file's: train.learning_rate=0.1."
        ),
    ] = None,
    out: Out = None,
    results: Results = RESULTS,
    force: Annotated[
        bool, force_option("Train anew, although the result is there or a part of it.")
    ] = False,
    no_figures: NoFigures = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a network on the task of its config: the gradient along the way; resumes by itself."""
    from gradlab.config import load
    from gradlab.job import Place, perform
    from gradlab.store import Folder

    say, loaded = teller(quiet), load(config, overrides or [])
    if loaded.config.train is None:
        raise GradlabError(
            f"{loaded.source.name} has no section 'train': add one, train: {{task: adding}}, "
            "or use `gradlab run`"
        )
    if verbose:
        tell_options(context)
        tell_config(loaded.source, loaded.config)
    place = Place(Folder(out if out is not None else results / loaded.name), force)
    with (
        when_interrupted(lambda: _left(loaded, place)),
        notes(verbose),
        bar(f"training {loaded.name}", shown=not quiet) as progress,
    ):
        done = perform(loaded, place, sys.argv, say, not no_figures, progress)
    if json:
        print_json([done], several=False)
    else:
        print_done(done, quiet)
    if verbose:
        print_times(done)


def _left(loaded: Loaded, result: Place) -> str:
    """What an interrupted training leaves."""
    from gradlab.job import settled
    from gradlab.training.kept import InFolder, place

    state = InFolder(place(result.folder.path), settled(loaded)[1]).found()
    if state is None:
        return "interrupted before the first snapshot; nothing is kept"
    return f"interrupted; the same command goes on after update {state.update}"
