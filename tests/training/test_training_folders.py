"""`gradlab train` and what it leaves.

Claims:
- a folder with curves, snapshots, a checkpoint, figures and a report; the same config gives the
  same bytes in every file but provenance.json;
- a training that is killed after any snapshot goes on from it: every file has the bytes of a
  training that was not; torn or foreign files there are not believed;
- ls lists one that is unfinished and clean leaves it, torn or not;
- Ctrl-C and a kill leave what the same command goes on from; two at a time are refused;
- the kept files go when the result is there, and a finished training is not done again;
- updates.csv has a row for each seed and update, equal to the record's curves;
- the checkpoint has the weights that the last snapshot is of;
- `gradlab run` names the right command, and so does `gradlab train` without a section `train`;
- show, report, ls, compare, check and a sweep work with a training.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
import gradlab.record
from gradlab.config import load
from gradlab.errors import GradlabError
from gradlab.expectations.names import names, scalars
from gradlab.job import Place, perform
from gradlab.store import Folder
from gradlab.training import course, kept
from gradlab.training.state import State
from tests.cli.commands import command, environment, refused
from tests.training.lessons import spec_of, text_file

CONFIG = """
cell: rnn
hidden_size: 6
seq_len: 12
batch_size: 4
seeds: 2
clip: 0.3
spectrum: {step: true, product: true, lyapunov: false}
train: {task: temporal_order, updates: 12, learning_rate: 0.5, optimizer: adam, snapshot_every: 3}
"""
FILES = {"config.yaml", "record.npz", "steps.csv", "summary.json", "provenance.json", "report.md"}
FILES |= {"updates.csv", "checkpoint.npz"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the one that tells of time and place."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.name != "provenance.json"
    }


def train(config: Path, results: Path, *more: str) -> Any:
    return command("train", config, "--results", results, *more)


def test_a_training_leaves_a_whole_folder(config: Path, tmp_path: Path) -> None:
    done = train(config, tmp_path / "a")
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "a" / "lesson"
    drawn = {"training_loss.png", "training_clip.png", "snapshots.png", "gradient_norms.png"}
    assert FILES | drawn <= {path.name for path in folder.iterdir()}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["lesson"]  # nothing is kept
    again = train(config, tmp_path / "b", "--no-figures", "--quiet")
    assert again.stdout == f"{tmp_path / 'b' / 'lesson'}\n"
    other = contents(tmp_path / "b" / "lesson")
    own = contents(folder)
    assert other.keys() - {"report.md"} == own.keys() & other.keys() - {"report.md"}
    assert all(own[name] == data for name, data in other.items() if name != "report.md")
    there = train(config, tmp_path / "a")
    assert "is there already" in there.stderr


def test_the_files_tell_the_same(config: Path, tmp_path: Path) -> None:
    train(config, tmp_path, "--no-figures")
    record = gradlab.load(tmp_path / "lesson")
    assert isinstance(record, gradlab.record.Record)
    with (tmp_path / "lesson" / "updates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["update"]) for row in rows] == [
        (str(seed), str(update)) for seed in range(2) for update in range(1, 13)
    ]
    for column, name in (("loss", "train_loss"), ("log10_grad_norm", "train_log10_norm")):
        found = np.array([float(row[column]) for row in rows]).reshape(2, 12)
        assert np.array_equal(found, record[name])
    assert record["snapshot_update"].tolist() == [0, 3, 6, 9, 12]
    for name in ("log10_grad_norm_h", "step_singular_values", "log10_lag_norm"):
        assert np.array_equal(record[f"snapshot_{name}"][:, -1], record[name], equal_nan=True)
        assert not np.array_equal(record[f"snapshot_{name}"][:, 0], record[name], equal_nan=True)
    state = State.of(np.load(tmp_path / "lesson" / "checkpoint.npz"), ("mean", "square"))
    assert state.update == 12
    values = np.linalg.svd(state.tensors["weight_hh"], compute_uv=False)
    # singular values of the same matrix, by another routine: a few roundings
    np.testing.assert_allclose(record["weight_singular_values"][:, 0], values, rtol=1e-12)


class Killed(BaseException):
    """As a signal would end it: nothing in gradlab catches it."""


@pytest.mark.fault("training: killed after any of its snapshots", "goes on, with the same bytes")
@pytest.mark.parametrize("at", [0, 3, 6, 9, 12])
@pytest.mark.parametrize("before", [False, True])
def test_a_killed_training_goes_on_with_the_same_bits(
    at: int, before: bool, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """before: it is killed between the snapshot and the state, which is then the one before."""
    place = Place(Folder(tmp_path / "whole"))
    perform(load(config, ["name=x"]), place, [], lambda line: None, draw=False)
    real = kept.write_whole

    def killing(path: Path, data: bytes) -> None:
        real(path, data)
        snapshot = path.with_name(f"snapshot-{at}.npz")
        if path == snapshot if before else path.name == "state.npz" and snapshot.exists():
            raise Killed

    place, said = Place(Folder(tmp_path / "killed")), []
    with monkeypatch.context() as patch:
        patch.setattr(kept, "write_whole", killing)
        with pytest.raises(Killed):
            perform(load(config, ["name=x"]), place, [], lambda line: None, draw=False)
    assert not place.folder.path.exists()
    perform(load(config, ["name=x"]), place, [], said.append, draw=False)
    last = at - 3 * before
    assert said == ([f"goes on after update {last}; --force starts over"] if last >= 0 else [])
    assert contents(place.folder.path) == contents(tmp_path / "whole")
    assert not (tmp_path / ".training").exists()


@pytest.mark.parametrize("torn", [False, True])
def test_an_unfinished_training_is_listed_and_left(
    torn: bool, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    stop_after(3, monkeypatch, lambda: run(config, Place(Folder(results / "x"))))
    state = results / ".training" / "x" / "state.npz"
    if torn:
        state.write_bytes(state.read_bytes()[:-100])
    listed = json.loads(command("ls", results, "--json").stdout)
    after = None if torn else 3
    unfinished = {"name": "x", "kind": "training", "unfinished": True, "unfinished_after": after}
    assert listed == [unfinished | {"done": None}]
    where = "unfinished" if torn else "after update 3"
    assert re.search(rf"^x +training +{where}", command("ls", results).stdout, re.M)
    refused(command("show", results / "x"), "is a training that is unfinished", "`gradlab train`")
    gradlab.run({"cell": "rnn", "hidden_size": 3, "figures": "none"}, out=results / "a")
    beside = json.loads(command("ls", results, "--json").stdout)
    assert [row["kind"] for row in beside] == ["run", "training"]
    assert beside[0].keys() == beside[1].keys() > {"verdict", "config", "identity", "done"}
    assert {key: value for key, value in beside[1].items() if value is not None} == {
        key: value for key, value in unfinished.items() if value is not None
    }
    assert beside[0]["unfinished"] is False
    files = sorted(state.parent.iterdir())
    cleaned = command("clean", results, "--yes")
    assert cleaned.exit_code == 0
    assert "`gradlab train` goes on with it" in cleaned.stderr
    assert sorted(state.parent.iterdir()) == files
    run(config, Place(Folder(results / "x")))
    finished = json.loads(command("ls", results, "--json").stdout)
    assert [(row["name"], row["kind"]) for row in finished] == [("a", "run"), ("x", "training")]
    assert finished[0].keys() == finished[1].keys()
    assert command("clean", results).stderr == "gradlab: nothing to remove\n"


@pytest.mark.fault("training: torn or foreign files of an unfinished one", "trained anew")
@pytest.mark.parametrize("what", ["state.npz", "snapshot-0.npz", "snapshot-3.npz"])
@pytest.mark.parametrize("how", ["torn", "gone", "foreign"])
def test_what_is_torn_or_foreign_is_not_gone_on_from(
    what: str, how: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(Folder(tmp_path / "x"))
    stop_after(3, monkeypatch, lambda: run(config, place))
    folder = tmp_path / ".training" / "x"
    assert (folder / what).is_file()
    if how == "torn":
        (folder / what).write_bytes((folder / what).read_bytes()[:-100])
    elif how == "gone":
        (folder / what).unlink()
    else:
        other = config.with_name("other.yaml")
        other.write_text(CONFIG.replace("clip: 0.3", "clip: 0.4"), encoding="utf-8")
        elsewhere = Place(Folder(tmp_path / "y"))
        stop_after(3, monkeypatch, lambda: run(other, elsewhere))
        (tmp_path / ".training" / "y" / what).replace(folder / what)
    # it does not say that it goes on; without a state there was nothing that could be lost
    assert run(config, place) == ([] if (what, how) == ("state.npz", "gone") else [kept.FOREIGN])
    whole = Place(Folder(tmp_path / "whole"))
    run(config, whole)
    assert contents(place.folder.path) == contents(whole.folder.path)


def run(config: Path, place: Place, *overrides: str) -> list[str]:
    """A training named x; what it said."""
    said: list[str] = []
    perform(load(config, ["name=x", *overrides]), place, [], said.append, draw=False)
    return said


def stop_after(update: int, monkeypatch: pytest.MonkeyPatch, job: Any) -> None:
    """Killed in the update after this one."""
    real = course.Trainer.update

    def killing(self: Any, state: State) -> None:
        if state.update == update:
            raise Killed
        real(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(course.Trainer, "update", killing)
        with pytest.raises(Killed):
            job()


def test_force_starts_over(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(Folder(tmp_path / "x"))
    stop_after(7, monkeypatch, lambda: run(config, place))
    assert run(config, Place(place.folder, force=True)) == []


@pytest.mark.fault("training: two of the same name at a time", "the second is refused")
def test_two_at_a_time_are_refused(config: Path, tmp_path: Path) -> None:
    from gradlab.job import settled

    spec = settled(load(config))[1]
    with kept.held(tmp_path / "lesson", spec, force=False, say=print):
        refused(train(config, tmp_path), "another gradlab trains lesson")
    assert train(config, tmp_path, "--no-figures").exit_code == 0


def test_a_training_that_has_stopped_early_goes_on_from_its_end(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss is below 100 from the first update on: both seeds end after the second, and are killed
    before the record is there. Snapshots 3, 6 and 9 are those that there never are.
    """
    config.write_text(
        CONFIG.replace("snapshot_every: 3", "snapshot_every: 3, stop_when: {loss: 100, over: 2}"),
        encoding="utf-8",
    )
    place = Place(Folder(tmp_path / "x"))

    def killing(*rest: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(course, "_records", killing)
        with pytest.raises(Killed):
            run(config, place)
    kept_of = sorted(path.name for path in (tmp_path / ".training" / "x").iterdir())
    assert kept_of == ["snapshot-0.npz", "snapshot-12.npz", "state.npz"]
    assert run(config, place) == ["goes on after update 12; --force starts over"]
    whole = Place(Folder(tmp_path / "whole"))
    run(config, whole)
    assert contents(place.folder.path) == contents(whole.folder.path)


def _begin_and_end(root: Path, name: str, often: int) -> None:
    spec = spec_of("temporal_order")
    for _ in range(often):
        with kept.held(root / name, spec, force=False, say=print):
            pass


def test_trainings_that_begin_and_end_side_by_side_do_not_meet(tmp_path: Path) -> None:
    """Three names in one results folder; who ends last removes the folder around them, while others
    begin. Of 1,500 ends a dozen did meet a beginning.
    """
    names = ["a", "b", "c"]
    context = multiprocessing.get_context("spawn")
    each = [
        context.Process(target=_begin_and_end, args=(tmp_path, name, 500), name=name)
        for name in names
    ]
    for process in each:
        process.start()
    for process in each:
        process.join()
    assert [process.exitcode for process in each] == [0, 0, 0]
    assert not (tmp_path / ".training").exists()


LONG = CONFIG.replace("updates: 12", "updates: 100000").replace("every: 3", "every: 50")


@pytest.mark.fault("training: Ctrl-C", "says where the same command goes on, and it does")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_says_where_it_goes_on(
    number: int, code: int, config: Path, tmp_path: Path
) -> None:
    config.write_text(LONG, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "train", str(config), "--results", str(tmp_path)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / ".training" / "lesson" / "snapshot-50.npz").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert "the same command goes on after update" in err
    assert "Traceback" not in err
    assert not (tmp_path / "lesson").exists()


# ---------------------------------------------------------------- other commands


def test_other_commands_name_the_right_one(config: Path, tmp_path: Path) -> None:
    refused(command("run", config, "--results", tmp_path), "`gradlab train`", "lesson.yaml:9")
    plain = config.with_name("plain.yaml")
    plain.write_text("cell: rnn\n", encoding="utf-8")
    refused(train(plain, tmp_path), "no section 'train'", "`gradlab run`")
    with pytest.raises(GradlabError, match=r"gradlab\.train"):
        gradlab.run(config)


def test_the_call_from_python_gives_the_same(config: Path, tmp_path: Path) -> None:
    train(config, tmp_path, "--no-figures")
    record, loaded = gradlab.train(config), gradlab.load(tmp_path / "lesson")
    assert isinstance(loaded, gradlab.record.Record)
    assert record.summary == loaded.summary
    assert record["train_loss"].tobytes() == loaded["train_loss"].tobytes()
    left = gradlab.train(config, "clip=none", out=tmp_path / "out")
    assert left.summary["train"]["clip"]["acted"] is None
    with pytest.raises(GradlabError, match=r"gradlab\.run"):
        gradlab.train({"cell": "rnn"})


def test_the_other_commands_read_a_training(config: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    train(config, results)
    train(config, results, "clip=none", "--no-figures")
    folder, other = results / "lesson", results / "lesson-clip=none"
    shown = command("show", folder)
    assert shown.exit_code == 0
    assert "Clip report" in shown.stdout
    assert "temporal order, 12 updates by adam" in shown.stdout
    told = json.loads(command("show", folder, "--json").stdout)
    assert told["train"]["clip"]["threshold"] == 0.3
    listed = command("ls", results)
    assert listed.exit_code == 0
    assert "lesson-clip=none" in listed.stdout
    final = told["train"]["final_loss_median"]
    assert f"loss {final:.3g}" in listed.stdout
    again = command("report", folder, "--html")
    assert again.exit_code == 0, again.stderr
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Clip report" in page
    beside = command("compare", folder, other)
    assert beside.exit_code == 0
    share = told["train"]["clip"]["acted"]
    lines = beside.stdout.splitlines()
    (acted,) = [line for line in lines if line.startswith("clip acted, all updates")]
    (loss,) = [line for line in lines if line.startswith("loss at the end, training")]
    assert f" {100 * share:.0f} %" in acted and f" {final:.3g} " in loss
    assert not any(line.startswith("clipping acted") for line in lines)  # of one batch
    stale = command("clean", results)
    assert stale.exit_code == 0
    assert "lesson" not in stale.stdout  # a training's folder is known


def test_a_training_may_be_expected_of(config: Path, tmp_path: Path) -> None:
    expect = """
expect:
  train.final_loss: {min: 0, max: 5}
  train.nonfinite.updates: 0
  train.clip.acted: {min: 0, max: 1, of: every}
  train.final_accuracy.mean: {min: 0}
"""
    config.write_text(CONFIG + expect, encoding="utf-8")
    done = command("check", config, "--results", tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    wrong = config.with_name("wrong.yaml")
    wrong.write_text(CONFIG + "expect: {train.final_perplexity.mean: 3}\n", encoding="utf-8")
    refused(command("check", wrong, "--results", tmp_path), "no 'train.final_perplexity.mean'")


def test_a_training_of_one_seed_is_held_as_it_is(config: Path, tmp_path: Path) -> None:
    """Over one seed there is no interval that could be held, and what asks for one is refused."""
    loss = gradlab.train(config, "seeds=1").summary["train"]["final_loss"]["mean"]

    def checked(expect: str) -> Any:
        wanted = f"expect={{train.final_loss: {{{expect}}}}}"
        return command("check", config, "seeds=1", wanted, "--results", tmp_path)

    held = checked(f"min: {0.99 * loss}, max: {1.01 * loss}")  # about the very same bits
    assert held.exit_code == 0, held.stdout + held.stderr
    assert "none" not in held.stdout
    assert checked(f"max: {0.99 * loss}").exit_code == 1
    assert checked(f"min: {1.01 * loss}").exit_code == 1
    refused(checked("max: 100, of: low"), "takes two seeds at least; here is one")


def test_a_sweep_over_trainings_has_the_records_of_each_alone(config: Path, tmp_path: Path) -> None:
    axes = {"train.learning_rate": [0.1, 0.5], "clip": ["none", 0.3], "cell": ["rnn", "gru"]}
    config.write_text(CONFIG + f"sweep: {json.dumps(axes)}\n", encoding="utf-8")
    done = command("sweep", config, "--results", tmp_path, "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    result = gradlab.load(tmp_path / "lesson")
    assert not isinstance(result, gradlab.record.Record)
    assert result.done == 8
    config.write_text(CONFIG, encoding="utf-8")
    for values in result.values():
        overrides = [f"{key}={value}" for key, value in values.items()]
        alone = gradlab.train(config, *overrides, "spectrum.product=false")
        found = result.record(values)
        for name in ("train_loss", "train_log10_norm", "snapshot_log10_grad_norm_h"):
            assert found[name].tobytes() == alone[name].tobytes(), (name, values)
    with (tmp_path / "lesson" / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, (_, record) in zip(rows, result.records(), strict=True):
        assert float(row["train_final_loss_mean"]) == record.summary["train"]["final_loss"]["mean"]
    page = (tmp_path / "lesson" / "report.md").read_text(encoding="utf-8")
    assert "trained: of 16 seeds" in page


TOLD: list[dict[str, Any]] = [
    {"task": "adding"},
    {"task": "temporal_order", "clip": {"threshold": 0.1, "by": "value"}},
    {"task": "text", "seeds": 1, "cell": "lstm"},
]


@pytest.mark.parametrize("keys", TOLD, ids=str)
def test_what_may_be_expected_is_what_the_summary_has(keys: dict[str, Any], tmp_path: Path) -> None:
    task = text_file(tmp_path) if keys["task"] == "text" else keys["task"]
    others = {key: value for key, value in keys.items() if key != "task"}
    spec = spec_of(task, {"updates": 3}, **others)
    summary = course.train_many([spec])[0].summary
    assert set(scalars(summary)) - {"caveats"} <= set(names(spec).scalars) | nothing(summary)
    own = {name for name in scalars(summary) if name.startswith("train.")}
    assert own == {name for name in names(spec).scalars if name.startswith("train.")}


def nothing(summary: dict[str, Any]) -> set[str]:
    """Names whose value is none at all, whatever the experiment."""
    return {n for n, v in scalars(summary).items() if v is None or n.startswith("reasons.")}
