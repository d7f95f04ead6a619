"""Sweeps for the figures: small real ones, and closed forms with every fault that there can be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradlab.config import sweep_from_mapping
from gradlab.plan import settle
from gradlab.report.sweep_figures.grid import AxisValues, Curve, Curves
from gradlab.report.sweep_table import Row
from gradlab.runner import run


class Swept(NamedTuple):
    """What `sweep_figures.save` and `sweep_page.write` take."""

    axes: list[AxisValues]
    rows: list[Row]
    curves: Curves


SMALL: dict[str, Any] = {
    "cell": "rnn",
    "hidden_size": 6,
    "batch_size": 2,
    "seq_len": 15,
    "seeds": 3,
    "spectrum": "none",
}
SCALES = {"linear": [0.5, 3.0], "num": 6}
REAL: dict[str, dict[str, Any]] = {
    "one number": {"weight_scale": SCALES},
    "one length": {"seq_len": [5, 10, 20]},
    "two numbers": {"weight_scale": SCALES, "seq_len": [5, 10, 20]},
    "cells and a number": {"cell": ["linear", "rnn", "lstm", "gru"], "weight_scale": SCALES},
    "three axes": {"init.recurrent": ["normal", "orthogonal"], "weight_scale": SCALES}
    | {"seq_len": [5, 10, 20]},
    "four axes": {"cell": ["rnn", "gru"], "weight_scale": SCALES, "init.bias": [-1, 0, 1]}
    | {"batch_size": [1, 2]},
    "together": {"init.recurrent, init.bias": [["normal", 0.0], ["identity", 1.0]]}
    | {"weight_scale": SCALES},
    "one category": {"cell": ["linear", "rnn", {"type": "rnn", "activation": "relu"}, "gru"]},
    "two categories": {"cell": ["rnn", "gru"], "init.recurrent": ["normal", "orthogonal"]},
    "three categories": {"cell": ["rnn", "gru"], "init.recurrent": ["normal", "orthogonal"]}
    | {"dtype": ["float64", "float32"]},
    "single point": {"cell": ["rnn"]},
    "single number": {"weight_scale": [1.5]},
    "one seed": {"weight_scale": SCALES, "seeds": [1]},
}


@cache
def real(case: str) -> Swept:
    """A sweep that was computed."""
    sweep = sweep_from_mapping(SMALL | {"sweep": REAL[case]})
    rows, curves = [], {}
    for index in range(sweep.size):
        record = run(settle(sweep.config(index))[1])
        rows.append(Row(index, sweep.values(index), record.summary))
        curves[index] = record["t"], np.median(record["log10_grad_norm_h"], axis=0)
    return Swept([(axis.keys, axis.values) for axis in sweep.axes], rows, curves)


@cache
def example() -> dict[str, Any]:
    """The summary of a real run."""
    summary = real("single point").rows[0].summary
    assert summary is not None
    return summary


def made(
    axes: dict[str, Sequence[Any]],
    growth: Callable[..., float | None],
    failed: Callable[..., bool] = lambda *_: False,
) -> Swept:
    """Rows whose growth rate is a function of the values; None stands for an overflow."""
    rows = []
    for index, values in enumerate(itertools.product(*axes.values())):
        point = dict(zip(axes, values, strict=True))
        if failed(*values):
            rows.append(Row(index, point, None, "the worker died"))
        else:
            rows.append(Row(index, point, summary(growth(*values))))
    pairs: list[AxisValues] = [((key,), [(v,) for v in values]) for key, values in axes.items()]
    return Swept(pairs, rows, straight)


def summary(rate: float | None) -> dict[str, Any]:
    """A summary with this growth rate over 100 steps; overflow of all seeds if there is none."""
    if rate is None:
        return example() | {
            "verdict": "undecided",
            "growth_rate": None,
            "half_life": None,
            "log10_remaining": None,
            "outcome": "overflow",
            "overflow_step": 7,
            "theory": {},
            "reasons": {"growth_rate": "the forward pass overflowed for every seed"},
        }
    verdict = "vanishing" if rate < 0 else "exploding" if rate > 0 else "preserved"
    spread = {"mean": rate, "std": 0.1, "low": rate - 0.05, "high": rate + 0.05}
    return example() | {"verdict": verdict, "growth_rate": spread, "theory": {}}


def learned(swept: Swept, loss: Callable[..., float]) -> Swept:
    """The same points as trainings, whose loss at the end is a function of the values."""
    rows = []
    for row in swept.rows:
        mean = loss(*row.values.values())
        told: dict[str, Any] = {"baseline": 2.0, "clip": {"acted": 1 / (1 + mean)}}
        told |= {"final_loss": {"mean": mean, "low": mean - 0.125, "high": mean + 0.125}}
        told |= {"final_loss_median": mean}
        told |= {"seeds": {"below": int(8 * mean), "at": 1, "above": 0, "nonfinite": 0}}
        rows.append(replace(row, summary=(row.summary or {}) | {"train": told}))
    return swept._replace(rows=rows)


def zero() -> dict[str, Any]:
    """A summary of a gradient that is exactly zero from some step on."""
    return example() | {"verdict": "vanishing", "growth_rate": None, "log10_remaining": None}


def straight(index: int) -> Curve:
    """A curve for any point."""
    t = np.arange(11)
    return t, (10 - t) * 0.1 * index


SCALE = [0.5, 1.0, 1.5, 2.0, 2.5]
CLOSED: dict[str, Swept] = {}


def closed(case: str) -> Swept:
    """A sweep with faults."""
    if not CLOSED:
        CLOSED.update(_closed())
    return CLOSED[case]


def _closed() -> dict[str, Swept]:
    plane: dict[str, Sequence[Any]] = {"weight_scale": SCALE, "seq_len": [10, 20, 30]}
    cells: dict[str, Sequence[Any]] = {"cell": ["rnn", "lstm"], "weight_scale": SCALE}
    names: dict[str, Sequence[Any]] = {"cell": ["rnn", "lstm", "gru"], "dtype": ["a", "b"]}
    found = {}
    for name, axes in {"plane": plane, "cells": cells, "names": names}.items():
        last = axes[next(reversed(axes))][-1]
        found[f"{name}, overflow"] = made(axes, lambda *v, z=last: None if v[-1] == z else -0.1)
        found[f"{name}, failures"] = made(axes, lambda *_: 0.1, lambda *v, z=last: v[-1] == z)
        found[f"{name}, all failed"] = made(axes, lambda *_: 0.0, lambda *_: True)
        found[f"{name}, all overflow"] = made(axes, lambda *_: None)
        some = made(axes, lambda *_: -0.2)
        rows = [
            row if k % 2 else Row(row.index, row.values, zero()) for k, row in enumerate(some.rows)
        ]
        found[f"{name}, zeros"] = some._replace(rows=rows)
        found[f"{name}, half done"] = some._replace(rows=some.rows[::2])
        found[f"{name}, nothing done"] = some._replace(rows=[])
        found[f"{name}, no growth"] = made(axes, lambda *_: 0.0)
    many = {"init.file": [f"/some/long/path/to/a/trained/network-{k}.npz" for k in range(60)]}
    found["many names"] = made(many, lambda _: -0.1)
    found["many of all"] = made(
        {"a": list(range(30)), "b": [f"b{k}" for k in range(20)], "c": list("abcdefghijklmnop")},
        lambda a, b, c: a - 15.0,
    )
    found["markup"] = made({"cell": [r"<script>$\frac{$", "|*_`"]}, lambda _: 0.3)
    found["mixed"] = made({"clip": [None, 1.0, {"threshold": 2, "by": "value"}]}, lambda _: 0.3)
    found["unsorted"] = made({"weight_scale": [2.0, 0.5, 1.0]}, lambda g: g - 1.25)
    return found


FAULTS = sorted(_closed())
