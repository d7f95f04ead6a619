"""Folders of results for the tests of pages, some with names that a browser would take for code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gradlab.config import from_mapping, sweep_from_mapping
from gradlab.job import Place
from gradlab.job import perform as perform_run
from gradlab.store import Folder
from gradlab.sweeps import job
from gradlab.sweeps.execute import Serial
from gradlab.sweeps.job import Order
from gradlab.sweeps.planned import plan
from gradlab.sweeps.store import SweepFolder
from tests.cells.own_files import RNN

SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 12, "seeds": 3}
SMALL |= {"figures": {"formats": ["png"], "dpi": 50}}
SCRIPT = "<script>document.title='taken'<img src=x onerror=alert(1)>"  # no slash: a file's name
NAUGHTY = SCRIPT + "&amp;\"'`|*_[a](b).py"


def run(folder: Path, **config: Any) -> Path:
    """The folder of one small run."""
    loaded = from_mapping({"cell": "rnn", **SMALL, **config})
    perform_run(loaded, Place(Folder(folder)), sys.argv, lambda line: None)
    return folder


def own_cell(folder: Path) -> Path:
    """A run of a cell whose file has a name full of markup, in a folder of such a name."""
    cell = folder.parent / NAUGHTY
    cell.write_text(RNN, encoding="utf-8")
    return run(folder, cell=str(cell))


def sweep(folder: Path, *, shard: tuple[int, int] | None = None, **config: Any) -> Path:
    """The folder of a small sweep over two scales and three lengths, or of a share of it."""
    axes = {"weight_scale": [0.5, 1.0, 3.0], "seq_len": [6, 9]}
    wanted = sweep_from_mapping({"cell": "rnn", **SMALL, "sweep": axes, **config})
    order = Order(SweepFolder(folder), Serial(), shard)
    for _ in job.perform(plan(wanted), order, lambda line: None):
        pass
    return folder
