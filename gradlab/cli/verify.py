"""gradlab verify"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.options import Json
from gradlab.cli.progress import bar

if TYPE_CHECKING:
    from gradlab.verify import Result


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHECK]...", help="Some checks alone; --list names them."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Name the checks, their tolerances and why.")
    ] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print what failed only.")] = False,
) -> None:
    """Check gradlab's numbers on this machine; exit code 1 where one is off."""
    from gradlab.verify import CHECKS
    from gradlab.verify import verify as check

    wanted = _known(names or [])
    if listed:
        (_print_list_json if json else _print_list)(wanted)
        return
    began, results = time.monotonic(), []
    with bar("verifying", shown=not quiet) as progress:
        for result in check(wanted):
            results.append(result)
            progress(len(results) / len(wanted or CHECKS))
    seconds = time.monotonic() - began
    if json:
        _print_json(results, seconds)
    elif quiet:
        _print_table([result for result in results if not result.passed])
    else:
        _print_table(results)
        typer.echo(_closing(results, seconds))
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _known(names: list[str]) -> list[str]:
    """The names, each once. Raises GradlabError where a check has none of them."""
    from gradlab.config.problems import guess
    from gradlab.errors import GradlabError
    from gradlab.verify import CHECKS

    wrong = [name for name in names if name not in CHECKS]
    if wrong:
        known = ", ".join(CHECKS)
        raise GradlabError(
            *(f"unknown check '{name}'{guess(name, CHECKS)}; known: {known}" for name in wrong)
        )
    return list(dict.fromkeys(names))


def _print_list(names: list[str]) -> None:
    from gradlab.report.terminal import console, print_entries
    from gradlab.verify import CHECKS

    entries = {
        name: [CHECKS[name].claim, f"within {CHECKS[name].tolerance:g}: {CHECKS[name].reason}"]
        for name in names or CHECKS
    }
    print_entries(entries, console())


def _print_list_json(names: list[str]) -> None:
    import json

    from gradlab.verify import CHECKS

    checks = [
        {
            "check": name,
            "claim": CHECKS[name].claim,
            "tolerance": CHECKS[name].tolerance,
            "reason": CHECKS[name].reason,
        }
        for name in names or CHECKS
    ]
    typer.echo(json.dumps({"checks": checks}, indent=2))


def _print_table(results: list[Result]) -> None:
    from gradlab.report.tables import Table
    from gradlab.report.terminal import console, print_table

    if not results:
        return
    rows = tuple(
        (
            f"{result.name}: {result.check.claim}",
            f"{result.check.tolerance:g}",
            "-" if result.error else f"{result.worst:.2g}",
            "ok" if result.passed else "FAILED",
        )
        for result in results
    )
    raised = tuple(f"{result.name}: {result.error}" for result in results if result.error)
    header = ("claim", "tolerance", "worst", "")
    print_table(Table("gradlab on this machine", header, rows, raised), console())


def _closing(results: list[Result], seconds: float) -> str:
    """How many hold, how long it took, and on what."""
    import numpy

    from gradlab.provenance import blas

    failed = sum(not result.passed for result in results)
    held = f"{failed} of {len(results)} FAILED" if failed else f"{len(results)} hold"
    library = " ".join(str(value) for value in blas().values() if value)
    return f"{held}, in {seconds:.1f} s; numpy {numpy.__version__}, {library}"


def _print_json(results: list[Result], seconds: float) -> None:
    import json
    import math

    import numpy

    from gradlab.provenance import blas

    checks: list[dict[str, Any]] = [
        {
            "check": result.name,
            "claim": result.check.claim,
            "tolerance": result.check.tolerance,
            "reason": result.check.reason,
            "worst": result.worst if math.isfinite(result.worst) else None,
            "passed": result.passed,
            "error": result.error or None,
            "seconds": round(result.seconds, 3),
        }
        for result in results
    ]
    found = {
        "passed": all(result.passed for result in results),
        "checks": checks,
        "numpy": numpy.__version__,
        "blas": blas(),
        "seconds": round(seconds, 3),
    }
    typer.echo(json.dumps(found, indent=2))
