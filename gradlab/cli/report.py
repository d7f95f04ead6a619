"""gradlab report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradlab.cli.options import Json, Quiet
from gradlab.cli.progress import teller


def report(
    folder: Annotated[
        Path, typer.Argument(help="The folder of a run or a sweep.", show_default=False)
    ],
    html: Annotated[
        bool, typer.Option("--html", help="Also report.html: one file, to send or to open.")
    ] = False,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="png,svg,pdf",
            help="Of the figures; by default as in the config; none.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Show report.html in the browser; makes it, too.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a result's report and figures again, from what is stored: nothing is computed again."""
    from gradlab.report import stored
    from gradlab.sweeps import again as stored_sweep
    from gradlab.sweeps.store import SweepFolder

    wanted = stored.Wanted(None if formats is None else _formats(formats), html or show)
    write = stored_sweep.again if SweepFolder(folder).is_sweep() else stored.again
    written = write(folder, wanted, teller(quiet))
    if json:
        import json as encoder

        found = {"folder": str(folder), "files": [str(path) for path in written]}
        typer.echo(encoder.dumps(found, indent=2))
    else:
        for path in [folder] if quiet else written:
            typer.echo(str(path))
    if show:
        _open(folder / stored.PAGE)


def _formats(given: str) -> list[str]:
    """The formats in a list with commas; `none` is no format. Raises GradlabError."""
    from gradlab.report import style

    named = [name.strip() for name in given.split(",")]
    return [] if named == ["none"] else style.formats(named)


def _open(page: Path) -> None:
    """Raises GradlabError with exit code 1 where there is no browser."""
    import webbrowser

    from gradlab.errors import GradlabError

    if not webbrowser.open(page.resolve().as_uri()):
        raise GradlabError(f"no browser was found; {page} is written: open it by hand", exit_code=1)
