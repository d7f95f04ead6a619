"""A sweep as one file: every point's curve is there with its swept values, and nothing else.

Claims:
- csv holds each point's rows with the digits of its record, empty where a cell has no such column;
- parquet and netcdf (where their extras are installed) hold the same; the labelled array has the
  swept keys as dimensions;
- an unfinished or missing sweep is refused.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import gradlab
from gradlab.errors import GradlabError
from gradlab.report.export import write
from gradlab.sweeps.result import SweepResult

SMALL = {"hidden_size": 3, "batch_size": 2, "seq_len": 4, "seeds": 2, "cell": "rnn"}
AXES = {"cell": ["rnn", "lstm"], "weight_scale": [0.5, 1.5, 2.0]}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    out = tmp_path_factory.mktemp("sweep") / "out"
    return gradlab.sweep({**SMALL, "sweep": AXES}, out=out)


def test_csv_holds_every_curve(result: SweepResult) -> None:
    with write(result, "csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 2 * 5  # points, seeds, steps 0 .. 4
    for row in rows:
        record = result.record(cell=row["cell"], weight_scale=float(row["weight_scale"]))
        at = int(row["seed"]), int(row["t"])
        assert float(row["log10_grad_norm_h"]) == record["log10_grad_norm_h"][at]  # 17 digits
        assert (row["log10_grad_norm_c"] == "") == (row["cell"] == "rnn")


def test_parquet_holds_the_same(result: SweepResult) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write(result, "parquet")).to_pylist()
    with write(result, "csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cell"] for row in table] == [row["cell"] for row in rows]
    for one, other in zip(table, rows, strict=True):
        assert one["grad_norm_h"] == float(other["grad_norm_h"])
        assert one["t"] == int(other["t"])


def test_netcdf_has_the_swept_keys_as_dimensions(result: SweepResult) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    with xarray.open_dataset(write(result, "netcdf"), engine="h5netcdf") as data:
        assert data.log10_grad_norm_h.dims == ("cell", "weight_scale", "seed", "lag")
        record = result.record(cell="lstm", weight_scale=1.5)
        curve = data.log10_grad_norm_c.sel(cell="lstm", weight_scale=1.5, seed=1)
        np.testing.assert_array_equal(curve, record["log10_grad_norm_c"][1, ::-1])
        rate = data.growth_rate_mean.sel(cell="lstm", weight_scale=1.5)
        assert float(rate) == record.summary["growth_rate"]["mean"]
        assert np.isnan(data.log10_grad_norm_c.sel(cell="rnn")).all()


def test_what_is_no_sweep_or_cannot_be_written_is_refused(
    result: SweepResult, tmp_path: Path
) -> None:
    with pytest.raises(GradlabError, match="holds no sweep"):
        SweepResult(tmp_path)
    with pytest.raises(GradlabError, match="cannot write"):
        write(result, "csv", tmp_path / "nowhere" / "x.csv")
