"""gradlab critical"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.options import Config, Json
from gradlab.cli.progress import bar

if TYPE_CHECKING:
    from gradlab.critical import Critical
    from gradlab.predicted_edge import Predicted

EVALUATIONS = 12  # of the dynamic mean field, about: for a bar


def critical(
    config: Config,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Values instead of the file's: cell=lstm."),
    ] = None,
    vary: Annotated[
        str, typer.Option(metavar="KEY", help="The key whose value is looked for, a number.")
    ] = "weight_scale",
    target: Annotated[
        float, typer.Option(help="The growth rate wanted, nats per step; 0 is the edge.")
    ] = 0.0,
    json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the value and errors only.")
    ] = False,
) -> None:
    """Find the value of a key at which the gradient neither vanishes nor explodes."""
    import math

    from gradlab.config import load
    from gradlab.critical import edge
    from gradlab.errors import GradlabError
    from gradlab.predicted_edge import predicted_edge

    if not math.isfinite(target):
        raise GradlabError(f"--target {target}: must be a finite number of nats per step")
    loaded = load(config, overrides or [])
    found = edge(loaded, vary, target)
    if quiet and not json:  # the prediction is not printed, so it is not made
        typer.echo(f"{found.value:.17g}")
        return
    with bar("theory", shown=not quiet) as progress:
        predicted = predicted_edge(
            loaded, vary, target, found.value, lambda n: progress(min(n / EVALUATIONS, 1.0))
        )
    if json:
        _print_json(vary, target, found, predicted)
    else:
        _print_table(vary, target, found, predicted)


def _print_table(vary: str, target: float, found: Critical, predicted: Predicted) -> None:
    from gradlab.report.tables import Table
    from gradlab.report.terminal import console, print_table
    from gradlab.report.words import plain, signed

    rows = (
        (f"{vary} at growth rate {target:g}", plain(found.value)),
        ("its 95 % interval", f"{plain(found.low)} to {plain(found.high)}"),
        ("growth rate there changes by", f"{signed(found.slope)} nats per step per unit"),
        *_predictions(predicted),
        ("runs", f"{len(found.measured)}"),
    )
    notes = (f"no prediction: {predicted.reason}",) if predicted.reason else ()
    print_table(Table("The edge", ("", "value"), rows, notes), console())


def _predictions(predicted: Predicted) -> list[tuple[str, str]]:
    from gradlab.report.words import plain

    values = {
        f"predicted: {predicted.kind}, infinite width": predicted.infinite,
        f"predicted: {predicted.kind}, at width, one sequence": predicted.at_width,
        "predicted: zero state, closed form": predicted.at_rest,
    }
    return [(name, plain(value)) for name, value in values.items() if value is not None]


def _print_json(vary: str, target: float, found: Critical, predicted: Predicted) -> None:
    import json
    import math
    from dataclasses import asdict

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    numbers = {name: finite(getattr(found, name)) for name in ("value", "low", "high", "slope")}
    runs = [{k: finite(v) for k, v in asdict(one).items()} for one in found.measured]
    theory = {
        "theory": predicted.infinite,
        "theory_at_width": predicted.at_width,
        "theory_at_rest": predicted.at_rest,
        "theory_kind": predicted.kind or None,
        "theory_reason": predicted.reason,
    }
    typer.echo(
        json.dumps({"vary": vary, "target": target, **numbers, **theory, "runs": runs}, indent=2)
    )
