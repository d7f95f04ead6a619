"""The weights that a training leaves are weights that a run can begin from.

Claims:
- checkpoint.npz has a layer for each member, with the kind, the sizes and the very numbers that the
  member has at the end;
- a run from them has the singular values of the recurrent weights that the last snapshot has;
- a checkpoint whose arrays are not of so many members is refused in one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.weights import layers
from gradlab.weights.checkpoint import START

LESSON: dict[str, Any] = {
    "hidden_size": 5,
    "seq_len": 10,
    "batch_size": 3,
    "seeds": [7, 4],
    "spectrum": "none",
    "train": {"task": "adding", "updates": 4, "learning_rate": 0.1, "snapshot_every": 2},
}
CELLS: dict[str, dict[str, Any]] = {
    "lstm": {"cell": "lstm"},
    "two layers": {"cell": "rnn", "layers": 2},
    "three blocks that are not gru's": {"cell": "gru_2014"},
}


@pytest.fixture(params=CELLS)
def trained(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], Record, Path]:
    """What was given, what was found, and the checkpoint."""
    given = LESSON | CELLS[request.param]
    record = gradlab.train(given, out=tmp_path / "lesson")
    return given, record, tmp_path / "lesson" / "checkpoint.npz"


def test_a_checkpoint_has_a_layer_for_every_member(
    trained: tuple[dict[str, Any], Record, Path],
) -> None:
    given, _, checkpoint = trained
    found, kept = layers(checkpoint), np.load(checkpoint)
    assert [one.prefix for one in found] == ["member0.", "member1."]
    for k, one in enumerate(found):
        assert (one.hidden_size, one.input_size) == (5, 2)
        for name, array in one.tensors.items():
            file = name if given.get("layers") else name.removesuffix("_l0")
            assert np.array_equal(array, kept[START + file][k])


def test_a_run_goes_on_with_the_weights_that_were_learned(
    trained: tuple[dict[str, Any], Record, Path],
) -> None:
    given, record, checkpoint = trained
    for k in range(2):
        init = {"file": str(checkpoint), "prefix": f"member{k}.", "compare": False}
        run = gradlab.run({"cell": given["cell"], "init": init, "seq_len": 30, "seeds": 1})
        # the same matrices through the same routine
        values = record["weight_singular_values"]
        assert np.array_equal(run["weight_singular_values"][0], values[k])


def test_a_damaged_checkpoint_is_refused(
    trained: tuple[dict[str, Any], Record, Path], tmp_path: Path
) -> None:
    arrays = dict(np.load(trained[2]))
    name = next(key for key in arrays if key.startswith(START))
    np.savez(tmp_path / "cut.npz", **{**arrays, name: arrays[name][:1]})
    with pytest.raises(GradlabError, match=r"cut\.npz: weights\..*has shape .* 2 members"):
        layers(tmp_path / "cut.npz")
