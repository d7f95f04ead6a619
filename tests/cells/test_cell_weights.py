"""Weights from a file, for every cell.

Claims:
- what is saved under the cell's names comes back with its sizes, whatever tensors the cell has;
- sizes that a cell cannot have are told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.errors import GradlabError
from gradlab.weights import cell_tensors
from tests.cells.derivatives import VARIANTS, point


@pytest.mark.parametrize("variant", VARIANTS)
def test_there_and_back(variant: str, tmp_path: Path) -> None:
    at = point(variant, (5, 3, 2), "typical")
    one = {name: tensor[0] for name, tensor in at.tensors.items()}
    np.savez(tmp_path / "w.npz", **one)
    found, H, I = cell_tensors(tmp_path / "w.npz", "", at.cell, at.options)
    assert H == 5 and at.x.shape[1] == I
    assert found.keys() == one.keys()
    assert all(np.array_equal(found[name], one[name]) for name in one)


def test_a_peephole_that_is_missing_is_told(tmp_path: Path) -> None:
    at = point("lstm_peephole-if", (5, 3, 2), "typical")
    np.savez(tmp_path / "w.npz", **{name: tensor[0] for name, tensor in at.tensors.items()})
    with pytest.raises(GradlabError, match="has no peephole_o"):
        cell_tensors(tmp_path / "w.npz", "", at.cell, at.cell.Options())


def test_inputs_that_cannot_be_added_to_the_state_are_told(tmp_path: Path) -> None:
    cell = CELLS["lstm_simple"]
    np.savez(tmp_path / "w.npz", weight_ih=np.ones((10, 3)), bias_ih=np.ones(10))
    told = "hidden size 5, input size 3: input_size must equal hidden_size"
    with pytest.raises(GradlabError, match=told):
        cell_tensors(tmp_path / "w.npz", "", cell, cell.Options())
