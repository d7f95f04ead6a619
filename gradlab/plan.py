"""From a config to what is to be computed: sizes settled, files read, and the identity of the
result.

What is computed is a `Spec` (gradlab.spec): numbers and arrays, no config.
"""

from __future__ import annotations

import hashlib
import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import FILE, find
from gradlab.cells.interface import Cell
from gradlab.config import PATHS, Config, holder, settings, validated
from gradlab.digest import sha256
from gradlab.errors import GradlabError, about, at
from gradlab.given import state
from gradlab.initial import Drawn, Loaded
from gradlab.inputs import Inputs
from gradlab.sequences.recording import Recording
from gradlab.sequences.text import Text
from gradlab.sources import given_inputs
from gradlab.spec import Cut, Spec, Start, Topology
from gradlab.weights import cell_tensors

DEFAULT_HIDDEN_SIZE = 64
SPLIT_STEPS, SPLIT_WORK = 2_000, 20_000  # the split by lag: steps, and steps times loss terms
SYMBOLS = ("onehot", "file", "text")  # inputs of which the next one may be a class
MOST_ROWS = 10_000  # of steps.csv for one seed, unless record_every says otherwise


def settle(config: Config) -> tuple[Config, Spec]:
    """The config with every size filled in, and its Spec.

    Raises GradlabError, with the config's key, for files that are missing or do not fit.
    """
    cell = find(config.cell.type)
    init, config = _init(config)
    given, config = given_inputs(config)
    config = _again(config) if config.init.file or given is not None else config
    H = config.hidden_size or DEFAULT_HIDDEN_SIZE
    I = config.input_size or H
    shifted = I  # the width of an output that is the next input, or its class
    if given is not None and config.loss.type == "cross_entropy":
        shifted = given.classes
    _fits(config, H, I, shifted)
    T, B = config.seq_len, config.batch_size
    every = config.record_every
    every = -(-(T + 1) // MOST_ROWS) if every == "auto" else every
    config = config.model_copy(update={"hidden_size": H, "input_size": I, "record_every": every})
    described, identity = describe(config)
    shape = _topology(config)
    n = shape.stride
    entries = _loss_steps(config.loss.at, T, n)
    cut = Cut(max(config.truncate.steps // n, 1), config.truncate.mode) if config.truncate else None
    D = len(cell.STATE) * H * (1 if shape.chained else shape.layers)
    keep = D if config.spectrum.values == "all" else min(config.spectrum.values, D)
    spec = Spec(
        cell=config.cell.type,
        options=config.cell.options(),
        H=H,
        I=I,
        B=B,
        T=T,
        topology=shape,
        weight_scale=config.weight_scale,
        init=init,
        inputs=_inputs(config, I, given),
        start=_start(config, H),
        loss=config.loss.type,
        loss_value=config.loss.value,
        loss_steps=entries,
        targets=config.loss.targets,
        outputs=config.loss.outputs or (shifted if config.loss.targets == "shifted" else I),
        truncate=cut,
        lag_split=_splits(config, len(entries)),
        clip=(config.clip.threshold, config.clip.by) if config.clip else None,
        checkpoint=config.checkpoint,
        values=keep,
        spectra=frozenset(
            name for name in ("step", "product", "lyapunov") if getattr(config.spectrum, name)
        ),
        every=config.spectrum.every,
        sequences=config.spectrum.sequences,
        theory=config.theory,
        seeds=config.members,
        rows=_rows(T // n, max(every // n, 1), entries, config.bidirectional),
        dtype=np.dtype(config.dtype),
        generator=config.generator,
        config=described,
        identity=identity,
    )
    return config, spec


def describe(config: Config) -> tuple[dict[str, Any], str]:
    """What determines the numbers of a settled config, as plain data, and its SHA-256.

    Left out: the name, the figures, and `checkpoint`, which does not change a bit. Files are told
    by their names and the digests of their contents, not by where they lie.
    """
    data = config.model_dump(mode="json", exclude={"name", "figures", "checkpoint"})
    data["seeds"] = list(config.members)
    anonymous = deepcopy(data)
    for key in (("cell", "type"), *PATHS):  # the type of a user's own cell
        told, plain = holder(data, key), holder(anonymous, key)
        path = told.get(key[-1])
        if path is None or (key[0] == "cell" and not path.endswith(FILE)):
            continue
        digest = "vocabulary_sha256" if key[-1] == "vocabulary" else "sha256"
        told |= {key[-1]: Path(path).name, digest: sha256(Path(path))}
        plain |= {digest: told[digest]}
        del plain[key[-1]]
    text = json.dumps(anonymous, sort_keys=True)
    return data, hashlib.sha256(text.encode()).hexdigest()


def _init(config: Config) -> tuple[Drawn | Loaded, Config]:
    cell, init = find(config.cell.type), config.init
    options = cell.Options(**config.cell.options())
    if init.file is not None:
        with about("init", "file"):
            tensors, H, I = cell_tensors(Path(init.file), init.prefix, cell, options)
        for key, size in (("hidden_size", H), ("input_size", I)):
            if getattr(config, key) not in (None, size):
                raise at(
                    (key,),
                    f"{key} is {getattr(config, key)}, but the weights file has {size}; remove it",
                )
        return Loaded(tensors), config.model_copy(update={"hidden_size": H, "input_size": I})
    if init.forget_bias and cell.KEEPS is None:
        raise at(
            ("init", "forget_bias"),
            f"cell {config.cell.type!r} has no gate that keeps the state: remove forget_bias",
        )
    biases = cell.BIASES if init.biases is None else init.biases
    if biases == 2 and cell.BIASES < 2 and "bias_hh" not in cell.shapes(1, 1, 2, options):
        raise at(
            ("init", "biases"), f"cell {config.cell.type!r} has one bias vector at most; remove it"
        )
    if biases == 0 and (init.bias or init.forget_bias):
        raise at(
            ("init", "biases"), "biases: 0 leaves no place for bias and forget_bias; remove them"
        )
    drawn = Drawn(init.recurrent, init.input, init.bias, init.forget_bias, init.input_scale, biases)
    return drawn, config.model_copy(update={"init": init.model_copy(update={"biases": biases})})


def _inputs(config: Config, I: int, given: Recording | Text | None) -> Inputs:
    options = config.inputs.options()
    parameter = options.get("std", options.get("value", 1.0))
    return Inputs(config.inputs.type, I, config.batch_size, config.seq_len, parameter, given)


def _start(config: Config, H: int) -> Start:
    kind, options = config.initial_state.type, config.initial_state.options()
    if kind == "file":
        with about("initial_state", "path"):
            parts = find(config.cell.type).STATE
            return Start(kind, given=state(Path(options["path"]), parts, config.batch_size, H))
    return Start(kind, options.get("std", 1.0))


def _loss_steps(steps: str | tuple[int, ...], T: int, stride: int) -> tuple[int, ...]:
    """Steps of the network."""
    if steps == "all":
        return tuple(range(1, T // stride + 1))
    return tuple(sorted(t // stride for t in ([T] if isinstance(steps, str) else steps)))


def _rows(steps: int, every: int, entries: tuple[int, ...], both: bool) -> NDArray[np.int64]:
    """The recorded steps: every n-th, the first, the last, and where the gradient sets out."""
    ends = {0, entries[-1]} | ({steps + 1 - entries[0]} if both else set())
    return np.array(sorted({*range(steps, -1, -every), *ends}), np.int64)


def _again(config: Config) -> Config:
    """Sizes that came from a file, held against the rest of the config."""
    found = validated(settings(config), os.getcwd())
    if isinstance(found, Config):
        return found
    raise GradlabError(*found)


def _topology(config: Config) -> Topology:
    phases = config.encoder_decoder
    return Topology(
        config.layers,
        config.residual,
        config.tied,
        config.block,
        config.bidirectional,
        (phases.encoder, phases.decoder) if phases else (),
    )


def _splits(config: Config, entries: int) -> bool:
    """Whether the gradient is split by lag: of weights that lags share, and without a step clip."""
    possible = config.tied and not (config.clip and config.clip.by == "step_norm")
    if _topology(config).chained:
        if config.lag_split == "all":
            why = "lag_split: all is not for layers with bidirectional: a lower layer's steps"
            raise at(("lag_split",), f"{why} lie on both sides of the loss; remove it")
        return False
    if config.lag_split == "auto":
        return possible and config.seq_len <= SPLIT_STEPS and config.seq_len * entries <= SPLIT_WORK
    if config.lag_split == "all" and not possible:
        raise at(
            ("lag_split",),
            "lag_split: all needs weights that steps share, and no clip by step_norm; remove it",
        )
    return config.lag_split == "all"


def _reads_both(cell: Cell, H: int, options: Any) -> None:
    """Raises GradlabError where a cell cannot read the outputs of two directions, 2 H wide."""
    try:
        cell.shapes(H, 2 * H, 0, options)
    except ValueError as error:
        why = "with bidirectional makes inputs of 2 hidden_size for the second layer, but"
        raise at(("layers",), f"layers {why} {error}; remove layers or bidirectional") from error


def _fits(config: Config, H: int, I: int, shifted: int) -> None:
    """Raises GradlabError where the cell, the sizes and the network do not go together."""
    cell, shape = find(config.cell.type), _topology(config)
    options = cell.Options(**config.cell.options())
    try:
        cell.shapes(H, I, 0, options)
        if shape.chained:
            _reads_both(cell, H, options)
        elif shape.layers > 1:
            cell.shapes(H, H, 0, options)
    except GradlabError:  # an own cell says itself what is wrong
        raise
    except ValueError as error:
        raise at(("input_size",), f"{error}; for the cell {config.cell.type!r}") from error
    stacked = shape.layers > 1 and not shape.chained
    if stacked and config.cell.type.endswith(FILE) and H != I:
        raise at(("input_size",), "layers of an own cell need inputs as wide as hidden_size")
    if shape.block and cell.max_slope(options) is None:
        raise at(
            ("block",),
            "a residual block needs a cell that is one nonlinearity around a product: rnn, linear",
        )
    if config.init.file is not None and shape != Topology(residual=shape.residual):
        raise at(("init", "file"), "holds one layer's weights; with this network they are drawn")
    if shape.block and config.truncate and config.truncate.steps % shape.block:
        why = f"truncate.steps is {config.truncate.steps}, which is no multiple of block"
        raise at(("truncate", "steps"), f"{why}, {shape.block}")
    sliding = config.truncate is not None and config.truncate.mode == "sliding"
    if sliding and config.clip is not None and config.clip.by == "step_norm":
        why = "sliding cannot be combined with a clip by step_norm; use mode: chunked"
        raise at(("truncate", "mode"), f"truncate.mode {why}")
    if config.loss.type != "upstream" and config.loss.targets == "shifted":
        if config.loss.outputs not in (None, shifted):
            what = "inputs" if shifted == I else "symbols"
            why = (
                f"loss.outputs is {config.loss.outputs}, but shifted targets are {what}: {shifted}"
            )
            raise at(("loss", "outputs"), f"{why}; remove it")
        if config.loss.type == "cross_entropy" and config.inputs.type not in SYMBOLS:
            why = "shifted targets of cross_entropy are classes, the next symbol"
            raise at(("loss", "targets"), f"{why}; use inputs: onehot, a text, or a file of such")
        if shape.stride > 1:
            raise at(("loss", "targets"), "shifted targets need a target at every step: no block")
