"""The benchmark of training, at a size that measures nothing, where PyTorch is installed.

Claims:
- both programs have the same losses: the table is printed;
- a program that learns otherwise is told, and there is no table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import training

torch = pytest.importorskip("torch")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(training, "SIZES", {"hidden_size": 6, "batch_size": 3, "seq_len": 5})
    monkeypatch.setattr(training, "VOCABULARY", 40)
    monkeypatch.setattr(training, "WORDS", 200)
    return training.text(tmp_path)


GIVEN = argparse.Namespace(rounds=2, updates=3, threads=1, dtype="float64")


@pytest.mark.parametrize("cell", training.CELLS)
def test_both_learn_the_same(cell: str, small: Path) -> None:
    line = training.compare(small, cell, GIVEN)
    assert line.startswith(f"| {cell} |")
    assert line.count("|") == 7


def test_another_learning_rate_is_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = training.Torch.__init__

    def faster(self: training.Torch, *rest: object) -> None:
        made(self, *rest)  # type: ignore[arg-type]
        self.step = torch.optim.SGD(self.parameters, lr=1.01 * training.RATE)

    monkeypatch.setattr(training.Torch, "__init__", faster)
    with pytest.raises(SystemExit, match="the losses differ"):
        training.compare(small, "rnn", GIVEN)
