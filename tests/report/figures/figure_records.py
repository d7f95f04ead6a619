"""Records for the figures: every cell, and every case that a figure has to survive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from gradlab.cells import CELLS
from gradlab.config import from_mapping
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.runner import run

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
    "idle step clip": {"cell": "rnn", "clip": {"threshold": 1e9, "by": "step_norm"}},
    "no spectrum": {"cell": "rnn", "spectrum": "none"},
    "whole spectrum": {"cell": "gru", "spectrum": {"values": "all", "sequences": 2}},
    "largest value only": {"cell": "rnn", "spectrum": {"values": 1}},
    "loss at all steps": {"cell": "rnn", "loss": {"type": "upstream", "at": "all"}},
    "loss in the middle": {"cell": "lstm", "loss": {"type": "upstream", "at": [15]}},
    "loss at the first step": {"cell": "rnn", "loss": {"type": "upstream", "at": [1]}},
    "preserved": {"cell": "linear", "init": "orthogonal"},
    "every seventh step": {"cell": "rnn", "record_every": 7},
    "float32": {"cell": "gru", "dtype": "float32"},
    "some seeds overflow": {
        "cell": RELU,
        "weight_scale": 2.0,
        "hidden_size": 4,
        "batch_size": 2,
        "seq_len": 1500,
        "spectrum": {"values": 2},
        "seeds": 6,
    },
}


@cache
def record(case: str) -> Record:
    """The record of a case, computed once."""
    return made(**CASES[case])


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
