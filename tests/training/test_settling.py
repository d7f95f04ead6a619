"""From the section `train` to what is trained: what is settled, and what is refused.

Claims:
- what does not go with a training is refused in one line at its key, before anything is made;
- the settled config runs again as it is: the same identity, the same text;
- the identity hangs on all that changes a number, and not on names, figures, expectations;
- a config without `train` has the identity that it would have if there were no such key;
- networks, precisions, generators, weights of a file and every way to clip and cut can be trained.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.config import dump, from_mapping, load
from gradlab.errors import GradlabError
from gradlab.identity import describe
from gradlab.lessons.settling import SNAPSHOTS
from gradlab.plan import settle
from gradlab.training.course import train_many
from tests.training.lessons import SMALL, after, spec_of, text_file, trainer_of

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"inputs": "normal"}, "inputs", "inputs cannot be given with train"),
    ({"loss": "mse"}, "loss", "loss cannot be given with train"),
    ({"tied": False}, "tied", "one set of weights"),
    ({"bidirectional": True}, "bidirectional", "in one direction"),
    ({"block": 2, "residual": True}, "block", "remove block"),
    ({"encoder_decoder": {"encoder": 6, "decoder": 6}}, "encoder_decoder", "one set of weights"),
    ({"input_size": 3}, "input_size", "the task adding has 2 inputs"),
    ({"seq_len": 1}, "seq_len", "two numbers are marked, which takes 2 steps"),
    ({"stop_when": {"accuracy": 0.9}}, "train", "no classes, so no accuracy"),
    ({"task": {"type": "copy", "length": 6}}, "seq_len", "take 13 steps; seq_len is 12"),
    ({"task": "temporal_order", "seq_len": 9}, "seq_len", "takes 10 steps; seq_len is 9"),
    ({"task": {"type": "language_model", "path": "absent"}}, "train", "there is no file"),
]


@pytest.mark.parametrize(("keys", "key", "words"), WRONG, ids=lambda x: str(x)[:40])
def test_what_does_not_go_with_a_training_is_refused(
    keys: dict[str, Any], key: str, words: str
) -> None:
    train = {name: keys[name] for name in ("task", "stop_when") if name in keys}
    others = {name: value for name, value in keys.items() if name not in train}
    task = train.pop("task", "adding")
    with pytest.raises(GradlabError, match=words) as refused:
        spec_of(task, train, **others)
    (problem,) = refused.value.problems
    assert problem.key[0] == key
    assert "\n" not in problem.message


def test_a_text_that_is_too_short_is_refused(tmp_path: Path) -> None:
    task = text_file(tmp_path, "a short text")
    with pytest.raises(GradlabError, match="the text has 12 symbols") as refused:
        spec_of(task)
    assert refused.value.problems[0].key == ("train", "task", "path")
    with pytest.raises(GradlabError, match="one char only"):
        spec_of(text_file(tmp_path, "a" * 500))


@pytest.mark.parametrize(
    "task", ["adding", "temporal_order", {"type": "copy", "length": 2}, "text"]
)
def test_the_settled_config_runs_again_as_it_is(task: Any, tmp_path: Path) -> None:
    what = text_file(tmp_path) if task == "text" else task
    mapping = {**SMALL, "train": {"task": what, "updates": 25}}
    config, spec = settle(from_mapping(mapping).config)
    assert spec.train is not None
    assert len(spec.train.snapshots) <= SNAPSHOTS + 1
    assert spec.train.snapshots[0] == 0
    assert spec.train.snapshots[-1] == 25
    text = dump(config, tmp_path)
    assert not any(line.startswith(("inputs:", "loss:")) for line in text.splitlines())
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")
    again, same = settle(load(tmp_path / "again.yaml").config)
    assert same.identity == spec.identity
    assert dump(again, tmp_path) == text


CHANGES: list[dict[str, Any]] = [
    {"updates": 21},
    {"learning_rate": 0.02},
    {"optimizer": "adam"},
    {"optimizer": {"type": "momentum", "momentum": 0.5}},
    {"snapshot_every": 7},
    {"nonfinite": "stop"},
    {"output_scale": 0.2},
    {"stop_when": {"loss": 0.1}},
]


def test_the_identity_hangs_on_all_that_changes_a_number() -> None:
    base = spec_of("temporal_order")
    others = [spec_of("temporal_order", change) for change in CHANGES]
    others += [spec_of({"type": "temporal_order", "order": 3}), spec_of("temporal_order", clip=1.0)]
    assert len({base.identity, *(one.identity for one in others)}) == len(others) + 1
    same = [spec_of("temporal_order", name="x"), spec_of("temporal_order", figures="none")]
    same.append(spec_of({"type": "temporal_order", "order": 2}, {"learning_rate": 0.01}))
    assert {one.identity for one in same} == {base.identity}


def test_without_a_training_nothing_is_said_of_it() -> None:
    """So results from before there was one are still those of their configs."""
    told, _ = describe(settle(from_mapping({"cell": "rnn"}).config)[0])
    assert "train" not in told
    assert "inputs" in told


def weights_file(folder: Path) -> str:
    cell = CELLS["rnn"]
    shapes = cell.shapes(8, 6, 2, cell.Options())
    rng, buffer = np.random.default_rng(0), io.BytesIO()
    tensors: dict[str, Any] = {f"{n}_l0": rng.normal(size=s) / 3 for n, s in shapes.items()}
    np.savez(buffer, **tensors)
    (folder / "rnn.npz").write_bytes(buffer.getvalue())
    return str(folder / "rnn.npz")


TRAINED: list[dict[str, Any]] = [
    *({"cell": cell} for cell in CELLS if cell != "lstm_simple"),
    {"cell": "lstm_simple", "hidden_size": 6},
    {"layers": 2, "residual": True},
    {"residual": True},
    {"dtype": "float32"},
    {"generator": "mt19937"},
    {"initial_state": "normal"},
    {"clip": {"threshold": 0.01, "by": "step_norm"}},
    {"clip": {"threshold": 0.01, "by": "value"}},
    {"truncate": {"steps": 5, "mode": "chunked"}},
    {"truncate": {"steps": 5, "mode": "sliding"}},
    {"checkpoint": 16, "seq_len": 40},
    {"init": {"recurrent": "orthogonal", "biases": 0}},
]


@pytest.mark.parametrize("keys", TRAINED, ids=str)
def test_what_can_be_trained_is(keys: dict[str, Any]) -> None:
    """Every weight moves, and the record is whole."""
    spec = spec_of("temporal_order", {"updates": 3, "learning_rate": 0.5}, **keys)
    trainer = trainer_of(spec)
    start, state = trainer.begin(), after(trainer, 3)
    for name, a in state.tensors.items():
        assert a.dtype == spec.dtype, name
        assert (a != start.tensors[name]).any(), name
    assert np.isfinite(state.curves["loss"][:, :3]).all()
    record = train_many([spec])[0]
    assert record.summary["outcome"] == "ok"
    assert record["train_loss"].shape == (2, 3)


def test_weights_of_a_file_are_trained_on(tmp_path: Path) -> None:
    keys = {"init": {"file": weights_file(tmp_path)}}
    small = {name: value for name, value in SMALL.items() if name not in ("cell", "hidden_size")}
    mapping = {**small, **keys, "train": {"task": "temporal_order", "updates": 3}}
    spec = settle(from_mapping(mapping).config)[1]
    start = trainer_of(spec).begin()
    assert np.array_equal(start.tensors["weight_hh"][0], start.tensors["weight_hh"][1])
    state = after(trainer_of(spec), 3)
    assert not np.array_equal(state.tensors["weight_hh"][0], state.tensors["weight_hh"][1])
    wrong = {**mapping, "init": {**keys["init"], "compare": True}}
    with pytest.raises(GradlabError, match=r"init\.compare is for `gradlab run`"):
        settle(from_mapping(wrong).config)
