"""A finished run against what its config expects.

A value may be about the seeds in different ways, `of`:

    summary    the number in summary.json
    every      each seed alone, as if it were the only one
    median, mean            over the values of the seeds alone
    low, high               the ends of the 95 % interval of that mean (Student's t)
    interval   the whole interval, both its ends

Absent, it is what is usual for the name: of a rate that has its interval in the summary, `interval`
for min and max, so that chance alone seldom passes, and the mean for near and equals; at a lag the
median; of everything else the number in summary.json, and so of what a training of one seed came
to: over one seed there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from gradlab.analysis.growth import spread
from gradlab.config import Expectation
from gradlab.config.expectation import NONE
from gradlab.expectations.names import fitted, has_interval, scalars
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.runner import of_member
from gradlab.spec import Spec

Value = str | float | bool | None
Values = dict[str, Value]


@dataclass(frozen=True)
class Finding:
    """What came of one expectation."""

    expectation: Expectation
    of: str
    got: tuple[Value, ...]  # one value, or of an interval: mean, low, high
    passed: bool
    worst: tuple[int, Value] | None  # the seed that is furthest off, and its value
    why: str = ""  # there is no value


def judge(expected: Sequence[Expectation], spec: Spec, record: Record) -> tuple[Finding, ...]:
    """Each expectation against the record of this experiment."""
    whole = scalars(record.summary)
    alone = [scalars(of_member(spec, record, k)) for k in range(len(spec.seeds))]
    return tuple(_finding(one, record, whole, alone) for one in expected)


def holds(one: Expectation, value: Value) -> bool:
    """Whether a value is as expected. None is only where `none` is."""
    if one.equals is not None:
        return any(_same(value, word) for word in one.equals)
    low, high = one.bounds
    return _is_number(value) and low <= float(value) <= high


def usual(one: Expectation, interval: bool) -> str:
    """What an expectation is about that does not say it. interval: its name has one."""
    if one.lag is not None:
        return "median"
    if interval:
        return "mean" if one.min is None and one.max is None else "interval"
    return "summary"


def _finding(one: Expectation, record: Record, whole: Values, alone: list[Values]) -> Finding:
    interval = one.lag is None and has_interval(one.name, whole)
    of = one.of or usual(one, interval and (len(alone) > 1 or fitted(one.name)))
    if one.lag is None:
        values = [_value(one.name, each) for each in alone]
    else:
        column = _at(one, record)
        values = [None if math.isnan(value) else float(value) for value in column]
    worst = _worst(one, values)
    if of == "every":
        at = 0 if worst is None else worst
        got: tuple[Value, ...] = (values[at],)
        passed = all(holds(one, value) for value in values)
    elif of == "summary":
        got = (_value(one.name, whole),)
        passed = holds(one, got[0])
    else:
        got = _over_seeds(of, values, one.name if interval else "", whole)
        passed = all(holds(one, value) for value in (got[1:] or got))
    seed = None if worst is None else (int(record["seeds"][worst]), values[worst])
    why = _nothing(one, record) if None in got and not passed else ""
    return Finding(one, of, got, passed, seed, why)


def _value(name: str, values: Values) -> Value:
    """A value by its name; a mean with its interval has the name without `mean`."""
    return values[f"{name}.mean"] if has_interval(name, values) else values.get(name)


def _at(one: Expectation, record: Record) -> Array:
    """The values (R,) of a column of steps.csv at a lag; by default of the last layer, forward."""
    columns = record.columns()
    wanted: dict[str, int | str | None] = {"lag": one.lag}
    if "layer" in columns:
        wanted |= {"layer": record.config["layers"] if one.layer is None else one.layer}
    if "direction" in columns:
        wanted |= {"direction": one.direction or "forward"}
    shape = np.broadcast_shapes(*(column.shape for column in columns.values()))
    rows = np.ones(shape[1:], bool)
    for name, value in wanted.items():
        rows = rows & (columns[name] == value)[0]
    return np.asarray(np.broadcast_to(columns[one.name], shape)[:, rows][:, 0])


def _over_seeds(of: str, values: list[Value], name: str, whole: Values) -> tuple[Value, ...]:
    """A statistic of the seeds' values; nothing where one of them has none. name: that of a mean
    with its interval in the summary, which also one seed has.
    """
    numbers = [float(value) for value in values if _is_number(value)]
    if of == "median":
        return (float(np.median(numbers)) if len(numbers) == len(values) else None,)
    if name:
        told = {part: whole[f"{name}.{part}"] for part in ("mean", "low", "high")}
    elif len(numbers) < len(values) or not np.isfinite(numbers).all():
        told = dict.fromkeys(("mean", "low", "high"))
    elif len(numbers) == 1:
        told = {"mean": numbers[0], "low": None, "high": None}
    else:
        found = spread(np.array(numbers), np.zeros(len(numbers)), 0)
        told = {"mean": found.mean, "low": found.low, "high": found.high}
    return tuple(told.values()) if of == "interval" else (told[of],)


def _worst(one: Expectation, values: list[Value]) -> int | None:
    """Which seed is furthest off, or nearest to it; None where all are the same."""
    if all(_same(value, values[0]) for value in values):
        return None
    return int(np.argmax([_off(one, value) for value in values]))


def _off(one: Expectation, value: Value) -> float:
    """How far a value is from what is expected: negative within, infinite where there is none."""
    if one.equals is not None and not (_is_number(value) and all(map(_is_number, one.equals))):
        return 0.0 if holds(one, value) else math.inf
    if not _is_number(value):
        return math.inf
    found = float(value)
    if one.equals is not None:
        return min(abs(found - float(word)) for word in one.equals)
    low, high = one.bounds
    return max(low - found, found - high)


def _same(value: Value, word: Value) -> bool:
    if value is None or word is None:
        return value is None and word in (None, NONE)
    return type(value) is type(word) and value == word if _text(value, word) else value == word


def _text(*values: Value) -> bool:
    return any(isinstance(value, str | bool) for value in values)


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nothing(one: Expectation, record: Record) -> str:
    """Why there is no value."""
    summary, name = record.summary, one.name.rpartition(".")[2]
    if summary["outcome"] == "overflow":
        return f"the forward pass overflowed at t={summary['overflow_step']}"
    if one.name in summary["reasons"]:
        return str(summary["reasons"][one.name])
    if name in ("half_life", "doubling_time"):
        return f"the verdict is {summary['verdict']}"
    if name == "horizon":
        return f"neither 1 % nor 100 times is reached in {summary['distance']} steps"
    return "the run has no such value" if one.lag is None else "no value at that step"
