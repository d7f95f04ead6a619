"""gradlab sweep"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.guard import when_interrupted
from gradlab.cli.options import (
    RESULTS,
    Config,
    Jobs,
    Json,
    NoFigures,
    Out,
    Quiet,
    Results,
    Verbose,
    force_option,
)
from gradlab.cli.origins import tell_sweep
from gradlab.cli.progress import sweep_display, teller

if TYPE_CHECKING:
    from gradlab.config import Sweep
    from gradlab.sweeps.job import Order, Progress
    from gradlab.sweeps.planned import Planned
    from gradlab.sweeps.store import SweepFolder

RESUME = "the same command again goes on from there"


def sweep(
    context: typer.Context,
    config: Config,
    axes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUES]...",
            help="weight_scale=0.1:3.0:30 (30 points from 0.1 to 3), cell=rnn,lstm, or one value.",
        ),
    ] = None,
    jobs: Jobs = 0,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            envvar="GRADLAB_EXECUTOR",
            help="serial, processes, or dask://HOST:PORT.",
        ),
    ] = "processes",
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Only every N-th task, from the I-th."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="A task that takes longer is ended: its points are failed, the others go on.",
            show_default=False,
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="The first point that fails ends the sweep.")
    ] = False,
    out: Out = None,
    results: Results = RESULTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")
    ] = False,
    force: Annotated[bool, force_option("Start over, also over another sweep's results.")] = False,
    max_points: Annotated[
        int,
        typer.Option("--max-points", min=1, envvar="GRADLAB_MAX_POINTS", help="More are refused."),
    ] = 1_000_000,
    no_figures: NoFigures = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run an experiment for every combination of values; the same command again resumes it."""
    from gradlab.config import load_sweep
    from gradlab.errors import GradlabError
    from gradlab.machine import cores
    from gradlab.sweeps.execute import executors
    from gradlab.sweeps.job import Order
    from gradlab.sweeps.planned import plan
    from gradlab.sweeps.store import SweepFolder

    say = teller(quiet)
    wanted = load_sweep(config, axes or [], max_points=max_points)
    for note in wanted.notes:
        say(note)
    if verbose:
        tell_sweep(context, wanted)
    folder = SweepFolder(out if out is not None else results / wanted.name)
    workers = jobs or cores()
    part = _shard(shard)
    if timeout is not None and not 0 < timeout < float("inf"):
        raise GradlabError(f"--timeout is {timeout:g}; it is a number of seconds, more than 0")
    if force and part is not None:
        raise GradlabError("--force would take away what other shards have done; run it without")
    if dry_run:
        _print_plan(wanted, folder, workers, json)
        return
    planned = plan(wanted)
    pool = executors(executor, workers, killable=timeout is not None)
    order = Order(folder, pool, part, force, not no_figures, timeout, fail_fast, sys.argv)
    last = _perform(planned, order, quiet)
    if quiet and not json:
        typer.echo(str(folder.path))
    else:
        _print_end(folder, last, json)
    if last is not None and last.failed:
        raise typer.Exit(1)


def _perform(planned: Planned, order: Order, quiet: bool) -> Progress | None:
    """Do the sweep, showing how far it is; how far it came."""
    from gradlab.sweeps.job import perform

    last: Progress | None = None
    with (
        when_interrupted(lambda: f"{_how_far(last)}; {RESUME}"),
        sweep_display(not quiet) as display,
        # the workers end also when the interrupt comes while nothing is awaited
        closing(perform(planned, order, teller(quiet))) as steps,
    ):
        for last in steps:
            display(last)
    return last


def _shard(text: str | None) -> tuple[int, int] | None:
    """I/N with 1 <= I <= N. Raises GradlabError."""
    from gradlab.errors import GradlabError

    if text is None:
        return None
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise GradlabError(f"--shard is {text!r}; it is I/N with I from 1 to N, e.g. 2/8")


def _print_plan(wanted: Sweep, folder: SweepFolder, jobs: int, json: bool) -> None:
    import json as encoder

    from gradlab.sweeps.forecast import forecast
    from gradlab.sweeps.result import SweepResult

    facts: dict[str, Any] = {"folder": str(folder.path)}
    facts["done"] = SweepResult(folder.path).done if folder.is_sweep() else 0
    facts |= forecast(wanted, jobs)
    if json:
        typer.echo(encoder.dumps(facts, indent=2))
        return
    typer.echo(f"{facts['points']} points, fused into {facts['tasks']} tasks")
    typer.echo(f"done already in {folder.path}: {facts['done']}")
    typer.echo(
        f"all of them: about {_duration(facts['seconds'])} with {jobs} workers, "
        f"up to {facts['memory_mib_per_worker']} MiB each"
    )


def _how_far(progress: Progress | None) -> str:
    if progress is None:
        return "interrupted before the first task"
    return f"interrupted: {progress.done} of {progress.total} points are done"


def _print_end(folder: SweepFolder, progress: Progress | None, json: bool) -> None:
    """Where the results are, and what the table says."""
    import json as encoder

    from gradlab.report.terminal import console, show_sweep

    complete = folder.summary.is_file()
    if json:
        summary = encoder.loads(folder.summary.read_text(encoding="utf-8")) if complete else {}
        done = {"done": progress.done, "failed": progress.failed} if progress else {}
        typer.echo(encoder.dumps(summary | done | {"folder": str(folder.path)}, indent=2))
    elif complete:
        lines = encoder.loads(folder.summary.read_text(encoding="utf-8"))["headline"]
        show_sweep(lines, console())
        for path in (folder.table, *sorted(folder.path.glob("*.png")), folder.report):
            typer.echo(str(path))
    elif progress is not None:
        typer.echo(
            f"{progress.done} of {progress.total} points of this shard are done in {folder.path}"
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
