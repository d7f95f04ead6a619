"""updates.csv: one row for each seed and update of a training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.record import Record

COLUMNS = {  # of the file -> of the record
    "loss": "train_loss",
    "accuracy": "train_right",
    "log10_grad_norm": "train_log10_norm",
    "log10_clipped_norm": "train_log10_clipped_norm",
    "clip_rate": "train_clip_rate",
    "spectral_radius": "train_spectral_radius",
    "nonfinite": "train_nonfinite",
}


def course_rows(record: Record) -> tuple[list[str], list[list[Any]]]:
    """Header and rows: of each seed the updates that it had; None where there is no value."""
    seeds, stopped = record["seeds"], record["train_stopped"]
    rows: list[list[Any]] = []
    for r, seed in enumerate(seeds):
        columns = [record[name][r] for name in COLUMNS.values()]
        last = int(stopped[r]) or len(columns[0])
        table = np.stack(columns, axis=1)[:last].tolist()
        rows += [
            [int(seed), update, *(None if value != value else value for value in row)]
            for update, row in enumerate(table, 1)
        ]
    return ["seed", "update", *COLUMNS], rows
