"""Records for the figures: every cell, and every case that a figure has to survive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import network_records as networks
import numpy as np
from theory_records import with_theory

from gradlab.cells import CELLS
from gradlab.config import from_mapping
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.runner import run
from gradlab.training.course import train_many

SMALL: dict[str, Any] = {"hidden_size": 6, "batch_size": 3, "seq_len": 30, "seeds": 4}
RELU = {"type": "rnn", "activation": "relu"}
TEXTBOOK: dict[str, Any] = {
    "cell": "linear",
    "hidden_size": 3,
    "batch_size": 2,
    "seq_len": 20,
    "init": "randn",
    "inputs": "zeros",
    "generator": "mt19937",
    "seeds": [3],
}
ORDER: dict[str, Any] = {"task": "temporal_order", "updates": 30, "learning_rate": 0.5}
TRAINED: dict[str, dict[str, Any]] = {
    "training": {"cell": "rnn", "clip": 0.4, "train": ORDER},
    "training without a clip": {"cell": "lstm", "train": ORDER | {"updates": 250}},
    "training by value": {"cell": "rnn", "clip": {"threshold": 0.1, "by": "value"}, "train": ORDER},
    "training that ends": {
        "cell": "rnn",
        "train": ORDER | {"stop_when": {"loss": 10.0, "over": 7}},
    },
    "training that overflows": {"cell": "linear", "weight_scale": 1e30, "train": ORDER},
    "training of one seed": {"cell": "gru", "seeds": 1, "train": ORDER | {"task": "adding"}},
    "training at all steps": {
        "cell": "rnn",
        "train": {"task": "copy", "updates": 3, "snapshot_every": 1},
    },
}
WINDOW = {"steps": 10, "mode": "sliding"}
LONG: dict[str, Any] = {"cell": "linear", "inputs": "zeros", "seq_len": 5000, "spectrum": "none"}

CASES: dict[str, dict[str, Any]] = {
    **{cell: {"cell": cell} for cell in CELLS},
    "rnn exploding": {"cell": "rnn", "weight_scale": 3.0},
    "relu": {"cell": RELU, "weight_scale": 2.0},
    "sigmoid": {"cell": {"type": "rnn", "activation": "sigmoid"}},
    "lstm that keeps": {"cell": "lstm", "init": {"forget_bias": 3.0}},
    "loose bound": {"cell": "rnn", "weight_scale": 1.5, "seq_len": 100},
    "textbook": TEXTBOOK,
    "textbook halved": TEXTBOOK | {"weight_scale": 0.5},
    "beyond float range above": LONG | {"weight_scale": 3.0},
    "beyond float range below": LONG | {"weight_scale": 0.4},
    "one step": {"cell": "rnn", "seq_len": 1},
    "one step, cell state": {"cell": "lstm", "seq_len": 1, "initial_state": "normal"},
    "two steps": {"cell": "rnn", "seq_len": 2, "seeds": 1},
    "one seed": {"cell": "gru", "seeds": 1},
    "one seed of a high number": {"cell": "rnn", "seeds": [4294967295]},
    "many seeds": {"cell": "rnn", "seeds": 25},
    "one unit": {"cell": "lstm", "hidden_size": 1},
    "no weights": {"cell": RELU, "init": "zeros"},
    "some seeds dead": {"cell": RELU, "init": {"bias": -0.3}, "batch_size": 1, "seq_len": 100},
    "all seeds dead": {"cell": RELU, "init": {"bias": -100.0}},
    "step clip": {
        "cell": "rnn",
        "weight_scale": 3.0,
        "clip": {"threshold": 1.0, "by": "step_norm"},
    },
    "norm clip": {"cell": "lstm", "clip": 8.0},
    "value clip": {"cell": "rnn", "weight_scale": 2.0, "clip": {"threshold": 0.1, "by": "value"}},
    "clip of all": {"cell": "gru", "clip": 1e-6},
    "idle step clip": {"cell": "rnn", "clip": {"threshold": 1e9, "by": "step_norm"}},
    "no spectrum": {"cell": "rnn", "spectrum": "none"},
    "whole spectrum": {"cell": "gru", "spectrum": {"values": "all", "sequences": 2}},
    "products": {"cell": "lstm", "spectrum": {"product": True, "lyapunov": True, "values": "all"}},
    "products, dead": {
        "cell": RELU,
        "init": {"bias": -0.3},
        "spectrum": {"product": True, "values": 3, "every": 4},
    },
    "largest product": {
        "cell": "rnn",
        "spectrum": {"product": True, "lyapunov": False, "values": 1},
    },
    "largest value only": {"cell": "rnn", "spectrum": {"values": 1}},
    "loss at all steps": {"cell": "rnn", "loss": {"type": "upstream", "at": "all"}},
    "loss in the middle": {"cell": "lstm", "loss": {"type": "upstream", "at": [15]}},
    "loss at the first step": {"cell": "rnn", "loss": {"type": "upstream", "at": [1]}},
    "preserved": {"cell": "linear", "init": "orthogonal"},
    "every seventh step": {"cell": "rnn", "record_every": 7},
    "float32": {"cell": "gru", "dtype": "float32"},
    "some seeds overflow": {
        "cell": RELU,
        "weight_scale": 2.6,
        "hidden_size": 4,
        "batch_size": 2,
        "seq_len": 1500,
        "spectrum": {"values": 2},
        "seeds": 6,
    },
}
BOTH_WAYS: dict[str, Any] = {"layers": 2, "bidirectional": True, "seeds": 3}
CASES |= {
    "layers both ways": {"cell": "lstm", **BOTH_WAYS, "spectrum": {"product": True}},
    "layers both ways from the middle": {
        "cell": "gru",
        **BOTH_WAYS,
        "layers": 3,
        "loss": {"at": [11]},
        "record_every": 4,
    },
    "seven residual layers both ways": {
        "cell": "rnn",
        **BOTH_WAYS,
        "layers": 7,
        "residual": True,
        "loss": {"type": "mse", "at": "all"},
    },
    "layers both ways, dead": {"cell": RELU, **BOTH_WAYS, "init": {"bias": -1.0}},
}
# a case, and what is added to its record
NETWORKS: dict[str, tuple[str, networks.Change]] = {
    "three layers": ("lstm", networks.stacked(3)),
    "two even layers": ("rnn", networks.stacked(2, 0.0)),
    "thirty layers": ("every seventh step", networks.stacked(30, -1.5)),
    "layers, some seeds overflow": ("some seeds overflow", networks.stacked(4)),
    "layers of a single step": ("one step", networks.stacked(2)),
    "both directions": ("rnn", networks.bidirectional),
    "both directions from the middle": ("loss in the middle", networks.bidirectional),
    "both directions, all steps": ("loss at all steps", networks.bidirectional),
    "short memory": ("rnn", networks.lag_split(0.7)),
    "long memory": ("one seed", networks.lag_split(1.2)),
    "memory of a step": ("rnn", networks.lag_split(1e-4)),
    "memory, some seeds overflow": ("some seeds overflow", networks.lag_split(0.9)),
    "truncated": ("rnn", networks.truncated),
    "chunks": ("loss at all steps", networks.lag_split(0.9, {"steps": 7, "mode": "chunked"})),
    "window, all steps": ("loss at all steps", networks.configured(truncate=WINDOW)),
    "idle window": ("gru", networks.configured(truncate=WINDOW | {"steps": 300})),
    "deep net": ("rnn", networks.configured(tied=False)),
    "deep net that learns": ("preserved", networks.configured(tied=False, residual=True, block=2)),
    "encoder, decoder": (
        "gru",
        networks.configured(encoder_decoder={"encoder": 20, "decoder": 10}),
    ),
    "long encoder": ("lstm", networks.configured(encoder_decoder={"encoder": 29, "decoder": 1})),
    "direct path": ("lstm", networks.paths(0.73, 0.12)),
    "indirect path": ("some seeds overflow", networks.paths(0.3, 1.4)),
    "paths of a single step": ("one step, cell state", networks.paths(0.5, 0.1)),
    "factors between": ("rnn", networks.factors(1.2)),
    "factors at the ends": ("one seed", networks.factors(60.0)),
    "no recurrent matrix": (
        "rnn",
        lambda r: networks.lag_split(0.6)(networks.without_recurrent_matrix(r)),
    ),
    "output layer": ("lstm", networks.output_layer),
}

# all singular values and exponents; each also with a theory in its summary
SPECTRA: dict[str, Any] = {"spectrum": {"product": True, "lyapunov": True, "values": "all"}}
SPECTRAL: dict[str, dict[str, Any]] = {
    "tanh": {"cell": "rnn", "weight_scale": 2.0},
    "short": {"cell": "rnn", "seq_len": 3, "seeds": 1},
    "linear": {"cell": "linear", "weight_scale": 1.3},
    "relu": {"cell": RELU, "weight_scale": 1.3},
    "dead": {"cell": RELU, "init": {"bias": -0.3}},
    "orthogonal": {"cell": "linear", "init": "orthogonal", "weight_scale": 0.7},
    "untied": {"cell": "linear", "tied": False, "seq_len": 60},
    "deep": {"cell": "rnn", "tied": False, "weight_scale": 1.5},
    "lstm": {"cell": "lstm", "layers": 2},
    "overflow": {"cell": RELU, "weight_scale": 2.6, "hidden_size": 4, "seq_len": 1500, "seeds": 6},
    "many seeds": {"cell": "rnn", "seeds": 21, "hidden_size": 33},
    "one unit": {"cell": "rnn", "hidden_size": 1},
    "gru": {"cell": "gru"},
    "at rest": {"cell": "rnn", "inputs": "zeros", "weight_scale": 0.8},
}
WITH_THEORY = [f"spectra, {case}, theory" for case in SPECTRAL]


@cache
def record(case: str) -> Record:
    """The record of a case, computed once."""
    if case in NETWORKS:
        source, change = NETWORKS[case]
        return change(record(source))
    if case.endswith(", theory"):
        return with_theory(record(case.removesuffix(", theory")))
    if case.startswith("training"):
        return learned(**TRAINED[case])
    if case.startswith("spectra, "):
        return made(**SPECTRA, **SPECTRAL[case.removeprefix("spectra, ")])
    return made(**CASES[case])


def learned(**keys: Any) -> Record:
    """The record of a small training."""
    return train_many([settle(from_mapping(SMALL | keys).config)[1]])[0]


def made(**keys: Any) -> Record:
    """The record of a small experiment."""
    return run(settle(from_mapping(SMALL | keys).config)[1])


def overflowed() -> Record:
    """A record whose forward pass overflowed for every seed: there is no gradient at all."""
    source = record("rnn")
    lost = np.full_like(source["overflow_step"], 7)
    arrays = {
        name: np.full_like(a, np.nan)
        if a.dtype.kind == "f" and not name.startswith("weight_s")
        else a
        for name, a in source.arrays.items()
    }
    summary = source.summary | {
        "verdict": "undecided",
        "growth_rate": None,
        "log10_remaining": None,
        "outcome": "overflow",
        "overflow_step": 7,
    }
    return replace(source, arrays=arrays | {"overflow_step": lost}, summary=summary)
