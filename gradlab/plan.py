"""From a config to what is to be computed: sizes settled, files read, and the identity of the
result.

Below this layer there are numbers and arrays, no config.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import FILE, find
from gradlab.config import Config
from gradlab.draws import GeneratorName
from gradlab.errors import GradlabError, at
from gradlab.given import sequences, state
from gradlab.initial import Drawn, Loaded
from gradlab.inputs import Inputs
from gradlab.nonlinearity import Array
from gradlab.weights import cell_tensors

DEFAULT_HIDDEN_SIZE = 64
MOST_ROWS = 10_000  # of steps.csv for one seed, unless record_every says otherwise


@dataclass(frozen=True)
class Start:
    """The initial state: `kind` zeros, normal (std) or file (`given`, (D, B))."""

    kind: str
    std: float = 1.0
    given: Array | None = None


@dataclass(frozen=True)
class Spec:
    """One experiment in plain numbers and arrays: what `runner.run` computes."""

    cell: str
    options: dict[str, Any]
    H: int
    I: int
    B: int
    T: int
    weight_scale: float
    init: Drawn | Loaded
    inputs: Inputs
    start: Start
    loss: str
    loss_value: str
    loss_steps: frozenset[int] | range
    clip: tuple[float, str] | None  # threshold, by
    checkpoint: int | Literal["auto", "none"]
    values: int  # singular values kept of a step; 0: none are computed
    sequences: int
    seeds: tuple[int, ...]
    rows: NDArray[np.int64]
    dtype: np.dtype[Any]
    generator: GeneratorName
    config: dict[str, Any]  # as it goes into the record
    identity: str

    @property
    def shape(self) -> tuple[Any, ...]:
        """What experiments must share to be computed together."""
        return (
            (self.cell, tuple(sorted(self.options.items())), self.H, self.I, self.B, self.T),
            (self.loss, tuple(self.loss_steps), self.values, self.sequences, tuple(self.rows)),
            (self.dtype.name, self.checkpoint, self.tensors),
            self.clip is not None and self.clip[1] == "step_norm",
        )

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the network's tensors."""
        biases = self.init.biases if isinstance(self.init, Drawn) else 2
        cell = find(self.cell)
        names = cell.shapes(self.H, self.I, biases, cell.Options(**self.options))
        present = self.init.tensors if isinstance(self.init, Loaded) else names
        return tuple(name for name in names if name in present)


def settle(config: Config) -> tuple[Config, Spec]:
    """The config with every size filled in, and its Spec.

    Raises GradlabError, with the config's key, for files that are missing or do not fit.
    """
    cell = find(config.cell.type)
    init, config = _init(config)
    sequences, config = _sequences(config)
    H = config.hidden_size or DEFAULT_HIDDEN_SIZE
    I = config.input_size or H
    T, B = config.seq_len, config.batch_size
    every = config.record_every
    every = -(-(T + 1) // MOST_ROWS) if every == "auto" else every
    config = config.model_copy(update={"hidden_size": H, "input_size": I, "record_every": every})
    described, identity = describe(config)
    D = len(cell.STATE) * H
    keep = D if config.spectrum.values == "all" else min(config.spectrum.values, D)
    spec = Spec(
        cell=config.cell.type,
        options=config.cell.options(),
        H=H,
        I=I,
        B=B,
        T=T,
        weight_scale=config.weight_scale,
        init=init,
        inputs=_inputs(config, I, sequences),
        start=_start(config, H),
        loss=config.loss.type,
        loss_value=config.loss.value,
        loss_steps=_loss_steps(config.loss.at, T),
        clip=(config.clip.threshold, config.clip.by) if config.clip else None,
        checkpoint=config.checkpoint,
        values=keep if config.spectrum.step else 0,
        sequences=config.spectrum.sequences,
        seeds=config.members,
        rows=np.unique(np.append(np.arange(T, -1, -every), 0)),
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
    for section, key in _FILE_KEYS:
        path = data[section].get(key)
        if path is not None and (section != "cell" or path.endswith(FILE)):
            data[section][key] = Path(path).name
            data[section]["sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    anonymous = {
        section: {
            k: v
            for k, v in value.items()
            if "sha256" not in value or (section, k) not in _FILE_KEYS
        }
        if isinstance(value, dict)
        else value
        for section, value in data.items()
    }
    text = json.dumps(anonymous, sort_keys=True)
    return data, hashlib.sha256(text.encode()).hexdigest()


_FILE_KEYS = (
    ("cell", "type"),  # of a user's own cell
    ("init", "file"),
    ("inputs", "path"),
    ("initial_state", "path"),
)


@contextmanager
def _about(*key: str | int) -> Iterator[None]:
    """Errors raised inside are about this key of the config."""
    try:
        yield
    except GradlabError as error:
        raise GradlabError(*(replace(p, key=key) for p in error.problems)) from error


def _init(config: Config) -> tuple[Drawn | Loaded, Config]:
    cell, init = find(config.cell.type), config.init
    options = cell.Options(**config.cell.options())
    if init.file is not None:
        with _about("init", "file"):
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
    if biases == 0 and (init.bias or init.forget_bias):
        raise at(
            ("init", "biases"), "biases: 0 leaves no place for bias and forget_bias; remove them"
        )
    drawn = Drawn(init.recurrent, init.input, init.bias, init.forget_bias, init.input_scale, biases)
    return drawn, config.model_copy(update={"init": init.model_copy(update={"biases": biases})})


def _sequences(config: Config) -> tuple[Array | None, Config]:
    """Given inputs (T, I, B), and the config with their sizes where none were given."""
    if config.inputs.type != "file":
        return None, config
    with _about("inputs", "path"):
        given = sequences(Path(config.inputs.options()["path"]))
    there = dict(zip(("seq_len", "input_size", "batch_size"), given.shape, strict=True))
    wanted = {key: getattr(config, key) for key in there if key in config.model_fields_set}
    if config.input_size is not None:  # it may come from a weights file
        wanted["input_size"] = config.input_size
    for key, size in wanted.items():
        if size > there[key] or (key == "input_size" and size != there[key]):
            raise at((key,), f"{key} is {size}, but the inputs file has {there[key]}")
    config = config.model_copy(update={key: wanted.get(key, size) for key, size in there.items()})
    return given[: config.seq_len, :, : config.batch_size], config


def _inputs(config: Config, I: int, given: Array | None) -> Inputs:
    options = config.inputs.options()
    parameter = options.get("std", options.get("value", 1.0))
    return Inputs(config.inputs.type, I, config.batch_size, config.seq_len, parameter, given)


def _start(config: Config, H: int) -> Start:
    kind, options = config.initial_state.type, config.initial_state.options()
    if kind == "file":
        with _about("initial_state", "path"):
            parts = find(config.cell.type).STATE
            return Start(kind, given=state(Path(options["path"]), parts, config.batch_size, H))
    return Start(kind, options.get("std", 1.0))


def _loss_steps(steps: str | tuple[int, ...], T: int) -> frozenset[int] | range:
    if steps == "all":
        return range(1, T + 1)
    return frozenset([T] if isinstance(steps, str) else steps)
