"""Every test of the command line begins in an empty folder and leaves the signals as they were."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import QUIET, TINY


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A command in this process sets handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a tiny config c.yaml that draws nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADLAB_RESULTS", raising=False)
    (tmp_path / "c.yaml").write_text(TINY + QUIET, encoding="utf-8")
    return tmp_path
