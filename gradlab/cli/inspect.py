"""gradlab inspect"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.cli.options import Json

if TYPE_CHECKING:
    from gradlab.weights.layer import RecurrentLayer
    from gradlab.weights.recognise import Recognised


def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="MODEL_FILE", help="A weights file.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Tell which recurrent layers a weights file has; exit code 1 where there is none."""
    from gradlab.errors import GradlabError
    from gradlab.trained import nothing
    from gradlab.weights import recurrent

    found = recurrent(file)
    if json:
        _print_json(file, found)
    if not found.layers:
        why = [f"{file.name}: {reason}" for reason in found.others.values()]
        raise GradlabError(*(why or [nothing(found, file.name)]), exit_code=1)
    if not json:
        _print_tables(file, found)


def _config(file: Path, layer: RecurrentLayer, alone: bool) -> dict[str, Any]:
    """What to write into a config in the working folder; the cell where it had to be supposed."""
    path = f"./{file}" if str(file).startswith("~") else str(file)
    cell: dict[str, Any] = {"cell": layer.cell} if layer.note else {}
    return {**cell, "init": {"file": path, **({} if alone else {"prefix": layer.prefix})}}


def _alone(found: Recognised) -> bool:
    return len(found.layers) + len(found.others) == 1


def _print_tables(file: Path, found: Recognised) -> None:
    from rich.text import Text

    from gradlab.analysis.blocks import blocks
    from gradlab.config.dump import in_one_line
    from gradlab.report import weights
    from gradlab.report.terminal import console, print_table

    out = console()
    print_table(weights.layers(found.layers), out)
    for layer in found.layers:
        out.print()
        print_table(weights.of_blocks(layer, blocks(layer)), out)
        if layer.note:
            out.print(Text(f"note: {layer.note}", style="yellow"))
    for reason in found.others.values():
        out.print(Text(f"not one that gradlab can run: {reason}", style="yellow"))
    out.print()
    for index, layer in enumerate(found.layers):
        lines = [in_one_line(k, v) for k, v in _config(file, layer, _alone(found)).items()]
        if index == 0:
            head = "# A config that runs" + (" the first one" if len(found.layers) > 1 else "")
            typer.echo("\n".join([f"{head}; seq_len: how many steps back to look", *lines]))
            typer.echo("seq_len: 100")
        else:
            typer.echo("\n".join(["# another one", *(f"# {line}" for line in lines)]))


def _print_json(file: Path, found: Recognised) -> None:
    import json
    from dataclasses import asdict

    from gradlab.analysis.blocks import blocks
    from gradlab.report.weights import parameters

    layers = [
        {
            "prefix": layer.prefix,
            "cell": layer.cell,
            "options": dict(layer.options),
            "hidden_size": layer.hidden_size,
            "input_size": layer.input_size,
            "layers": layer.layers,
            "bidirectional": layer.bidirectional,
            "parameters": parameters(layer),
            "note": layer.note,
            "blocks": [
                asdict(block) | {"bias": block.bias and block.bias._asdict()}
                for block in blocks(layer)
            ],
            "config": _config(file, layer, _alone(found)),
        }
        for layer in found.layers
    ]
    others = [{"prefix": prefix, "reason": reason} for prefix, reason in found.others.items()]
    typer.echo(json.dumps({"file": str(file), "layers": layers, "others": others}, indent=2))
