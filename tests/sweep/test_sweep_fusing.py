"""Fusing changes nothing.

- a point's record is bit-identical to `gradlab.run` of that point alone, however the points are
  fused, in both precisions, and beside points that overflow, explode or die out
- the same holds when an ensemble is cut to fit a small memory
- points with other shapes, and every point, are there once and in order
- the ids of tasks depend neither on how they are run nor on the shard
- the table has the same bytes whoever computed the points
- points that are spelled differently but are the same experiment each keep their row

There are no tolerances: equal bits are what is claimed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweeping import TINY, ids, perform, planned, scales, table

import gradlab
from gradlab.config import sweep_from_mapping
from gradlab.errors import GradlabError
from gradlab.memory import memory_plan
from gradlab.sweeps.execute import Processes, Serial
from gradlab.sweeps.points import tasks
from gradlab.sweeps.result import SweepResult

# One experiment alone would give the member's bits trivially; more than one seed and sequence,
# odd sizes, and a scale at which the linear, relu and float32 networks leave the range of floats.
SMALL: dict[str, Any] = {
    "hidden_size": 5,
    "input_size": 3,
    "seq_len": 40,
    "batch_size": 2,
    "seeds": 3,
    "spectrum": {"values": 2, "sequences": 2, "product": True, "lyapunov": True},
    "gate_histogram": True,  # auto is yes in a run and no in a sweep
}
WILD = [0.5, 1e30, 1.0, 0.0, 30.0, 1.5, 1e-30]

CELLS: dict[str, Any] = {
    "rnn": "rnn",
    "relu": {"type": "rnn", "activation": "relu"},
    "lstm": "lstm",
    "gru": "gru",
    "linear": "linear",
}


def same_bits(one: Any, other: Any) -> None:
    """Two records agree to the last bit, also where they hold NaN."""
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert (array.dtype, array.shape) == (other[name].dtype, other[name].shape), name
        assert array.tobytes() == other[name].tobytes(), name
    assert one.summary == other.summary
    assert one.names == other.names
    assert one.config == other.config
    assert one.identity == other.identity


@pytest.mark.parametrize("most", [1, 3, 256])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_fused_point_has_the_bits_of_a_single_run(
    cell: str, dtype: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", most)
    base = {**SMALL, "cell": CELLS[cell], "dtype": dtype}
    plan = planned({**base, "sweep": {"weight_scale": WILD}})
    assert [len(task.points) for task in plan.tasks] == {1: [1] * 7, 3: [3, 3, 1], 256: [7]}[most]
    perform(plan, tmp_path)
    result = SweepResult(tmp_path)
    outcomes = set()
    for scale in WILD:
        record = result.record(weight_scale=scale)
        same_bits(record, gradlab.run({**base, "weight_scale": scale}))
        outcomes.add(record.summary["outcome"])
    if cell in ("relu", "linear"):
        assert outcomes == {"ok", "overflow"}  # else this test would not be about what it says


@pytest.mark.parametrize("cell", CELLS)
def test_a_fused_point_has_the_largest_values_of_a_single_run(cell: str, tmp_path: Path) -> None:
    """Found by an iteration: each matrix by itself, whatever the others need."""
    spectrum = {"step": "largest", "product": "largest", "lyapunov": False, "sequences": 2}
    base = {**SMALL, "cell": CELLS[cell], "spectrum": spectrum}
    perform(planned({**base, "sweep": {"weight_scale": WILD}}), tmp_path)
    result = SweepResult(tmp_path)
    for scale in WILD:
        same_bits(result.record(weight_scale=scale), gradlab.run({**base, "weight_scale": scale}))


def test_points_that_clip_differently_are_fused_and_keep_their_bits(tmp_path: Path) -> None:
    base = {**SMALL, "cell": "gru", "weight_scale": 1.5}
    clips = [
        {"threshold": 1e-3, "by": "global_norm"},
        {"threshold": 10.0, "by": "global_norm"},
        {"threshold": 1e-4, "by": "value"},
        {"threshold": 1e-3, "by": "step_norm"},
        {"threshold": 1e-1, "by": "step_norm"},
    ]
    plan = planned({**base, "sweep": {"clip": clips}})
    assert [len(task.points) for task in plan.tasks] == [3, 2]
    perform(plan, tmp_path)
    records = dict(SweepResult(tmp_path).records())
    for index, clip in enumerate(clips):
        same_bits(records[index], gradlab.run({**base, "clip": clip}))


def test_cutting_an_ensemble_for_memory_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {**SMALL, "cell": "lstm", "seq_len": 300}
    alone = {scale: gradlab.run({**base, "weight_scale": scale}) for scale in (0.5, 1.5, 1e30)}
    plan = planned({**base, "sweep": {"weight_scale": [0.5, 1.5, 1e30]}})
    spec = plan.tasks[0].points[0].spec
    monkeypatch.setattr("gradlab.memory.MEMORY", 2**16)
    members, _ = memory_plan(spec, 9)
    assert members % 3 and members < 9  # the cuts go through the middle of a point
    perform(plan, tmp_path)
    for scale, record in alone.items():
        same_bits(SweepResult(tmp_path).record(weight_scale=scale), record)


def test_a_mixed_sweep_is_fused_by_shape_and_every_point_comes_in_order(tmp_path: Path) -> None:
    axes = {"seq_len": [5, 9], "cell": ["rnn", "lstm"], "weight_scale": [0.5, 1.0]}
    mapping = {**SMALL, "sweep": axes}
    plan = planned(mapping)
    assert [[p.index for p in task.points] for task in plan.tasks] == [
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
    ]
    perform(plan, tmp_path)
    records = list(SweepResult(tmp_path).records())
    assert [index for index, _ in records] == list(range(8))
    sweep = sweep_from_mapping(mapping)
    for index, record in records:
        values = sweep.values(index)
        same_bits(record, gradlab.run({**SMALL, **values}))


def test_a_different_number_of_seeds_is_another_task(tmp_path: Path) -> None:
    plan = planned({**TINY, "cell": "rnn", "sweep": {"seeds": [1, 2, [5], [6, 7]]}})
    assert [[p.index for p in task.points] for task in plan.tasks] == [[0, 2], [1, 3]]
    perform(plan, tmp_path)
    for index, seeds in enumerate([1, 2, [5], [6, 7]]):
        record = dict(SweepResult(tmp_path).records())[index]
        same_bits(record, gradlab.run({**TINY, "cell": "rnn", "seeds": seeds}))


@pytest.mark.fault("sweep: ids", "the same on any machine, in any order of keys")
def test_ids_depend_on_the_sweep_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 2)
    mapping = scales(7)
    first = ids(planned(mapping).tasks)
    assert len(set(first)) == 4
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("GRADLAB_JOBS", "7")
    assert ids(planned(dict(reversed(mapping.items()))).tasks) == first
    perform(planned(mapping), tmp_path / "some", shard=(2, 3))
    assert ids(planned(mapping).tasks) == first
    assert {p.stem for p in (tmp_path / "some" / "tasks").iterdir()} == {first[1]}
    assert ids(planned({**mapping, "seq_len": 7}).tasks) != first


def test_the_id_is_that_of_the_points_and_not_of_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 3)
    every = [p for task in planned(scales(6)).tasks for p in task.points]
    half, whole = tasks(every[:3]), tasks(every)
    assert half[0].id == whole[0].id != whole[1].id


def test_the_table_has_the_same_bytes_whoever_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 2)
    axes = {"weight_scale": [0.5, 1.0, 1e30], "cell": ["rnn", "linear"]}
    plan = planned({**SMALL, "sweep": axes})
    perform(plan, tmp_path / "serial", Serial())
    expected = table(tmp_path / "serial")
    assert len(expected.splitlines()) == 7
    perform(plan, tmp_path / "processes", Processes(2))
    assert table(tmp_path / "processes") == expected
    for shard in ((3, 3), (1, 3), (2, 3)):
        assert not (tmp_path / "shards" / "table.csv").exists()
        perform(plan, tmp_path / "shards", shard=shard)
    assert table(tmp_path / "shards") == expected
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 256)
    perform(planned({**SMALL, "sweep": axes}), tmp_path / "fused")
    assert table(tmp_path / "fused") == expected


@pytest.mark.parametrize("most", [1, 256])
def test_one_experiment_spelled_in_two_ways_keeps_both_rows(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", most)
    perform(planned({**TINY, "cell": "rnn", "sweep": {"seeds": [2, [0, 1]]}}), tmp_path)
    rows = table(tmp_path).decode().splitlines()[1:]
    assert rows[0].startswith("2,")
    assert rows[1].startswith('"[0, 1]",')
    assert rows[0].removeprefix("2,") == rows[1].removeprefix('"[0, 1]",')


@pytest.mark.fault(
    "sweep: an exception in one point", "a row with its reason; no other row changes"
)
def test_a_point_that_fails_is_a_row_with_its_reason_and_changes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third point raises, alone and fused; the others have the bits of single runs."""
    from gradlab.sweeps import work

    sound = work.run_many

    def run_many(specs: Any) -> Any:
        if any(spec.weight_scale == 0.3 for spec in specs):
            raise FloatingPointError("a singular matter")
        return sound(specs)

    monkeypatch.setattr(work, "run_many", run_many)
    progress, _ = perform(planned(scales(5)), tmp_path)
    assert (progress.done, progress.failed) == (5, 1)
    rows = table(tmp_path).decode().splitlines()[1:]
    assert [row.endswith(",") for row in rows] == [True, True, False, True, True]
    assert rows[2].startswith("0.29999999999999999,,")
    assert 'failed,,"FloatingPointError: a singular matter (run_many, line ' in rows[2]
    with pytest.raises(GradlabError) as shown:  # the whole traceback is kept with the point
        SweepResult(tmp_path).record(weight_scale=0.3)
    first, *frames = str(shown.value).splitlines()
    assert first.startswith("this point failed: FloatingPointError: a singular matter (")
    assert "Traceback" in frames[0] and frames[-1] == "  FloatingPointError: a singular matter"
    for scale in (0.1, 0.2, 0.4, 0.5):
        record = SweepResult(tmp_path).record(weight_scale=scale)
        same_bits(record, gradlab.run({**TINY, "cell": "rnn", "weight_scale": scale}))
    assert np.isfinite(record["log10_grad_norm_h"][:, :-1]).all()
