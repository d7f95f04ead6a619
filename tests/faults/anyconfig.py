"""Strategies for configs: one for every key that the models have, sizes tiny, values extreme.

The table is held against the models by a test, so that a new key, kind or option cannot be
forgotten. A key that is not in the models (yet) is passed over.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st
from pydantic import BaseModel

from gradlab.cells import CELLS
from gradlab.config import Config
from gradlab.config.kinds import CELL_KINDS, INPUT_KINDS, STATE_KINDS
from gradlab.config.sections import (
    OF_FILE,
    Clip,
    Embedding,
    Figures,
    Init,
    Loss,
    Phases,
    Spectrum,
    Truncate,
)
from gradlab.config.train_kinds import OPTIMIZER_KINDS, TASK_KINDS
from gradlab.config.training import StopWhen, Train
from gradlab.engine.loss import LOSSES
from gradlab.initial import INITS

Strategy = st.SearchStrategy[Any]
Table = dict[str, Strategy]

H, I, B, T = 3, 2, 2, 6  # of the files
EXTREME = st.sampled_from([0, 1, -1, 1e-300, 1e300, -1e300, 0.5, 3, 1e-12, 20.0])
REAL = EXTREME | st.floats(-4, 4)
NOT_NEGATIVE = st.sampled_from([0, 1e-300, 1e300, 1e154, 30.0]) | st.floats(0, 4)
SIZE = st.integers(1, 4)
STEP = st.integers(1, T)
FLAG = st.booleans()
OWN_CELL = """
import numpy as np


def step(p, s, x):
    return np.tanh(p.weight_hh @ s + p.weight_ih @ x)
"""


def some(model: type[BaseModel], table: Table, **given: Any) -> Strategy:
    """A mapping with any keys of the model but those that are given."""
    known = {key: table[key] for key in model.model_fields if key in table and key not in given}
    fixed = {key: st.just(value) for key, value in given.items()}
    return st.fixed_dictionaries(fixed, optional=known)


INIT: Table = {
    "recurrent": st.sampled_from(list(INITS)),
    "input": st.sampled_from(list(INITS)),
    "bias": REAL,
    "forget_bias": REAL,
    "input_scale": REAL,
    "biases": st.integers(0, 2),
    "file": st.sampled_from(["rnn.npz", "lstm.npz", "torn.npz", "absent.npz"]),
    "prefix": st.sampled_from(["", "net."]),
    "compare": st.sampled_from(["auto", True, False]),
}
LOSS: Table = {
    "type": st.sampled_from(list(LOSSES)),
    "value": st.sampled_from(["ones", "normal", "unit"]),
    "at": st.sampled_from(["last", "all"]) | st.lists(STEP, min_size=1, max_size=3, unique=True),
    "targets": st.sampled_from(["random", "shifted"]),
    "outputs": SIZE,
}
CLIP: Table = {
    "threshold": st.sampled_from([1e-300, 1e300]) | st.floats(1e-3, 10),
    "by": st.sampled_from(["global_norm", "value", "step_norm"]),
}
TRUNCATE: Table = {"steps": STEP, "mode": st.sampled_from(["sliding", "chunked"])}
PHASES: Table = {"encoder": SIZE, "decoder": SIZE}
SPECTRUM: Table = {
    "step": FLAG | st.just("largest"),
    "product": FLAG | st.sampled_from(["auto", "largest"]),
    "lyapunov": FLAG | st.just("auto"),
    "values": SIZE | st.just("all"),
    "sequences": st.integers(1, 2),
    "every": SIZE,
}
FIGURES: Table = {"formats": st.just([]), "dpi": st.just(50)}
EMBEDDING: Table = {"file": st.just("embedding.npz"), "name": st.just("embedding.weight")}

# options of kinds, by their names: whatever kind has one
OPTIONS: Table = {
    "std": NOT_NEGATIVE,
    "value": REAL,
    "path": st.sampled_from(["x.npy", "x.csv", "long.npy", "text.txt", "state.npz", "absent"]),
    "cut": st.sampled_from(["random", "start"]),
    "level": st.sampled_from(["char", "word"]),
    "vocabulary": st.just("words.txt"),
    "max_words": SIZE,
    "embedding": some(Embedding, EMBEDDING),
    "activation": st.sampled_from(["tanh", "relu", "sigmoid"]),
    "peepholes": st.lists(st.sampled_from("ifo"), unique=True, max_size=3),
    "order": st.integers(1, 3),
    "alphabet": st.integers(1, 4),
    "length": st.integers(1, 3),
    "carry": FLAG,
    "momentum": st.sampled_from([0, 0.5, 1]),
    "beta1": st.sampled_from([0, 0.9, 1]),
    "beta2": st.sampled_from([0, 0.999]),
    "epsilon": st.sampled_from([1e-300, 1e-8, 1e300]),
}


def kinds(known: dict[str, type[BaseModel]]) -> Strategy:
    """A name, or a mapping with options of the kind."""
    whole = [some(model, OPTIONS, type=name) for name, model in known.items()]
    return st.sampled_from(list(known)) | st.one_of(whole)


def cells() -> Strategy:
    return kinds(CELL_KINDS) | st.just({"type": "own.py"})


STOP_WHEN: Table = {
    "loss": st.sampled_from([1e-300, 1, 1e300]),
    "accuracy": st.sampled_from([0.1, 1, 2]),
    "over": st.integers(1, 3),
}
TRAIN: Table = {
    "task": kinds(TASK_KINDS),
    "updates": st.integers(1, 4),
    "optimizer": kinds(OPTIMIZER_KINDS),
    "learning_rate": st.sampled_from([1e-300, 0.1, 10, 1e300]),
    "snapshot_every": st.integers(1, 5) | st.just("auto"),
    "stop_when": st.none() | some(StopWhen, STOP_WHEN),
    "nonfinite": st.sampled_from(["skip", "stop"]),
    "output_scale": st.sampled_from([1e-300, 1, 1e300]),
}

CONFIG: Table = {
    "name": st.sampled_from(["a", "1e3", "no", "grün", "~", "a b", "..", "x" * 101]),
    "cell": cells(),
    "layers": st.integers(1, 3),
    "tied": FLAG,
    "residual": FLAG,
    "block": st.integers(1, 3),
    "bidirectional": FLAG,
    "hidden_size": SIZE,
    "input_size": SIZE,
    "weight_scale": NOT_NEGATIVE,
    "init": st.sampled_from(list(INITS)) | some(Init, INIT),
    "seq_len": st.sampled_from([1, 2, 3, T]),
    "encoder_decoder": some(Phases, PHASES),
    "batch_size": st.integers(1, 3),
    "inputs": kinds(INPUT_KINDS),
    "initial_state": kinds(STATE_KINDS),
    "loss": st.sampled_from(list(LOSSES)) | some(Loss, LOSS),
    "clip": CLIP["threshold"] | some(Clip, CLIP),
    "truncate": STEP | some(Truncate, TRUNCATE),
    "train": some(Train, TRAIN),
    "weight_gradients": st.sampled_from(["all", "none"]),
    "lag_split": st.sampled_from(["auto", "all", "none"]),
    "checkpoint": st.sampled_from(["auto", "none", 1, 16]),
    "spectrum": st.just("none") | some(Spectrum, SPECTRUM),
    "gate_histogram": FLAG | st.just("auto"),
    "theory": st.sampled_from(["auto", "none"]),  # full takes seconds
    "seeds": st.integers(1, 2) | st.just([7]) | st.just([2**32 - 1, 0]),
    "record_every": SIZE | st.just("auto"),
    "dtype": st.sampled_from(["float64", "float32"]),
    "generator": st.sampled_from(["pcg64", "mt19937"]),
    "figures": st.just("none"),
    "expect": st.sampled_from(
        [
            {"verdict": "vanishing"},
            {"verdict": ["vanishing", "preserved"], "outcome": "ok"},
            {"growth_rate": {"min": -1, "of": "every"}},
            {"half_life": {"near": 3, "rel": 0.5}, "horizon": 7},
            {"grad_norm_h": [{"lag": 2, "min": 1e-3}, {"lag": 3, "max": 10, "of": "median"}]},
            {"sigma_max": {"max": 1e300}, "no_such_name": 1},
        ]
    ),
}
SMALL: dict[str, Any] = {"hidden_size": 3, "seq_len": 4, "batch_size": 2, "seeds": 2}
SMALL |= {"figures": "none", "cell": "rnn"}

TABLES: list[tuple[type[BaseModel], Table]] = [
    (Config, CONFIG),
    (Init, INIT),
    (Loss, LOSS),
    (Clip, CLIP),
    (Truncate, TRUNCATE),
    (Phases, PHASES),
    (Spectrum, SPECTRUM),
    (Figures, FIGURES),
    (Embedding, EMBEDDING),
    (Train, TRAIN),
    (StopWhen, STOP_WHEN),
]


@st.composite
def configs(draw: st.DrawFn, most: int = 6) -> dict[str, Any]:
    """A small config with a few keys of any kind, and what is common in it left to the defaults."""
    known = [key for key in Config.model_fields if key in CONFIG]
    chosen = draw(st.lists(st.sampled_from(known), max_size=most, unique=True))
    config = {**SMALL, **{key: draw(CONFIG[key]) for key in chosen}}
    if "encoder_decoder" in chosen and "seq_len" not in chosen:
        del config["seq_len"]
    if "train" in chosen and draw(FLAG):  # which says what inputs and loss are
        config = {key: value for key, value in config.items() if key not in ("inputs", "loss")}
        config["seq_len"] = draw(st.sampled_from([T, 12]))
    init = config.get("init")
    if isinstance(init, dict) and "file" in init:  # sizes and cell come from the file
        for key in ("hidden_size", "cell"):
            if key not in chosen:
                del config[key]
        config["init"] = {key: init[key] for key in OF_FILE if key in init}
    return config


def uncovered() -> list[str]:
    """Keys of the models, and options of the kinds, that no strategy is there for."""
    missing = [
        f"{model.__name__}.{key}"
        for model, table in TABLES
        for key in model.model_fields
        if key not in table
    ]
    for known in (CELL_KINDS, INPUT_KINDS, STATE_KINDS, TASK_KINDS, OPTIMIZER_KINDS):
        for name, model in known.items():
            missing += [
                f"{name}.{key}" for key in model.model_fields if key not in {*OPTIONS, "type"}
            ]
    return missing


def sections_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The models that are fields of a model, at any depth."""
    found: set[type[BaseModel]] = set()
    for field in model.model_fields.values():
        todo = [field.annotation]
        while todo:
            hint = todo.pop()
            if isinstance(hint, type) and issubclass(hint, BaseModel) and hint not in found:
                found |= {hint} | sections_of(hint)
            todo += [arg for arg in get_args(hint) if not isinstance(arg, str)]
    return found


def lay_out(folder: Path) -> None:
    """The files that the configs name, beside those that are absent."""
    rng = np.random.default_rng(0)
    for cell in ("rnn", "lstm"):
        shapes = CELLS[cell].shapes(H, I, 2, CELLS[cell].Options())
        tensors = {f"net.{name}_l0": rng.normal(size=shape) for name, shape in shapes.items()}
        buffer = io.BytesIO()
        np.savez(buffer, **tensors)
        (folder / f"{cell}.npz").write_bytes(buffer.getvalue())
    (folder / "torn.npz").write_bytes(buffer.getvalue()[:100])
    np.save(folder / "x.npy", rng.normal(size=(B, T, I)))
    np.save(folder / "long.npy", rng.normal(size=(40, H)))
    np.savetxt(folder / "x.csv", rng.normal(size=(30, I)), delimiter=",", header="a,b")
    np.savez(folder / "state.npz", h=rng.normal(size=(B, H)), c=rng.normal(size=(B, H)))
    (folder / "text.txt").write_text("to be or not to be, that is the question\n" * 4, "utf-8")
    (folder / "words.txt").write_text("<unk>\nto\nbe\nor\n", "utf-8")
    np.savez(folder / "embedding.npz", **{"embedding.weight": rng.normal(size=(4, I))})
    (folder / "own.py").write_text(OWN_CELL, "utf-8")
