"""A sweep's points on the grid of its axes: what the figures draw and the report tells.

Arrays have one dimension for each axis; along an axis of numbers these ascend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.analysis.verdict import Caveat
from gradlab.nonlinearity import Array
from gradlab.report.sweep_figures.axis import Axis, axis
from gradlab.report.sweep_table import Row, lookup, theory_growth_rate

AxisValues = tuple[Sequence[str], Sequence[Any]]  # keys that vary together, a tuple a position
Curve = tuple[NDArray[Any], NDArray[Any]]  # t and log10 norms, (N,) each
Curves = Callable[[int], Curve] | Mapping[int, Curve]


# of a Grid
NUMBERS = (
    *("mean", "low", "high", "bound", "theory", "left"),
    *("loss", "loss_low", "loss_high", "baseline"),
)


class Status(IntEnum):
    """Whether a point has a growth rate, and why not."""

    MEASURED = 0
    ZERO = 1  # the gradient is exactly zero from some step on
    PARTLY_ZERO = 2  # of some seeds only
    OVERFLOW = 3  # the forward pass, for every seed
    UNKNOWN = 4  # too few steps
    FAILED = 5
    MISSING = 6  # not computed


@dataclass(frozen=True)
class Grid:
    """Growth rates in nats per step with their intervals, and all that goes with them."""

    axes: tuple[Axis, ...]
    index: NDArray[np.int64]  # a point's place in the sweep
    mean: Array  # NaN where there is none; so also:
    low: Array
    high: Array
    bound: Array  # ln of the textbook's bound per step
    theory: Array  # the growth rate that theory predicts
    left: Array  # log10 of what is left of the gradient
    loss: Array  # of trainings: at the end, mean over the seeds
    loss_low: Array
    loss_high: Array
    baseline: Array
    status: NDArray[np.int64]
    some_lost: NDArray[np.bool_]  # seeds whose states overflowed, beside others
    verdict: NDArray[np.str_]  # "" where there is no summary
    curves: Curves

    @property
    def measured(self) -> bool:
        """Whether any point has a growth rate."""
        return bool((self.status == Status.MEASURED).any())

    @property
    def known(self) -> bool:
        """Whether anything is known of the gradient at any point."""
        return bool((self.status < Status.UNKNOWN).any())

    def value_texts(self, index: int) -> list[str]:
        """The texts of a point's values, one for each key."""
        backwards: list[str] = []
        for one in reversed(self.axes):
            index, place = divmod(index, len(one))
            backwards += reversed(one.given[place])
        return backwards[::-1]

    def curve(self, index: int) -> Curve:
        """t and the median over seeds of log10 ||dL/dh_t|| of a point."""
        return self.curves(index) if callable(self.curves) else self.curves[index]


def grid(axes: Sequence[AxisValues], rows: Sequence[Row], curves: Curves | None = None) -> Grid:
    """The Grid of a sweep's rows. A row's index counts with the last axis varying fastest."""
    made = tuple(axis(keys, values) for keys, values in axes)
    shape = tuple(len(one) for one in made)
    index = np.arange(math.prod(shape))
    numbers = np.full((len(NUMBERS), len(index)), np.nan)
    status = np.full(len(index), int(Status.MISSING))
    some_lost = np.zeros(len(index), dtype=bool)
    verdict = np.full(len(index), "", dtype="U12")
    for row in rows:
        numbers[:, row.index] = _numbers(row)
        status[row.index] = state = status_of(row)
        lost = row.summary is not None and row.summary.get("outcome") == "overflow"
        some_lost[row.index] = lost and state is not Status.OVERFLOW
        verdict[row.index] = "" if row.summary is None else row.summary["verdict"]
    sorted_ = (_sorted(array, made, shape) for array in numbers)
    return Grid(
        axes=made,
        index=_sorted(index, made, shape),
        **dict(zip(NUMBERS, sorted_, strict=True)),
        status=_sorted(status, made, shape),
        some_lost=_sorted(some_lost, made, shape),
        verdict=_sorted(verdict, made, shape),
        curves={} if curves is None else curves,
    )


def status_of(row: Row) -> Status:
    """Whether a point has a growth rate, and why not."""
    if row.summary is None:
        return Status.FAILED
    if lookup(row.summary, ("growth_rate", "mean")) is not None:
        return Status.MEASURED
    if row.summary["verdict"] == "vanishing":
        return Status.ZERO
    if Caveat.EXACT_ZERO.value in row.summary["caveats"]:
        return Status.PARTLY_ZERO
    overflowed = row.summary.get("outcome") == "overflow"
    return Status.OVERFLOW if overflowed else Status.UNKNOWN


def _numbers(row: Row) -> list[float]:
    """NUMBERS."""
    if row.summary is None:
        return [math.nan] * len(NUMBERS)
    rate = [lookup(row.summary, ("growth_rate", name)) for name in ("mean", "low", "high")]
    bound = lookup(row.summary, ("theory", "textbook", "bound_per_step"))
    found = [*rate, math.log(bound) if bound else None, theory_growth_rate(row.summary)]
    found.append(row.summary.get("log10_remaining"))
    found += [lookup(row.summary, ("train", "final_loss", k)) for k in ("mean", "low", "high")]
    found.append(lookup(row.summary, ("train", "baseline")))
    return [math.nan if value is None else float(value) for value in found]


def _sorted(array: NDArray[Any], axes: tuple[Axis, ...], shape: tuple[int, ...]) -> NDArray[Any]:
    array = array.reshape(shape)
    for k, one in enumerate(axes):
        array = array.take(one.order, axis=k)
    return array
