"""Configs in a folder of their own: `load_text` loads one, `refusal` gives its error's lines.

`sweep_text` and `sweep_refusal` do the same with sweeps.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gradlab.config import Loaded, Sweep, load, load_sweep
from gradlab.errors import GradlabError

LoadText = Callable[..., Loaded]
SweepText = Callable[..., Sweep]
Refusal = Callable[..., list[str]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadText:
    """Writes run.yaml into an empty working directory and loads it, with overrides."""
    monkeypatch.chdir(tmp_path)

    def load_it(text: str | bytes, *overrides: str) -> Loaded:
        raw = text if isinstance(text, bytes) else text.encode()
        Path("run.yaml").write_bytes(raw)
        return load("run.yaml", overrides)

    return load_it


@pytest.fixture
def refusal(load_text: LoadText) -> Refusal:
    """The lines of the error that loading must raise."""

    def lines_of(text: str | bytes, *overrides: str) -> list[str]:
        with pytest.raises(GradlabError) as caught:
            load_text(text, *overrides)
        assert caught.value.exit_code == 2
        return str(caught.value).split("\n")

    return lines_of


@pytest.fixture
def sweep_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepText:
    """Writes run.yaml into an empty working directory and loads it as a sweep."""
    monkeypatch.chdir(tmp_path)

    def load_it(text: str, *overrides: str, **options: int) -> Sweep:
        Path("run.yaml").write_text(text, encoding="utf-8")
        return load_sweep("run.yaml", overrides, **options)

    return load_it


@pytest.fixture
def sweep_refusal(sweep_text: SweepText) -> Refusal:
    """The lines of the error that loading the sweep must raise."""

    def lines_of(text: str, *overrides: str, **options: int) -> list[str]:
        with pytest.raises(GradlabError) as caught:
            sweep_text(text, *overrides, **options)
        assert caught.value.exit_code == 2
        return str(caught.value).split("\n")

    return lines_of
