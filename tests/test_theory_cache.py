"""The dynamic mean field is computed once for its parameters.

Claims:
- a second call reads: in the process from memory, in a new one from the file, to the bit;
- a file that is torn, foreign, of other parameters or with numbers that are none is computed again
  and replaced;
- a folder that cannot be written is no failure, and is told with -v alone;
- the folder is $GRADLAB_CACHE, else $XDG_CACHE_HOME/gradlab, else ~/.cache/gradlab;
- a figure has the same bytes whether the theory was computed or read.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gradlab import theory_cache
from gradlab.analysis import dmft
from gradlab.analysis.dmft import GatedTheory
from gradlab.cli import app
from gradlab.config import from_mapping
from gradlab.plan import settle
from gradlab.report import figures
from gradlab.runner import run

POINT = ("lstm", 1.5, 0.25, 1.0, 0.0)
CURVE = tuple(-0.1 * lag / 3 for lag in range(dmft.BACK + 1))  # thirds: no short decimals


class Computed:
    """Stands for the theory, and counts how often it is computed."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, cell: str, g: float, s2: float, forget_bias: float, bias: float
    ) -> GatedTheory:
        self.calls += 1
        caveats = dmft.caveats(cell, s2, forget_bias, bias)
        return GatedTheory(cell, g, s2, forget_bias, bias, -0.1 / 3, 1 / 7, CURVE, caveats)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Computed:
    found = Computed()
    monkeypatch.setattr(theory_cache, "dynamic_mean_field", found)
    fresh()
    return found


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADLAB_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def fresh() -> None:
    """As in a new process."""
    theory_cache._kept.cache_clear()


def the_file(where: Path) -> Path:
    (path,) = where.iterdir()
    return path


def test_it_is_computed_once(computed: Computed, where: Path) -> None:
    first = theory_cache.gated(*POINT)
    assert theory_cache.gated(*POINT) is first
    fresh()
    assert theory_cache.gated(*POINT) == first
    assert computed.calls == 1
    assert theory_cache.gated("lstm", 1.5, 0.25, 1.0, 0.5).bias == 0.5
    assert theory_cache.gated("gru", *POINT[1:]).cell == "gru"
    assert computed.calls == 3
    assert len(list(where.iterdir())) == 3


@pytest.mark.fault("surroundings: a torn file in the cache", "computed again, replaced")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"[" * 200_000,
        b"\xff\xfe\x00",
        b'{"parameters": {}, "log_slope": 1.0, "q_h": 1.0, "log_mean_square": []}',
    ],
)
def test_a_torn_file_is_replaced(content: bytes, computed: Computed, where: Path) -> None:
    first = theory_cache.gated(*POINT)
    whole = the_file(where).read_bytes()
    the_file(where).write_bytes(content)
    fresh()
    assert theory_cache.gated(*POINT) == first
    assert computed.calls == 2
    assert the_file(where).read_bytes() == whole


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log_slope", math.nan),
        ("log_slope", "0.5"),
        ("log_slope", -5.8),  # a number like any other, but not the one that was written
        ("q_h", None),
        ("log_mean_square", [0.0] * dmft.BACK),
        ("log_mean_square", [math.inf] * (dmft.BACK + 1)),
        ("log_mean_square", "x" * (dmft.BACK + 1)),
        ("parameters", {"cell": "lstm", "g": 9.0, "s2": 0.25, "forget_bias": 1.0, "bias": 0.0}),
    ],
)
def test_a_wrong_file_is_replaced(key: str, value: Any, computed: Computed, where: Path) -> None:
    first = theory_cache.gated(*POINT)
    whole = the_file(where).read_bytes()
    the_file(where).write_text(json.dumps(json.loads(whole) | {key: value}), encoding="utf-8")
    fresh()
    assert theory_cache.gated(*POINT) == first
    assert computed.calls == 2
    assert the_file(where).read_bytes() == whole


def test_another_version_of_the_algorithm_is_another_file(
    computed: Computed, where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theory_cache.gated(*POINT)
    monkeypatch.setattr(theory_cache, "ALGORITHM", (dmft.VERSION + 1, *theory_cache.ALGORITHM[1:]))
    fresh()
    theory_cache.gated(*POINT)
    assert computed.calls == 2
    assert len(list(where.iterdir())) == 2


@pytest.mark.fault("surroundings: a cache that cannot be written", "computed without it")
def test_a_folder_that_cannot_be_written(
    computed: Computed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("GRADLAB_CACHE", str(tmp_path / "file" / "under"))
    assert theory_cache.gated(*POINT).log_slope == -0.1 / 3
    monkeypatch.chdir(tmp_path)
    config = {"cell": "lstm", "hidden_size": 3, "seq_len": 5, "seeds": 1, "spectrum": "none"}
    Path("c.yaml").write_text(json.dumps(config), encoding="utf-8")
    fresh()
    quiet = CliRunner().invoke(app, ["run", "c.yaml"])
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    fresh()
    told = CliRunner().invoke(app, ["run", "c.yaml", "--force", "-v"])
    assert told.exit_code == 0
    assert "gradlab: theory is not kept: cannot make" in told.stderr


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    monkeypatch.setenv("GRADLAB_CACHE", "mine")
    assert theory_cache.folder() == Path("mine")
    monkeypatch.setenv("GRADLAB_CACHE", "")
    assert theory_cache.folder() == Path("/shared/gradlab")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert theory_cache.folder() == Path("/home/someone/.cache/gradlab")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # nobody's home
    assert theory_cache.folder() is None


def test_without_a_folder_it_is_computed(
    computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theory_cache, "folder", lambda: None)
    theory_cache.gated(*POINT)
    assert theory_cache.gated(*POINT).cell == "lstm"
    assert computed.calls == 1


def test_a_figure_has_the_same_bytes_cached_or_not(where: Path, tmp_path: Path) -> None:
    """The theory itself, not a stand-in: computed for the first folder, read for the second."""
    config = {"cell": "gru_minimal", "hidden_size": 3, "seq_len": 70, "seeds": 2}
    record = run(settle(from_mapping({**config, "spectrum": "none"}).config)[1])
    pages = []
    for name in ("first", "second"):
        fresh()
        (tmp_path / name).mkdir()
        figures.save(record, tmp_path / name, ["svg"], 100, ["gradient_norms"])
        pages.append((tmp_path / name / "gradient_norms.svg").read_bytes())
    assert pages[0] == pages[1]
    assert len(list(where.iterdir())) == 1
