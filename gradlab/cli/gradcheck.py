"""gradlab gradcheck"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.options import Json

if TYPE_CHECKING:
    from gradlab.gradcheck import Result


def gradcheck(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            help="A kind of cell, or the Python file of your own, which is run.",
            show_default=False,
        ),
    ],
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print what failed only.")] = False,
) -> None:
    """Check a cell's derivatives against its own step; exit code 1 where one is wrong."""
    from pathlib import Path

    from gradlab.cells import CELLS, FILE, find
    from gradlab.config.problems import guess
    from gradlab.errors import GradlabError
    from gradlab.gradcheck import gradcheck as check

    if cell not in CELLS and not cell.endswith(FILE):
        known = f"{', '.join(CELLS)}, or a file ending in {FILE}"
        raise GradlabError(f"unknown cell '{cell}'{guess(cell, CELLS)}; known: {known}")
    found = find(cell)
    results = check(Path(cell).name, found)
    derivatives = getattr(found, "DERIVATIVES", {})
    if json:
        _print_json(cell, results, derivatives)
    elif not quiet:
        _print_table(results, derivatives)
    elif wrong := [result for result in results if not result.passed]:
        _print_table(wrong, {})
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _print_table(results: list[Result], derivatives: dict[str, str]) -> None:
    from rich.text import Text

    from gradlab.gradcheck import CHECKS
    from gradlab.report.tables import Table
    from gradlab.report.terminal import console, print_table

    header = ("check", "tolerance", "worst error", "H, I, B", "regime", "cell", "")
    rows = []
    for result in results:
        where = (", ".join(map(str, result.size)), result.regime, result.variant)
        numbers = (f"{result.tolerance:.0e}", f"{result.error:.1e}")
        rows.append((result.check, *numbers, *where, "ok" if result.passed else "WRONG"))
    out = console()
    print_table(Table("Relative errors, the worst of each check", header, tuple(rows)), out)
    for name, check in CHECKS.items():
        out.print(Text(f"{name}: {check.what}"))
    for name, source in derivatives.items():
        out.print(Text(f"{name} of this cell: {source}"))


def _print_json(cell: str, results: list[Result], derivatives: dict[str, str]) -> None:
    import json
    import math

    checks: list[dict[str, Any]] = [
        {
            "check": result.check,
            "tolerance": result.tolerance,
            "error": result.error if math.isfinite(result.error) else None,
            "hidden_size": result.size[0],
            "input_size": result.size[1],
            "batch_size": result.size[2],
            "regime": result.regime,
            "variant": result.variant,
            "passed": result.passed,
        }
        for result in results
    ]
    passed = all(result.passed for result in results)
    found = {"cell": cell, "passed": passed, "checks": checks, "derivatives": derivatives}
    typer.echo(json.dumps(found, indent=2))
