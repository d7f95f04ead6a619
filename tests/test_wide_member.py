"""One member in several threads: nothing of it shows but the time.

Claims:
- for every cell, kernel or none, of a size whose products are cut, and for layers, directions, sets
  of weights, checkpoints, float32 and clipping, all arrays, the summary and all names are those of
  one thread with two and three, warnings being errors;
- the threads have a part in it: products, gradients and spectra are done by several;
- cut products change nothing but last digits: a run with them is the run without;
- a gradient in parts is the sum of the outer products, and a member's bits are its own, also where
  some rows explode or vanish beside others, and members beside members;
- threads within are for members that are wide, no more than pieces, shared with those over members;
- an error in a piece is told as without threads, Ctrl-C ends all at once; nothing is written.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import large
from gradlab import split as splitting
from gradlab.cells import CELLS
from gradlab.config import from_mapping
from gradlab.engine import sums
from gradlab.footprint import fitting
from gradlab.kernels import layout
from gradlab.plan import settle
from gradlab.split import split
from tests.cells.derivatives import VARIANTS
from tests.engine.ensembles import assert_same_bits, drawn, everything, value

ROOT = Path(__file__).resolve().parents[1]
# a step of the narrowest cell has two pieces
WIDE: dict[str, Any] = {"hidden_size": 512, "batch_size": 32, "seq_len": 6, "seeds": 1}
WIDE |= {"spectrum": "none", "lag_split": "none", "theory": "none"}
SMALL: dict[str, Any] = {**WIDE, "hidden_size": 24, "batch_size": 4, "seq_len": 40}
KINDS: dict[str, dict[str, Any]] = {
    "clipped": {"cell": "gru", "clip": 0.1, "spectrum": {"product": True, "lyapunov": True}},
    "checkpoints": {"cell": "lstm", "checkpoint": 16},
    "split by lag": {"cell": "lstm", "lag_split": "all", "loss": {"type": "mse", "at": "all"}},
    "both directions": {"cell": "gru", "bidirectional": True, "layers": 2},
    "layers": {"cell": "rnn", "layers": 3, "residual": True},
    "two ends": {"cell": "lstm", "encoder_decoder": {"encoder": 25, "decoder": 15}},
    "fresh weights": {"cell": "rnn", "tied": False},
    "float32": {"cell": "gru", "dtype": "float32"},
    "overflow": {"cell": "linear", "weight_scale": 1e30},
    "vanishing": {"cell": "linear", "weight_scale": 1e-30},
    "two members": {"cell": "gru", "seeds": 2},
    "one sequence": {"cell": "lstm", "batch_size": 1},
    "one sequence, one gate": {"cell": "rnn", "batch_size": 1},
    "one sequence, float32": {"cell": "rnn", "batch_size": 1, "dtype": "float32"},
    "one sequence, no slope": {"cell": "linear", "batch_size": 1, "checkpoint": 16},
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pieces of a few rows: small runs are quick to test."""
    for module, name, number in (
        (large, "WORK", 2**7),
        (large, "FEW", 8),
        (large, "ROWS", 3),
        (large, "EVEN", 1),
        (layout, "NEVER", 0),
        (splitting, "BUSY", np.inf),
    ):
        monkeypatch.setattr(module, name, number)
    large.cut.cache_clear()
    yield
    large.cut.cache_clear()


def assert_alike(config: dict[str, Any]) -> None:
    alone = gradlab.run(config)
    for jobs in (2, 3):
        together = gradlab.run(config, jobs=jobs)
        assert together.arrays.keys() == alone.arrays.keys()
        for name, array in alone.arrays.items():
            assert together[name].tobytes() == array.tobytes(), (jobs, name)
        assert together.summary == alone.summary
        assert together.names == alone.names


@pytest.mark.parametrize("cell", CELLS)
def test_the_bits_of_a_wide_member_are_those_of_one_thread(cell: str) -> None:
    assert_alike({**WIDE, "cell": cell})


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", KINDS)
def test_so_are_those_of_any_kind_of_run(kind: str) -> None:
    config = {**SMALL, **KINDS[kind]}
    if "encoder_decoder" in config:
        del config["seq_len"]
    spec = settle(from_mapping(config).config)[1]
    assert split(spec, len(spec.seeds), 3 * len(spec.seeds)).within == 3
    assert_alike(config)


@pytest.mark.parametrize("what", ["product", "gradient", "spectrum"])
def test_the_threads_have_a_part_in_it(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for another one before it goes on, or until it is clear that none comes."""
    module, name = {
        "product": (large, "_piece"),
        "gradient": (sums, "_term"),
        "spectrum": (gradlab.ensemble, "recurrent_spectrum"),
    }[what]
    found: set[threading.Thread] = set()
    seen, sound = threading.Event(), getattr(module, name)

    def watched(*given: Any) -> Any:
        found.add(threading.current_thread())
        if found != {threading.main_thread()}:
            seen.set()
        seen.wait(5)
        return sound(*given)

    monkeypatch.setattr(module, name, watched)
    gradlab.run({**WIDE, "cell": "gru", "seq_len": 20}, jobs=2)
    assert found > {threading.main_thread()} or (what == "spectrum" and found)
    assert (threading.main_thread() not in found) == (what == "spectrum")


@pytest.mark.parametrize("variant", VARIANTS)
def test_cut_products_change_last_digits_alone(
    variant: str, request: pytest.FixtureRequest
) -> None:
    e = drawn(variant, [0, 1], H=24, B=4, T=21, I=13)
    plain = e.gradients()
    request.getfixturevalue("tiny")
    found = e.gradients()
    # sums of some hundred terms in another order, over a few steps
    for name, norm in plain.norms.items():
        assert np.allclose(value(found.norms[name]), value(norm), rtol=1e-12, atol=0)
    for name, gradient in plain.parameters.items():
        own, size = value(found.parameters[name]), np.abs(value(gradient)).max()
        assert np.abs(own - value(gradient)).max() <= 1e-12 * size, name
    for r in (0, 1):  # a member's bits are its own
        assert_same_bits(everything(found), everything(e.members([r]).gradients()), [r], [0])


@pytest.mark.usefixtures("tiny")
def test_rows_that_explode_beside_rows_that_vanish() -> None:
    """h_t = D h_{t-1} with a diagonal D: the gradient of row i is delta_i h_j, whatever the others
    are. Powers of two, so that all is exact: dL/dW_ij = sum_t d_i^(T-t) d_j^(t-1) for h_0 = 1.
    """
    T, H = 12, 9
    power = np.array([-60, 0, 60, -80, 80, 0, -1, 1, -70])  # 2^(80 * 12) is within the range
    cell, options = VARIANTS["linear"]
    tensors = {
        "weight_hh": np.ldexp(np.eye(H), power[:, None])[None],
        "weight_ih": np.zeros((1, H, 1)),
    }
    one = drawn("linear", [0], H=H, B=1, T=T, I=1)
    e = type(one)(
        cell, options, tensors, np.zeros((T, 1, 1, 1)), np.ones((1, H, 1)), np.ones((1, H, 1)), (T,)
    )
    found = e.gradients().parameters["weight_hh"]
    t = np.arange(1, T + 1)
    exponent = power[:, None, None] * (T - t) + power[None, :, None] * (t - 1)
    expected = np.ldexp(1.0, exponent).sum(axis=-1)
    # the small rows are below the large ones by up to 2^1800: what is so far down is lost
    kept = expected > expected.max() * 2.0**-1000
    assert kept.sum() > H * H // 2
    own = np.ldexp(found.mantissa[0], found.exponent[0])
    # twelve terms are summed, each exact
    assert np.allclose(own[kept], expected[kept], rtol=12 * np.finfo(float).eps, atol=0)


def within(members: int, jobs: int, **changes: Any) -> tuple[int, int]:
    spec = settle(from_mapping({**WIDE, "cell": "gru", **changes}).config)[1]
    cut = split(spec, members, jobs)
    return cut.workers, cut.within


def test_threads_within_are_for_wide_members() -> None:
    assert within(1, 1) == (1, 1)
    assert within(1, 2) == (1, 2)
    assert within(1, 1000)[1] == len(large.cut(3 * 512, 512, 32))
    assert within(2, 2) == (2, 1)
    assert within(2, 4) == (2, 2)
    assert within(3, 4) == (3, 1)
    assert within(1, 8, hidden_size=64) == (1, 1)
    assert within(1, 8, cell="lstm_simple")[1] == 1  # no matrix


def test_a_wide_member_is_given_more_threads_than_members() -> None:
    for changes, jobs in (({}, 2), ({"hidden_size": 64}, 1), ({"hidden_size": 64, "seeds": 3}, 2)):
        spec = settle(from_mapping({**WIDE, "cell": "gru", **changes}).config)[1]
        assert fitting(spec, 2) == jobs


def test_an_error_in_a_piece_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = large._piece

    def failing(*given: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError("so much")
        sound(*given)

    monkeypatch.setattr(large, "_piece", failing)
    before = threading.active_count()
    with pytest.raises(MemoryError, match="so much"):
        gradlab.run({**WIDE, "cell": "gru", "seq_len": 2000, "checkpoint": 16}, jobs=2)
    assert threading.active_count() == before


INTERRUPTED = """
import os, signal, sys, threading
from gradlab import ensemble, large
sound, calls = large._piece, []
def piece(*given):
    calls.append(threading.current_thread())
    if len(calls) == 100:
        os.kill(os.getpid(), {number})
    sound(*given)
large._piece = piece
from gradlab.cli import main
sys.argv = ["gradlab", "run", "c.yaml", "-q", "-j", "3"]
main()
"""
# a quarter of an hour
LONG = """
{cell: gru, hidden_size: 512, batch_size: 32, seq_len: 100000, seeds: 1, name: c,
 figures: none, theory: none, spectrum: none}
"""


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_all_threads(number: int, code: int, word: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(LONG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", INTERRUPTED.format(number=int(number))],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"gradlab: {word}; nothing was written\n"
    left = tmp_path / "results"
    assert not left.exists() or not list(left.iterdir())
