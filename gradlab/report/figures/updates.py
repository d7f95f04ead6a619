"""Curves over the updates of a training, in blocks of updates, for the figures that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradlab.record import Record
from gradlab.report.figures import captions
from gradlab.report.figures.ensemble import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 120  # of a curve, at most


def blocks(record: Record, name: str) -> tuple[NDArray[np.int64], Array]:
    """The updates at which blocks end (n,), and the values of a curve in them: (R, n, updates of a
    block). After the end of a seed's training its last value stands.
    """
    curve = record[f"train_{name}"].copy()
    for r, stopped in enumerate(record["train_stopped"]):
        if stopped:
            curve[r, stopped:] = curve[r, stopped - 1]
    R, updates = curve.shape
    n = size(record)
    count = updates // n
    whole = curve[:, : count * n].reshape(R, count, n)
    return n * np.arange(1, count + 1), whole


def size(record: Record) -> int:
    """Updates of a block."""
    return int(-(-record["train_loss"].shape[1] // POINTS))


def axis(ax: Axes, record: Record) -> None:
    """The x axis of updates."""
    captions.whole_numbers(ax, 0, record["train_loss"].shape[1], "update")


def notes(record: Record) -> list[str]:
    """What a point of the curve is, where that is more than one update."""
    n = size(record)
    return [f"each point: {n} updates"] if n > 1 else []
