"""gradlab critical"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gradlab.cli.options import Config, Json

if TYPE_CHECKING:
    from gradlab.critical import Critical


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
) -> None:
    """Find the value of a key at which the gradient neither vanishes nor explodes."""
    from gradlab.config import load
    from gradlab.critical import edge, theory

    loaded = load(config, overrides or [])
    found, predicted = edge(loaded, vary, target), theory(loaded.config, vary, target)
    if json:
        _print_json(vary, target, found, predicted)
    else:
        _print_table(vary, target, found, predicted)


def _print_table(vary: str, target: float, found: Critical, predicted: float | None) -> None:
    from gradlab.report.tables import Table
    from gradlab.report.terminal import console, print_table
    from gradlab.report.words import plain, signed

    rows = (
        (f"{vary} at growth rate {target:g}", plain(found.value)),
        ("its 95 % interval", f"{plain(found.low)} to {plain(found.high)}"),
        ("growth rate there changes by", f"{signed(found.slope)} nats per step per unit"),
        ("mean field, infinite width (docs/theory.md)", plain(predicted) if predicted else "-"),
        ("runs", f"{len(found.measured)}"),
    )
    print_table(Table("The edge", ("", "value"), rows), console())


def _print_json(vary: str, target: float, found: Critical, predicted: float | None) -> None:
    import json
    import math
    from dataclasses import asdict

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    numbers = {name: finite(getattr(found, name)) for name in ("value", "low", "high", "slope")}
    runs = [{k: finite(v) for k, v in asdict(one).items()} for one in found.measured]
    typer.echo(
        json.dumps(
            {"vary": vary, "target": target, **numbers, "theory": predicted, "runs": runs}, indent=2
        )
    )
