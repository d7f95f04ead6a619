"""gradlab compare"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.options import Json

if TYPE_CHECKING:
    from gradlab.record import Record
    from gradlab.report.beside import Compared

SUFFIXES = (".md", ".html", ".json", ".png", ".svg", ".pdf")


def compare(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C]...",
            help="Folders of runs; of a sweep FOLDER@KEY=VALUE,... is one point.",
            show_default=False,
        ),
    ],
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown on stdout.")] = False,
    html: Annotated[
        bool, typer.Option("--html", help="One HTML file on stdout, with the curves.")
    ] = False,
    json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help=".md (the curves beside it), .html, .json; .png, .svg, .pdf: the curves.",
        ),
    ] = None,
) -> None:
    """Hold results against the first: what differs in the configs, the numbers, the curves."""
    from gradlab.errors import GradlabError

    asked = [name for name, on in (("md", markdown), ("html", html), ("json", json)) if on]
    if len(asked) + (out is not None) > 1:
        raise GradlabError("give one of --markdown, --html, --json, --out")
    if out is not None and out.suffix not in SUFFIXES:
        raise GradlabError(f"--out is {str(out)!r}; it ends in one of: {', '.join(SUFFIXES)}")
    compared = _compared(results)
    if out is not None:
        for path in _write(compared, out):
            typer.echo(str(path))
    elif asked:
        typer.echo(_text(compared, asked[0], None), nl=False)
    else:
        from gradlab.report.beside.shown import in_terminal
        from gradlab.report.terminal import console

        in_terminal(compared, console())


def _compared(results: list[str]) -> list[Compared]:
    """The results with their letters. Raises GradlabError."""
    from gradlab.errors import GradlabError
    from gradlab.report.beside import LETTERS, Compared

    if not 2 <= len(results) <= len(LETTERS):
        many = f"{len(results)} result{'s' * (len(results) != 1)}"
        raise GradlabError(f"{many} given; compare takes 2 to {len(LETTERS)}; more are a sweep")
    return [
        Compared(letter, name, _record(name))
        for letter, name in zip(LETTERS, results, strict=False)
    ]


def _record(name: str) -> Record:
    """The record of a run's folder, or of a point of a sweep. Raises GradlabError."""
    from gradlab.cli.show import point_values
    from gradlab.errors import GradlabError
    from gradlab.store import load
    from gradlab.sweeps.result import SweepResult
    from gradlab.sweeps.store import SweepFolder

    folder, at, point = name.rpartition("@")
    if at and not Path(name).is_dir():
        return SweepResult(Path(folder)).record(point_values(point))
    if SweepFolder(Path(name)).is_sweep():
        axes = ",".join(f"{key}=..." for keys in SweepResult(Path(name)).axes for key in keys)
        raise GradlabError(f"{name!r} holds a sweep; name one of its points: {name}@{axes}")
    return load(Path(name))


def _text(compared: list[Compared], form: str, picture: str | None) -> str:
    import json

    from gradlab.report.beside import shown

    if form == "json":
        return json.dumps(shown.as_data(compared), indent=2) + "\n"
    return shown.as_html(compared) if form == "html" else shown.as_markdown(compared, picture)


def _write(compared: list[Compared], out: Path) -> list[Path]:
    """What --out asks for; the paths. Raises GradlabError."""
    from gradlab.errors import GradlabError
    from gradlab.files import write_whole
    from gradlab.report.beside import overlaid

    form = out.suffix[1:]
    drawn = overlaid.applies(compared)
    if form in ("html", "json"):
        write_whole(out, _text(compared, form, None))
        return [out]
    if form != "md":
        if not drawn:
            raise GradlabError("no result has a gradient: there are no curves to draw", exit_code=1)
        write_whole(out, overlaid.rendered(compared, form))
        return [out]
    picture = out.with_suffix(".png")
    if drawn:
        write_whole(picture, overlaid.rendered(compared, "png"))
    write_whole(out, _text(compared, "md", picture.name if drawn else None))
    return [out, *([picture] if drawn else [])]
