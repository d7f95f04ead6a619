"""From a config to what is to be computed: sizes settled, files read.

What is computed is a `Spec` (gradlab.spec): numbers and arrays, no config.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import FILE, find
from gradlab.config import Config, settings, validated
from gradlab.config.sections import Init, Spectrum
from gradlab.errors import GradlabError, about, at
from gradlab.fitting import check, topology
from gradlab.given import state
from gradlab.identity import describe
from gradlab.initial import Drawn
from gradlab.inputs import Inputs
from gradlab.machine import room
from gradlab.sequences.recording import Recording
from gradlab.sequences.text import Text
from gradlab.sources import given_inputs
from gradlab.spec import Cut, Spec, Start
from gradlab.trained import trained

if TYPE_CHECKING:
    from gradlab.lessons.lesson import Training

DEFAULT_HIDDEN_SIZE = 64
SPLIT_STEPS, SPLIT_WORK = 2_000, 20_000  # the split by lag: steps, and steps times loss terms
GATES_WORK = 5e7  # counted values of gates: 0.3 to 0.5 s
# products and exponents: members times steps times D^3 and what a step of any size takes; seconds
SPECTRA_WORK, SPECTRA_STEP = 4e9, 50_000
MOST_ROWS = 10_000  # of steps.csv for one seed, unless record_every says otherwise
PART = 20_000  # bytes that a layer of the network takes at least, beside its weights
LISTED = 100  # bytes of a step that is listed: a row, or one where the loss enters
# bytes that python itself takes, and more: to ask the system about as little takes longer than all
# else that is done for a point of a sweep
LITTLE = 2**24


def settle(config: Config, alone: bool = True) -> tuple[Config, Spec]:
    """The config with every size filled in, and its Spec. alone: it is no point of a sweep.

    Raises GradlabError, with the config's key, for files that are missing or do not fit.
    """
    if config.train is not None:  # what a training needs is loaded for one
        from gradlab.lessons.settling import lesson, refuse_untrained

        refuse_untrained(config)
    init, config = trained(config) if config.init.file is not None else _drawn(config)
    cell = find(config.cell.type)
    given, config = given_inputs(config)
    config = _again(config) if config.init.file or given is not None else config
    training, config = (None, config) if config.train is None else lesson(config, config.train)
    H = config.hidden_size or DEFAULT_HIDDEN_SIZE
    I = config.input_size or H
    shifted = I  # the width of an output that is the next input, or its class
    if given is not None and config.loss.type == "cross_entropy":
        shifted = given.classes
    check(config, H, I, shifted)
    T, B = config.seq_len, config.batch_size
    every = config.record_every
    every = -(-(T + 1) // MOST_ROWS) if every == "auto" else every
    shape = topology(config)
    n = shape.stride
    _check_lists(config, T // n, max(every // n, 1))
    D = len(cell.STATE) * H * (1 if shape.chained else shape.layers)
    config = config.model_copy(
        update={
            "init": _compared(config.init, alone and training is None),
            "hidden_size": H,
            "input_size": I,
            "record_every": every,
            "spectrum": _spectrum(config, D, T // n, alone),
            "gate_histogram": _gates_counted(config, H, alone),
        }
    )
    described, identity = describe(config)
    entries = _loss_steps(config.loss.at, T, n)
    cut = Cut(max(config.truncate.steps // n, 1), config.truncate.mode) if config.truncate else None
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
        inputs=_inputs(config, I, given) if training is None else _of_task(config, training, I),
        start=_start(config, H),
        loss=config.loss.type,
        loss_value=config.loss.value,
        loss_steps=entries,
        targets=config.loss.targets,
        outputs=config.loss.outputs or (shifted if config.loss.targets == "shifted" else I),
        truncate=cut,
        lag_split=_splits(config, len(entries)),
        weight_gradients=config.weight_gradients == "all",
        clip=(config.clip.threshold, config.clip.by) if config.clip else None,
        checkpoint=config.checkpoint,
        values=keep,
        spectra=frozenset(
            name for name in ("step", "product", "lyapunov") if getattr(config.spectrum, name)
        ),
        largest=frozenset(
            name for name in ("step", "product") if getattr(config.spectrum, name) == "largest"
        ),
        every=config.spectrum.every,
        sequences=config.spectrum.sequences,
        gate_histogram=config.gate_histogram is True,
        theory=config.theory,
        compare=config.init.compare is True,
        seeds=config.members,
        rows=_rows(T // n, max(every // n, 1), entries, config.bidirectional),
        dtype=np.dtype(config.dtype),
        generator=config.generator,
        config=described,
        identity=identity,
        train=training,
    )
    return config, spec


def _drawn(config: Config) -> tuple[Drawn, Config]:
    """What weights are drawn, and the config with how many bias vectors there are."""
    cell, init = find(config.cell.type), config.init
    options = cell.Options(**config.cell.options())
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


def _compared(init: Init, alone: bool) -> Init:
    """What `auto` comes to: a run of trained weights is compared, a point of a sweep is not."""
    if init.file is None:
        return init
    if init.compare is True and not alone:
        why = "init.compare: true is for a run, not for the points of a sweep"
        raise at(("init", "compare"), f"{why}; remove it, or set it to false")
    compare = alone if init.compare == "auto" else init.compare
    return init.model_copy(update={"compare": compare})


def _inputs(config: Config, I: int, given: Recording | Text | None) -> Inputs:
    options = config.inputs.options()
    parameter = options.get("std", options.get("value", 1.0))
    return Inputs(config.inputs.type, I, config.batch_size, config.seq_len, parameter, given)


def _of_task(config: Config, training: Training, I: int) -> Inputs:
    """Inputs that only have their sizes: each update has a batch of its own."""
    return Inputs(training.kind, I, config.batch_size, config.seq_len)


def _start(config: Config, H: int) -> Start:
    kind, options = config.initial_state.type, config.initial_state.options()
    if kind == "file":
        with about("initial_state", "path"):
            parts = find(config.cell.type).STATE
            return Start(kind, given=state(Path(options["path"]), parts, config.batch_size, H))
    return Start(kind, options.get("std", 1.0))


def _check_lists(config: Config, steps: int, every: int) -> None:
    """Raises GradlabError where already a list of the steps, or layers, would not fit in memory."""
    H = config.hidden_size or DEFAULT_HIDDEN_SIZE
    for key, parts in (("layers", config.layers), ("block", config.block or 1)):
        if parts > 1:
            why = f"{key}: {parts} with hidden_size {H}"
            change = f"use a smaller number of {key} or a smaller hidden_size"
            _room(parts * (PART + 8 * H**2), why, change, key)
    if config.loss.at == "all":
        why = f"a loss at all of {steps} steps"
        _room(LISTED * steps, why, "use a smaller seq_len or fewer steps in loss.at", "loss")
    rows = steps // every
    change = "use a larger record_every or a smaller seq_len"
    _room(LISTED * rows, f"a record of {rows} steps", change, "record_every")


def _room(needed: int, why: str, change: str, key: str) -> None:
    """Raises GradlabError where so many bytes are more than a little, and more than there are."""
    if needed > LITTLE:
        room(needed, why, change, key)


def _loss_steps(steps: str | tuple[int, ...], T: int, stride: int) -> tuple[int, ...]:
    """Steps of the network."""
    if steps == "all":
        return tuple(range(1, T // stride + 1))
    return tuple(sorted(t // stride for t in ([T] if isinstance(steps, str) else steps)))


def _rows(steps: int, every: int, entries: tuple[int, ...], both: bool) -> NDArray[np.int64]:
    """The recorded steps: every n-th, the first, the last, and where the gradient sets out."""
    ends = {0, entries[-1]} | ({steps + 1 - entries[0]} if both else set())
    return np.unique(np.concatenate((np.arange(steps, -1, -every), [*ends]))).astype(np.int64)


def _again(config: Config) -> Config:
    """Sizes that came from a file, held against the rest of the config."""
    found = validated(settings(config), os.getcwd())
    if isinstance(found, Config):
        return found
    raise GradlabError(*found)


def _spectrum(config: Config, D: int, steps: int, alone: bool) -> Spectrum:
    """What `auto` comes to. A sweep keeps a number or two of each point, so there it is no."""
    spectrum = config.spectrum
    work = len(config.members) * spectrum.sequences * (1 + config.bidirectional) * steps
    work *= D**3 + SPECTRA_STEP
    cheap = alone and work <= SPECTRA_WORK and not config.cell.type.endswith(FILE)
    found = {name: getattr(spectrum, name) for name in ("product", "lyapunov")}
    settled = {name: cheap if value == "auto" else value for name, value in found.items()}
    return spectrum.model_copy(update=settled)


def _gates_counted(config: Config, H: int, alone: bool) -> bool:
    """What `auto` comes to. A user's own cell does not say which of its numbers are gates."""
    cell = config.cell.type
    if cell.endswith(FILE):
        if config.gate_histogram is True:
            why = "is about gates, and an own cell does not say what its gates are"
            raise at(("gate_histogram",), f"gate_histogram: true {why}; remove it")
        return False
    if config.gate_histogram != "auto":
        return config.gate_histogram
    units = config.layers * (1 + config.bidirectional) * max(len(find(cell).PACKED), 1) * H
    return alone and len(config.members) * config.seq_len * config.batch_size * units <= GATES_WORK


def _splits(config: Config, entries: int) -> bool:
    """Whether the gradient is split by lag: of weights that lags share, and without a step clip."""
    possible = config.tied and not (config.clip and config.clip.by == "step_norm")
    if topology(config).chained:
        if config.lag_split == "all":
            why = "lag_split: all is not for layers with bidirectional: a lower layer's steps"
            raise at(("lag_split",), f"{why} lie on both sides of the loss; remove it")
        return False
    if config.weight_gradients == "none":
        return False
    if config.lag_split == "auto":
        return possible and config.seq_len <= SPLIT_STEPS and config.seq_len * entries <= SPLIT_WORK
    if config.lag_split == "all" and not possible:
        raise at(
            ("lag_split",),
            "lag_split: all needs weights that steps share, and no clip by step_norm; remove it",
        )
    return config.lag_split == "all"
