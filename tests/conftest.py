"""What holds for all tests: one thread, as in the command line; nobody's cache or settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gradlab import threads

threads.settle()  # before any test loads numpy


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder for all tests of a session: what one has computed another need not."""
    folder = tmp_path_factory.getbasetemp() / "gradlab-cache"
    monkeypatch.setenv("GRADLAB_CACHE", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.with_name("no-settings")))
    for name in ("RESULTS", "JOBS", "EXECUTOR", "MAX_POINTS", "NO_FIGURES"):
        monkeypatch.delenv(f"GRADLAB_{name}", raising=False)


@pytest.fixture
def no_thread_is_left(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """After the test there are the threads that there were before, and nothing was printed."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before
    assert capfd.readouterr() == ("", "")
