"""Checkpoints spare memory and change nothing.

Claims:
- for every cell with each of its options, and for a user's own, a run with states at every 16th
  step and one with states at the optimum distance have the arrays of the run that keeps all, bit
  for bit: norms, shares, gates, spectra, the split by lag, gradients of parameters;
- so for networks and options that go several ways through the trajectory;
- so for a single sequence, of several segments, blocks of several lengths, members that share
  what they are computed in, float32;
- without checkpoints such a run goes through its steps once and holds their states alone; its
  inputs are those that it drew before;
- `auto` takes that where the states fit, and checkpoints where they do not;
- `auto` takes the distance at which the states that are held and a segment are the least memory;
- where an ensemble is cut, the weights of its members count.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import memory
from gradlab.config import from_mapping
from gradlab.engine.forward import BLOCK
from gradlab.inputs import Inputs
from gradlab.kernels import kernel_of, lstm
from gradlab.memory import MEMORY, bytes_per_step, memory_plan, weight_bytes
from gradlab.plan import settle
from gradlab.spec import Spec
from tests.cells.derivatives import VARIANTS
from tests.cells.own_files import LSTM, RNN

SIZES: dict[str, Any] = {"hidden_size": 4, "input_size": 4, "seq_len": 70, "batch_size": 2}
SIZES |= {"seeds": 2, "theory": "none", "loss": {"value": "normal"}}
APART = {"lag_split": "none"}  # several loss terms by lag need all states at once


def assert_nothing_changes(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradlab.run({**SIZES, **config, "checkpoint": "none"})
    marked = gradlab.run({**SIZES, **config, "checkpoint": 16})
    with monkeypatch.context() as patch:
        patch.setattr(memory, "MEMORY", 2**14)  # less than all steps take
        spec = settle(from_mapping({**SIZES, **config}).config)[1]
        assert memory_plan(spec, 2)[1] is not None
        optimum = gradlab.run({**SIZES, **config, "checkpoint": "auto"})
    for other in (marked, optimum):
        assert other.arrays.keys() == whole.arrays.keys()
        for name, array in whole.arrays.items():
            assert other[name].tobytes() == array.tobytes(), name
        assert other.summary == whole.summary


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_cell(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, options = VARIANTS[variant]
    kind = cell.__name__.rpartition(".")[2]
    assert_nothing_changes({"cell": {"type": kind, **asdict(options)}}, monkeypatch)


# a run of one sequence has segments of 256 steps, and blocks of 16 or, from 1024 steps on, of 32
SINGLE: dict[str, Any] = {"batch_size": 1, "seq_len": 530, "lag_split": "none"}
KERNELLED = [name for name, (cell, _) in VARIANTS.items() if kernel_of(cell) is not None]


@pytest.mark.parametrize("variant", KERNELLED)
def test_a_single_sequence(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, options = VARIANTS[variant]
    kind = {"type": cell.__name__.rpartition(".")[2], **asdict(options)}
    assert_nothing_changes({**SINGLE, "cell": kind}, monkeypatch)


@pytest.mark.parametrize(
    "change",
    [
        {"seq_len": 1100, "record_every": 7},
        {"seq_len": 256},
        {"seq_len": 257, "dtype": "float32"},
        {"truncate": {"steps": 100, "mode": "chunked"}, "loss": {"at": "all"}},
        {"layers": 2, "bidirectional": True},
        {"bidirectional": True, "loss": {"type": "mse", "at": "all"}},
        {"generator": "mt19937"},
        {"clip": {"threshold": 0.1, "by": "step_norm"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_options_of_a_single_sequence(
    cell: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**SINGLE, "cell": cell, **change}
    assert_nothing_changes(config, monkeypatch)
    alone = gradlab.run({**SIZES, **config, "seeds": [1]})
    both = gradlab.run({**SIZES, **config})
    for name in ("log10_grad_norm_h", "gate_mean", "log10_weight_grad_norm"):
        assert alone[name][0].tobytes() == both[name][1].tobytes(), name


def test_the_steps_of_a_single_sequence_are_gone_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths, drawn = [], []
    recurrence = lstm.recurrence

    def counted(p: Any, like: Any) -> Any:
        advance = recurrence(p, like)

        def counting(x: Any, states: Any) -> None:
            lengths.append(len(x))
            advance(x, states)

        return counting

    def segment(own: Inputs, streams: Any, t0: int, n: int, dtype: Any) -> Any:
        drawn.append((t0, n))
        return right(own, streams, t0, n, dtype)

    right = Inputs.segment
    monkeypatch.setattr(lstm, "recurrence", counted)
    monkeypatch.setattr(Inputs, "segment", segment)
    config = {**SIZES, **SINGLE, "cell": "lstm", "seeds": 1}
    gradlab.run({**config, "checkpoint": "none"})
    assert sum(lengths) == 530
    assert drawn == [(0, 256), (256, 256), (512, 18), (256, 256), (0, 256)]
    lengths.clear()
    gradlab.run({**config, "checkpoint": 256})
    assert sum(lengths) == 530 + 512  # all but the last segment are gone through again


def test_auto_keeps_the_states_of_a_single_sequence_where_they_fit() -> None:
    """Of 128 numbers in 8 bytes: 1 KiB a step, a whole run being one of 128 Ki steps."""
    sizes = {"cell": "lstm", "hidden_size": 64, "input_size": 64, "batch_size": 1, "seeds": 1}
    assert MEMORY == 2**27
    assert memory_plan(spec_of(**sizes, seq_len=100_000), 1) == (1, None)
    assert memory_plan(spec_of(**sizes, seq_len=2**17), 1)[1] is not None
    # of two sequences activations are kept as well
    assert memory_plan(spec_of(**{**sizes, "batch_size": 2}, seq_len=50_000), 1)[1] is not None


@pytest.mark.parametrize("text", [RNN, LSTM], ids=["rnn", "lstm"])
def test_a_cell_of_ones_own(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    assert_nothing_changes({"cell": str(tmp_path / "mine.py")}, monkeypatch)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 3, "residual": True, "cell": "gru"},
        {"layers": 2, "bidirectional": True, "cell": "lstm_peephole"},
        {"tied": False, "cell": "lstm"},
        {"residual": True, "block": 2},
        {"encoder_decoder": {"encoder": 30, "decoder": 40}, "cell": "gru_2014"},
        {"truncate": {"steps": 7, "mode": "chunked"}, "loss": {"at": "all"}, **APART},
        {"truncate": 9},
        {"clip": {"threshold": 0.1, "by": "step_norm"}, "weight_scale": 2.0},
        {"dtype": "float32", "cell": "gru", "record_every": 3},
        {"loss": {"type": "mse", "at": "all"}, "cell": "lstm_coupled", **APART},
    ],
    ids=str,
)
def test_networks_and_options(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert_nothing_changes({"cell": "rnn", **change}, monkeypatch)


def spec_of(**changes: Any) -> Spec:
    return settle(from_mapping({"cell": "rnn", **SIZES, **changes}).config)[1]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "lstm_peephole"])
def test_auto_takes_the_least_memory(cell: str) -> None:
    """Marks and a segment, T s / k + k c, which is (x + 1 / x) / 2 times the least where k is x
    times the best. k is rounded to the nearest number of whole blocks, here of 64 steps: where the
    best is above one block, x is between 2 / 3 and 4 / 3, and that is at most 1.083.
    """
    spec = spec_of(cell=cell, hidden_size=32, input_size=32, batch_size=32, seq_len=40_000)
    state, kept = bytes_per_step(spec)
    _, every = memory_plan(spec, 1)
    assert every is not None and every % BLOCK == 0
    k = np.arange(1, spec.T + 1)
    held = spec.T * state / k + k * kept
    assert held[every - 1] < 1.1 * held.min()


def test_weights_count_where_an_ensemble_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, gradients and a term of them: three times 1.28 MB a member, states next to none."""
    monkeypatch.setattr(memory, "CACHE", 2**40)
    spec = spec_of(hidden_size=400, input_size=400, batch_size=1, seq_len=2)
    assert weight_bytes(spec) == 8 * (2 * 400**2 + 2 * 400)  # two matrices, two biases
    members, _ = memory_plan(spec, 10**6)
    assert 3 * weight_bytes(spec) * members <= MEMORY < 3.1 * weight_bytes(spec) * (members + 1)
