"""The command line: one file a command.

Nothing slow is imported at the top of any of these files: `gradlab --help` loads neither numpy nor
matplotlib nor pydantic. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from gradlab import __version__
from gradlab.cli.check import check
from gradlab.cli.clean import clean
from gradlab.cli.compare import compare
from gradlab.cli.critical import critical
from gradlab.cli.export import export
from gradlab.cli.gradcheck import gradcheck
from gradlab.cli.guard import failing, guarded
from gradlab.cli.inspect import inspect
from gradlab.cli.kinds import kinds
from gradlab.cli.ls import ls
from gradlab.cli.new import new
from gradlab.cli.report import report
from gradlab.cli.run import run
from gradlab.cli.schema import schema
from gradlab.cli.settings import settings
from gradlab.cli.show import show
from gradlab.cli.sweep import sweep
from gradlab.cli.train import train
from gradlab.cli.verify import verify

HELP = """Does a recurrent cell carry a gradient? How far? Why?

\b
gradlab run configs/rnn_exploding.yaml                    one experiment
gradlab run configs/rnn_exploding.yaml weight_scale=0.5   with another value
gradlab run --weights model.safetensors                   trained weights
gradlab train configs/train_clip.yaml                     while it learns
gradlab inspect model.safetensors                         the layers in a file
gradlab show results/rnn_exploding                        read it again
gradlab new lstm > my.yaml                                a config to begin

Exit codes: 0 done, 1 the experiment or an expectation failed, 2 bad usage or bad config,
130 interrupted, 143 terminated."""

app = typer.Typer(
    name="gradlab",
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is twice as fast, and the same when piped
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "sweep": sweep,
    "train": train,
    "check": check,
    "inspect": inspect,
    "show": show,
    "report": report,
    "compare": compare,
    "ls": ls,
    "clean": clean,
    "export": export,
    "new": new,
    "list": kinds,
    "gradcheck": gradcheck,
    "critical": critical,
    "verify": verify,
    "schema": schema,
}
for name, command in COMMANDS.items():
    app.command(name)(guarded(command))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gradlab {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """What holds for all commands; the help text is HELP."""
    with failing():
        values, places = settings()
    context.default_map = dict.fromkeys(COMMANDS, values)
    context.obj = places


def main() -> None:
    """The entry point of the `gradlab` command.

    Of a command that is named at once the parameters are read, of the others not: it does not
    depend on them, and they are two hundred.
    """
    named = [one for one in app.registered_commands if one.name in sys.argv[1:2]]
    app.registered_commands = named or app.registered_commands
    app()
