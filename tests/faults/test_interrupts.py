"""A Ctrl-C at any call of a Python function.

Claims:
- it comes out as what it is, whatever a library makes of it on the way;
- a file is there whole or not at all, and nothing beside it;
- a result is there whole or not at all; a sweep goes on to the same table.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from interrupts import At, calls_of, every

import gradlab
from gradlab.config import dump, from_mapping
from gradlab.files import TEMPORARY, write_whole
from gradlab.identity import describe
from gradlab.plan import settle

CONFIG: dict[str, Any] = {"cell": "rnn", "hidden_size": 3, "seq_len": 6, "seeds": 2}
CONFIG |= {"figures": "none", "expect": {"verdict": "vanishing", "clip_scale": 0.5}}
SWEPT = CONFIG | {"expect": None, "sweep": {"weight_scale": [0.5, 1.0]}}
PLACES = 40  # of the many in a run


@pytest.fixture(autouse=True)
def _half_made() -> Iterator[None]:
    """What an interrupt has left half made may complain when it is collected, at any time."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda lost: None
    yield
    gc.collect()
    sys.unraisablehook = hook


def some(work: Callable[[], object]) -> list[int]:
    """Some of the calls that it makes, once what is loaded at first is there."""
    work()
    return sorted(random.Random(8).sample(range(calls_of(work)), PLACES))


@pytest.mark.fault("config: Ctrl-C at any call while it is read", "heard")
def test_while_a_config_is_read() -> None:
    found = [at.heard for at in every(lambda: from_mapping(CONFIG))]
    assert len(found) > 100
    assert all(found)


@pytest.mark.fault("config: Ctrl-C at any call while it is written", "heard")
@pytest.mark.parametrize("write", [describe, dump])
def test_while_a_config_is_written(write: Callable[[Any], object]) -> None:
    """pydantic would swallow it in a function of ours that it calls."""
    config, _ = settle(from_mapping(CONFIG).config)
    found = [at.heard for at in every(lambda: write(config), step=1 if write is describe else 13)]
    assert len(found) > 3
    assert all(found)


@pytest.mark.fault("record: Ctrl-C at any call while it is packed", "heard")
def test_while_a_record_is_packed() -> None:
    """zipfile would complain of a file that is still open."""
    record = gradlab.run(CONFIG)
    found = [at.heard for at in every(record.to_bytes, step=3)]
    assert len(found) > 100
    assert all(found)


@pytest.mark.fault("run: Ctrl-C at any call while a file is written", "whole or as it was")
def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    contents = []

    def write() -> None:
        path.write_text("old")
        write_whole(path, "new")

    for at in every(write):
        assert at.heard
        assert [p.name for p in tmp_path.iterdir()] in ([], [path.name])
        contents.append(path.read_text() if path.exists() else "")
    assert {"old", "new"} <= {*contents} <= {"", "old", "new"}  # "" before there is an old one


@pytest.mark.fault("run: Ctrl-C at any call", "heard; the result is whole or not there")
def test_a_result_is_whole_or_not_there(tmp_path: Path) -> None:
    def run(out: Path) -> None:
        gradlab.run(CONFIG, out=out / "r")

    run(tmp_path / "whole")
    names = {p.name for p in (tmp_path / "whole" / "r").iterdir()}
    for calls in some(lambda: run(tmp_path / "some")):
        folder = tmp_path / f"{calls}"
        at = At(lambda folder=folder: run(folder), calls)  # type: ignore[misc]
        assert at.heard or not at.reached, (calls, at.raised)
        if (folder / "r").exists():
            assert {p.name for p in (folder / "r").iterdir()} == names


@pytest.mark.fault("sweep: Ctrl-C at any call", "heard; the same command again has the same table")
def test_a_sweep_goes_on(tmp_path: Path) -> None:
    def sweep(out: Path) -> None:
        gradlab.sweep(SWEPT, out=out)

    sweep(tmp_path / "whole")
    table = (tmp_path / "whole" / "table.csv").read_bytes()
    for calls in some(lambda: sweep(tmp_path / "some")):
        out = tmp_path / f"{calls}"
        at = At(lambda out=out: sweep(out), calls)  # type: ignore[misc]
        assert at.heard or not at.reached, (calls, at.raised)
        sweep(out)
        assert (out / "table.csv").read_bytes() == table
        assert not list(out.rglob(f"{TEMPORARY}*"))
