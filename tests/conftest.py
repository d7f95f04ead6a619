"""No test reads or writes the cache of whoever runs the tests, nor follows their settings."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder for all tests of a session: what one has computed another need not."""
    folder = tmp_path_factory.getbasetemp() / "gradlab-cache"
    monkeypatch.setenv("GRADLAB_CACHE", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.with_name("no-settings")))
    for name in ("RESULTS", "JOBS", "EXECUTOR", "MAX_POINTS", "NO_FIGURES"):
        monkeypatch.delenv(f"GRADLAB_{name}", raising=False)
