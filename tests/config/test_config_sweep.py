"""Sweeps: axes from the config and the command line, and the points that they make.

- each form of an axis gives exactly its values; an override takes the place of an axis
- points come in order, and are the configs that overrides with their values would give
- what is wrong is said at once, at its place, with the values of the points that are concerned
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradlab.config import (
    Config,
    Sweep,
    dump_sweep,
    from_mapping,
    load_sweep,
    schema,
    sweep,
    sweep_from_mapping,
)
from gradlab.errors import GradlabError, Problem

SweepText = Callable[..., Sweep]
Refusal = Callable[..., list[str]]

TOGETHER = "init.recurrent, init.forget_bias"
TEXT = f"""\
cell: rnn
sweep:
  cell: [rnn, lstm]
  weight_scale: {{linear: [0.5, 1.5], num: 3}}
  "{TOGETHER}": [[normal, 1.0], [orthogonal, 0.0]]
"""


def columns(found: Sweep) -> dict[str, list[Any]]:
    """The values of each axis by its name; those of one key alone without their tuple."""
    return {
        axis.name: [v[0] if len(axis.keys) == 1 else v for v in axis.values] for axis in found.axes
    }


SECTION = [
    ("weight_scale: [0.5, 1, 2e0]", "weight_scale", [0.5, 1, 2.0]),
    ("weight_scale: [-0.0]", "weight_scale", [0.0]),
    ("weight_scale: {linear: [0.1, 0.3], num: 3}", "weight_scale", [0.1, 0.2, 0.3]),
    ("weight_scale: {num: 3.0, linear: [0, 1]}", "weight_scale", [0.0, 0.5, 1.0]),
    ("weight_scale: {log: [0.01, 10], num: 4}", "weight_scale", [0.01, 0.1, 1.0, 10.0]),
    ("weight_scale: {range: [0.1, 0.3, 0.1]}", "weight_scale", [0.1, 0.2, 0.3]),
    ("weight_scale: {range: [0.1, 0.35, 0.1]}", "weight_scale", [0.1, 0.2, 0.3]),
    ("seq_len: {range: [20, 100, 40]}", "seq_len", [20, 60, 100]),
    ("seq_len: {range: [5, 5, 1]}", "seq_len", [5]),
    ("cell: [rnn, {type: rnn, activation: relu}]", "cell", ["rnn", {**_R, "activation": "relu"}])
    if (_R := {"type": "rnn"})
    else ("", "", []),
    ("loss.at: [[1, 5], last]", "loss.at", [[1, 5], "last"]),
    ("clip: [none, 5, {threshold: 1, by: value}]", "clip", ["none", 5, {"threshold": 1, "by": "value"}]),
    ("' init . bias': [1]", "init.bias", [1]),
    (
        f"'{TOGETHER}': [[normal, 1.0], [orthogonal, 0.0]]",
        TOGETHER,
        [("normal", 1.0), ("orthogonal", 0.0)],
    ),
]


@pytest.mark.parametrize(("line", "name", "values"), SECTION)
def test_forms_in_the_section(
    line: str, name: str, values: list[Any], sweep_text: SweepText
) -> None:
    """Exactly these values, ints as ints."""
    assert repr(columns(sweep_text(f"cell: rnn\nsweep:\n  {line}\n"))) == repr({name: values})
