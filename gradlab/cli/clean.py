"""gradlab clean"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.options import RESULTS, Json

if TYPE_CHECKING:
    from gradlab.stale import Left, Stale


def clean(
    root: Annotated[
        Path, typer.Argument(envvar="GRADLAB_RESULTS", help="Where results lie.")
    ] = RESULTS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove what is listed.")] = False,
    json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the paths and errors only.")
    ] = False,
) -> None:
    """List leftovers of killed runs, and results whose config is gone; --yes removes them."""
    from gradlab.errors import GradlabError
    from gradlab.stale import remove, survey

    stale, left = survey(root)
    removed, failed = [], []
    for found in stale if yes else ():
        try:
            remove(found)
            removed.append(found)
        except GradlabError as error:
            failed.append(str(error))
    if json:
        _print_json(root, stale, left, removed)
    else:
        _print(removed if yes else stale, left, yes, quiet)
    for line in failed:
        typer.echo(f"gradlab: {line}", err=True)
    if failed:
        raise typer.Exit(1)


def _print(stale: list[Stale], left: list[Left], yes: bool, quiet: bool) -> None:
    for found in stale:
        typer.echo(str(found.path) if quiet else f"{found.path}: {found.reason}")
    if quiet:
        return
    for one in left:
        typer.echo(f"gradlab: {one.path} is left: {one.reason}", err=True)
    size = sum(found.size for found in stale) / 2**20
    if yes:
        total = f"{len(stale)} removed, {size:.1f} MiB"
    else:
        total = (
            f"{len(stale)} found, {size:.1f} MiB; --yes removes" if stale else "nothing to remove"
        )
    typer.echo(f"gradlab: {total}", err=True)


def _print_json(root: Path, stale: list[Stale], left: list[Left], removed: list[Stale]) -> None:
    import json

    document = {
        "root": str(root),
        "stale": [
            {
                "path": str(found.path),
                "reason": found.reason,
                "bytes": found.size,
                "removed": found in removed,
            }
            for found in stale
        ],
        "left": [{"path": str(one.path), "reason": one.reason} for one in left],
    }
    typer.echo(json.dumps(document, indent=2))
