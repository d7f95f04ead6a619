"""The network that a weights file holds: what the config leaves out comes from the file, what it
gives must agree with the file.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.cells import FILE, find
from gradlab.config import RECOGNISED, Config, named
from gradlab.errors import GradlabError, about, at
from gradlab.initial import Loaded
from gradlab.nonlinearity import Array
from gradlab.weights import cell_tensors, recurrent
from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.recognise import Recognised

MOST = 8  # tensors or layers that a message names


def trained(config: Config) -> tuple[Loaded, Config]:
    """The weights of init.file, and the config with the cell, its sizes, layers and directions.

    Raises GradlabError, with the config's key, where the file cannot be read, does not tell which
    layer is meant, or does not agree with the config.
    """
    path = Path(str(config.init.file))
    _same_at_every_step(config)
    with about("init", "file"):
        found = recurrent(path)
    if config.cell is not RECOGNISED and not _recognisable(config):
        return _by_names(path, found, config)
    given = "prefix" in config.init.model_fields_set
    with about("init", "prefix" if given else "file"):
        layer = chosen(found, path.name, config.init.prefix if given else None)
    config = _agreeing(config, layer, path.name)
    return Loaded(*_by_direction(layer, config)), config


def chosen(found: Recognised, name: str, prefix: str | None) -> RecurrentLayer:
    """The layer of that prefix; without one, the only layer of the file.

    Raises GradlabError telling what there is.
    """
    layers = {layer.prefix: layer for layer in found.layers}
    if prefix is None and len(layers) + len(found.others) == 1:
        prefix = next(iter((*layers, *found.others)))
    if not (layers or found.others):
        raise GradlabError(nothing(found, name))
    if prefix is not None and prefix in layers:
        return layers[prefix]
    if prefix is not None and prefix in found.others:
        raise GradlabError(f"{name}: {found.others[prefix]}")
    each = [f"'{p}' ({layer.cell}, H={layer.hidden_size})" for p, layer in layers.items()]
    each += [f"'{p}' (none that gradlab can run)" for p in found.others]
    there = ", ".join(each[:MOST]) + (", ..." if len(each) > MOST else "")
    if prefix is None:
        raise GradlabError(f"{name} has {len(each)} recurrent layers; choose a prefix: {there}")
    near = difflib.get_close_matches(prefix, [*layers, *found.others], n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    raise GradlabError(
        f"{name} has no recurrent layer of the prefix '{prefix}'{hint}; it has {there}"
    )


def nothing(found: Recognised, name: str) -> str:
    """What a file holds that has no recurrent layer."""
    shapes = [f"{tensor} {shape}" for tensor, shape in found.shapes.items()]
    there = ", ".join(shapes[:MOST]) + (", ..." if len(shapes) > MOST else "")
    return (
        f"{name} has no recurrent layer: no names that end in weight_hh or weight_hh_l0; "
        f"it has {there or 'no arrays'}"
    )


def _same_at_every_step(config: Config) -> None:
    """Raises GradlabError for a network of which a file has not the weights."""
    wanted = {
        "tied": (not config.tied, "tied: false has weights of its own for every step"),
        "block": (config.block is not None, "block has a skip around several steps"),
        "encoder_decoder": (
            config.encoder_decoder is not None,
            "encoder_decoder has two sets of weights",
        ),
    }
    for key, (asked, what) in wanted.items():
        if asked:
            raise at((key,), f"{what}; those of init.file are one set, so remove {key} or init")


def _recognisable(config: Config) -> bool:
    """Whether the file's names and shapes tell the cell that the config names: a user's own, and
    one without recurrent weights, is known by the config alone.
    """
    return not config.cell.type.endswith(FILE) and bool(find(config.cell.type).GATES)


def _by_names(path: Path, found: Recognised, config: Config) -> tuple[Loaded, Config]:
    """One layer of a cell whose tensors are known by the names that the cell has for them."""
    cell, init = find(config.cell.type), config.init
    prefix = init.prefix
    if "prefix" not in init.model_fields_set and len(found.layers) == 1:
        prefix = found.layers[0].prefix
    if config.layers > 1 or config.bidirectional:
        key = "bidirectional" if config.bidirectional else "layers"
        why = f"{key}: weights of {Path(config.cell.type).name} from a file are of one layer"
        raise at((key,), f"{why} in one direction; remove it")
    with about("init", "file"):
        tensors, H, I = cell_tensors(path, prefix, cell, cell.Options(**config.cell.options()))
    sizes = {"hidden_size": H, "input_size": I}
    _same(config, sizes)
    chosen = init.model_copy(update={"prefix": prefix})
    return Loaded(tensors), config.model_copy(update={**sizes, "init": chosen})


def _agreeing(config: Config, layer: RecurrentLayer, name: str) -> Config:
    """The config with what the layer is. Raises GradlabError where it says something else."""
    sizes = {
        "hidden_size": layer.hidden_size,
        "input_size": layer.input_size,
        "layers": layer.layers,
        "bidirectional": layer.bidirectional,
    }
    kind = named(layer.cell, layer.options)
    if config.cell is not RECOGNISED:
        kind = _cell(config, layer, name)
    _same(config, sizes)
    init = config.init.model_copy(update={"prefix": layer.prefix})
    return config.model_copy(update={**sizes, "cell": kind, "init": init})


def _cell(config: Config, layer: RecurrentLayer, name: str) -> Any:
    """The config's cell, with the options that the file tells."""
    given, H = config.cell, layer.hidden_size
    blocks = len(layer.tensors["weight_hh_l0"]) // H
    if given.type != layer.cell:
        # the names of the tensors are the same, so that as many blocks of rows may be either
        if not layer.note or len(find(given.type).GATES) != blocks:
            raise at(
                ("cell",),
                f"cell is {given.type}, but {name} has {layer.cell} ({blocks} "
                f"block{'s' * (blocks > 1)} of {H} rows); remove cell",
            )
        return given
    for key, value in layer.options.items():
        if key in given.model_fields_set and getattr(given, key) != value:
            raise at(
                ("cell", key),
                f"cell.{key} is {_shown(getattr(given, key))}, but {name} has {_shown(value)}; "
                "remove it",
            )
    return named(layer.cell, given.options() | dict(layer.options))


def _same(config: Config, there: dict[str, Any]) -> None:
    """Raises GradlabError where the config gives one of these and the file has another."""
    for key, value in there.items():
        given = getattr(config, key)
        if key in config.model_fields_set and given not in (None, value):
            raise at(
                (key,),
                f"{key} is {_shown(given)}, but the weights file has {_shown(value)}; remove it",
            )


def _shown(value: Any) -> str:
    """As in a config."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _by_direction(
    layer: RecurrentLayer, config: Config
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The tensors of each direction, float64, under the names of the network and in its order; of
    one layer they have no suffix.
    """
    cell = find(config.cell.type)
    names = cell.shapes(
        layer.hidden_size, layer.input_size, 2, cell.Options(**config.cell.options())
    )
    found: list[dict[str, Array]] = []
    for end in ("", "_reverse"):
        own = {f"{name}_l{k}": f"_l{k}" for k in range(layer.layers) for name in names}
        found.append(
            {
                full if layer.layers > 1 else full.removesuffix(suffix): np.asarray(
                    layer.tensors[full + end], np.float64
                )
                for full, suffix in own.items()
                if full + end in layer.tensors
            }
        )
    return found[0], found[1]
