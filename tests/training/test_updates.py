"""Updates: what is true of them for any weights.

Claims:
- before training the loss is at chance, the error of the classes too, and the perplexity of a
  language model is about its vocabulary;
- truncation after k >= T steps, in either mode, changes no bit; a smaller k changes the gradient;
- an update with plain SGD is a step along the gradient whose norm is what was recorded;
- clipping by global norm leaves the direction and bounds the norm; by value it bounds the entries;
- a member's bits do not depend on the members beside it, nor on their learning rates and clips;
- checkpoints within a batch change no bit;
- a gradient that is not finite changes nothing, is counted, and ends a training that is to stop;
- a gradient beyond float range is clipped, and not lost;
- the loss over classes is the one over one-hot targets;
- a training that is to stop at a loss, or an accuracy, does; its weights stay.
"""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.engine.loss import read_out
from gradlab.engine.scaled import Scaled, shift
from gradlab.engine.softmax import classify
from gradlab.footprint import footprint
from gradlab.training import update as updating
from gradlab.training.clipping import clipped
from gradlab.training.course import train_many
from gradlab.training.gradient import EMBEDDING, gradient
from gradlab.training.state import State
from tests.training.lessons import after, spec_of, text_file, trainer_of


def same(one: State, other: State, of: list[int], to: list[int]) -> None:
    """The same bits in everything of these members, one by one."""
    here, there = one.arrays(), other.arrays()
    assert here.keys() == there.keys()
    for name in here.keys() - {"update"}:
        assert here[name][of].tobytes() == there[name][to].tobytes(), name


# ---------------------------------------------------------------- chance

CHANCE = [
    ("temporal_order", math.log(4), 0.75),
    ({"type": "temporal_order", "order": 3}, math.log(8), 0.875),
    ("agreement", math.log(2), 0.5),
    ("noiseless_memorization", math.log(2), 0.5),
]


@pytest.mark.parametrize(("task", "nats", "error"), CHANCE, ids=str)
def test_before_training_the_loss_is_at_chance(task: Any, nats: float, error: float) -> None:
    """Output weights of 0.1 / sqrt(H) give outputs z of standard deviation s = 0.1 at most (|h| <
    1): the mean loss is s^2 / 2 above chance at most, and the mean over 2,000 answers is off by
    0.1 / sqrt(2000) or so: 0.02 is ample. Errors are off by five standard deviations at most.
    """
    spec = spec_of(task, {"updates": 1}, batch_size=2000, seeds=2, hidden_size=16, seq_len=20)
    state = after(trainer_of(spec), 1)
    np.testing.assert_allclose(state.curves["loss"][:, 0], nats, atol=0.02)
    deviation = 5 * math.sqrt(error * (1 - error) / 2000)
    # outputs that hardly differ answer by chance, but the same for like inputs: a few times that
    np.testing.assert_allclose(1 - state.curves["right"][:, 0], error, atol=4 * deviation)


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_perplexity_of_an_unlearned_language_model_is_its_vocabulary(
    level: str, tmp_path: Path
) -> None:
    spec = spec_of(text_file(tmp_path) | {"level": level}, {"updates": 1})
    state = after(trainer_of(spec), 1)
    assert spec.outputs > 10
    # s = 0.1 at most: a factor exp(s^2 / 2), and s of the outputs that happen to be asked for
    np.testing.assert_allclose(np.exp(state.curves["loss"][:, 0]), spec.outputs, rtol=0.1)


# ---------------------------------------------------------------- truncation

EVERYWHERE = {"type": "copy", "length": 3, "alphabet": 4}


@pytest.mark.parametrize("task", ["temporal_order", EVERYWHERE], ids=str)
@pytest.mark.parametrize("mode", ["chunked", "sliding"])
@pytest.mark.parametrize("steps", [12, 13, 40])
def test_truncation_after_all_steps_changes_no_bit(task: Any, mode: str, steps: int) -> None:
    cut = {"steps": steps, "mode": mode}
    whole = after(trainer_of(spec_of(task)), 3)
    same(after(trainer_of(spec_of(task, truncate=cut)), 3), whole, [0, 1], [0, 1])


@pytest.mark.parametrize("task", ["temporal_order", EVERYWHERE], ids=str)
@pytest.mark.parametrize("mode", ["chunked", "sliding"])
def test_a_shorter_one_does_not_leave_the_gradient_whole(task: Any, mode: str) -> None:
    """Chunks that end where the loss looks last have no border before it: 7 does not divide 12."""
    whole = after(trainer_of(spec_of(task)), 1)
    cut = after(trainer_of(spec_of(task, truncate={"steps": 7, "mode": mode})), 1)
    assert whole.tensors["weight_out"].tobytes() == cut.tensors["weight_out"].tobytes()
    assert not np.array_equal(whole.tensors["weight_hh"], cut.tensors["weight_hh"])


# ---------------------------------------------------------------- one update


def plain(trainer: updating.Trainer) -> tuple[dict[str, Any], Any]:
    x, y = trainer.batch(1, [0, 1])
    found = gradient(trainer.spec, trainer.begin().tensors, x, y, trainer.start, None)
    return {n: shift(g.mantissa, g.exponent) for n, g in found.gradients.items()}, found


def test_an_update_is_a_step_along_the_gradient() -> None:
    trainer = trainer_of(spec_of("temporal_order", {"learning_rate": 0.25}))
    gradients, _ = plain(trainer)
    state, start = after(trainer, 1), trainer.begin()
    for name, g in gradients.items():
        np.testing.assert_allclose(state.tensors[name], start.tensors[name] - 0.25 * g, rtol=1e-14)
    square = sum((g**2).sum(axis=tuple(range(1, g.ndim))) for g in gradients.values())
    np.testing.assert_allclose(10 ** state.curves["log10_norm"][:, 0], np.sqrt(square), rtol=1e-13)


def test_an_update_moves_the_rows_that_were_looked_up_and_no_others(tmp_path: Path) -> None:
    trainer = trainer_of(spec_of(text_file(tmp_path), batch_size=2))
    state, start = after(trainer, 1), trainer.begin()
    x, _ = trainer.batch(1, [0, 1])
    for r in range(2):
        moved = (state.tensors[EMBEDDING][r] != start.tensors[EMBEDDING][r]).any(axis=1)
        assert set(np.flatnonzero(moved)) == set(np.unique(x[:, r]))
        assert not moved.all()


@pytest.mark.parametrize("by", ["global_norm", "value"])
def test_clipping_bounds_what_it_is_about(by: str) -> None:
    threshold = 0.05
    trainer = trainer_of(spec_of("temporal_order", clip={"threshold": threshold, "by": by}))
    before, found = plain(trainer)
    before = {name: g.copy() for name, g in before.items()}
    told = clipped(found, trainer.members)
    flat = [np.concatenate([g[r].ravel() for g in told.gradients.values()]) for r in range(2)]
    was = [np.concatenate([g[r].ravel() for g in before.values()]) for r in range(2)]
    for r in range(2):
        assert np.linalg.norm(was[r]) > threshold
        np.testing.assert_allclose(10 ** told.log10_norm[r], np.linalg.norm(was[r]), rtol=1e-13)
        own = np.linalg.norm(flat[r])
        np.testing.assert_allclose(10 ** told.log10_clipped[r], own, rtol=1e-13)
        if by == "value":
            assert np.array_equal(flat[r], np.clip(was[r], -threshold, threshold))
        else:
            # the constant 1e-6 in the factor: relative to norms of about 0.1
            np.testing.assert_allclose(own, threshold, rtol=1e-4)
            factor = threshold / (np.linalg.norm(was[r]) + 1e-6)
            np.testing.assert_allclose(flat[r], was[r] * factor, rtol=1e-13)
            np.testing.assert_allclose(told.rate[r], factor, rtol=1e-13)


def test_a_threshold_that_is_never_reached_changes_no_bit() -> None:
    free = after(trainer_of(spec_of("temporal_order")), 5)
    same(after(trainer_of(spec_of("temporal_order", clip=1e6)), 5), free, [0, 1], [0, 1])


# ---------------------------------------------------------------- members


@pytest.mark.parametrize("task", ["adding", "temporal_order", "text"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_members_bits_are_its_own(task: str, cell: str, tmp_path: Path) -> None:
    what: Any = text_file(tmp_path) if task == "text" else task
    train = {"optimizer": "adam"}
    whole = after(trainer_of(spec_of(what, train, cell=cell, seeds=[0, 1, 2], clip=0.1)), 8)
    alone = after(trainer_of(spec_of(what, train, cell=cell, seeds=[2], clip=0.1)), 8)
    same(whole, alone, [2], [0])
    turned = after(trainer_of(spec_of(what, train, cell=cell, seeds=[2, 0], clip=0.1)), 8)
    same(whole, turned, [2, 0], [0, 1])


def test_points_of_a_sweep_learn_beside_each_other_as_alone() -> None:
    """Learning rates, clips, scales and what ends a training differ from member to member."""
    different: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"learning_rate": 0.01}, {"clip": 0.1}),
        ({"learning_rate": 3.0}, {}),
        ({"learning_rate": 0.3, "output_scale": 1.0}, {"clip": {"threshold": 0.02, "by": "value"}}),
        ({"learning_rate": 0.3, "stop_when": {"loss": 100.0, "over": 3}}, {"weight_scale": 3.0}),
    ]
    specs = [spec_of("temporal_order", train, **keys) for train, keys in different]
    assert len({spec.shape for spec in specs}) == 1
    together = after(trainer_of(*specs), 8)
    for k, spec in enumerate(specs):
        same(together, after(trainer_of(spec), 8), [2 * k, 2 * k + 1], [0, 1])
    assert together.stopped.tolist() == [0, 0, 0, 0, 0, 0, 3, 3]


def test_pieces_of_an_ensemble_and_checkpoints_change_no_bit() -> None:
    spec = spec_of("temporal_order", cell="lstm", seq_len=40, seeds=3)
    whole, pieces = trainer_of(spec), trainer_of(spec)
    pieces.chunk, pieces.every = 1, 16
    assert (whole.chunk, whole.every) != (pieces.chunk, pieces.every)
    same(after(whole, 3), after(pieces, 3), [0, 1, 2], [0, 1, 2])


# ---------------------------------------------------------------- what is not finite


@pytest.mark.parametrize("nonfinite", ["skip", "stop"])
def test_a_gradient_that_is_not_finite_changes_nothing(
    nonfinite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second update of the second member: a loss that is not a number."""
    real = updating.gradient

    def poisoned(spec: Any, tensors: Any, *rest: Any) -> Any:
        found = real(spec, tensors, *rest)
        if trainer.count == 2:
            found.loss[1] = np.nan
        return found

    class Counting(updating.Trainer):
        count = 0

        def update(self, state: State) -> None:
            self.count += 1
            super().update(state)

    monkeypatch.setattr(updating, "gradient", poisoned)
    spec = spec_of("temporal_order", {"nonfinite": nonfinite, "optimizer": "adam"})
    trainer = Counting(trainer_of(spec).members)
    state = trainer.begin()
    trainer.update(state)
    before = {name: a.copy() for name, a in state.arrays().items()}
    trainer.update(state)
    for name, a in state.arrays().items():
        if name.split(".")[0] in ("weights", "mean", "square"):
            assert np.array_equal(before[name][1], a[1]), name
            assert not np.array_equal(before[name][0], a[0]), name
    assert state.curves["nonfinite"][:, :2].tolist() == [[0, 0], [0, 1]]
    assert np.isnan(state.curves["clip_rate"][1, 1])  # and is not told as clipped
    assert state.taken.tolist() == [2, 1]
    assert state.stopped.tolist() == ([0, 2] if nonfinite == "stop" else [0, 0])
    trainer.update(state)
    assert state.taken.tolist() == ([3, 1] if nonfinite == "stop" else [3, 2])


def test_of_points_side_by_side_each_says_what_ends_it() -> None:
    """A linear net of gain 1e6 over 60 steps, 1e360: no update is finite."""
    keys: dict[str, Any] = {"cell": "linear", "weight_scale": 1e6, "seq_len": 60}
    ways = ("skip", "stop", "skip")
    specs = [spec_of("temporal_order", {"updates": 3, "nonfinite": way}, **keys) for way in ways]
    assert len({spec.shape for spec in specs}) == 1
    assert after(trainer_of(*specs), 3).stopped.tolist() == [0, 0, 1, 1, 0, 0]
    told = [record.summary["train"]["nonfinite"]["updates"] for record in train_many(specs)]
    assert told == [6, 2, 6]


def test_states_that_overflow_are_counted_and_told() -> None:
    """A linear net of gain 1e6 over 60 steps: 1e360."""
    spec = spec_of("temporal_order", {"updates": 4}, cell="linear", weight_scale=1e6, seq_len=60)
    state = after(trainer_of(spec), 4)
    assert (state.curves["nonfinite"] == 1).all()
    assert np.isnan(state.curves["loss"]).all()
    start = trainer_of(spec).begin()
    assert all(np.array_equal(a, start.tensors[name]) for name, a in state.tensors.items())
    told = train_many([spec])[0].summary["train"]
    assert told["nonfinite"] == {"updates": 8, "seeds": 2}
    assert told["seeds"] == {"below": 0, "at": 0, "above": 0, "nonfinite": 2}
    assert told["clip"]["updates"] == 0
    assert told["clip"]["suggested"] is None


@pytest.mark.parametrize("clip", [None, 2.0])
def test_a_gradient_beyond_float_range_is_clipped_and_not_lost(clip: float | None) -> None:
    """The gradient of one tensor times 2^2000, which is about 10^602."""
    keys: dict[str, Any] = {} if clip is None else {"clip": clip}
    trainer = trainer_of(spec_of("temporal_order", **keys))
    _, found = plain(trainer)
    g = found.gradients["weight_hh"]
    exponent = g.exponent + np.array([2000, 0])
    found.gradients["weight_hh"] = Scaled(g.mantissa, exponent)
    size = float(np.log10(np.linalg.norm(g.mantissa[0]))) + 2000 * math.log10(2)
    told = clipped(found, trainer.members)
    np.testing.assert_allclose(told.log10_norm[0], size, rtol=1e-12)  # the rest is nothing to it
    assert told.fit.tolist() == [clip is not None, True]
    if clip is not None:
        own = told.gradients["weight_hh"][0]
        np.testing.assert_allclose(np.linalg.norm(own), clip, rtol=1e-12)
        cosine = np.vdot(own, g.mantissa[0]) / np.linalg.norm(g.mantissa[0]) / np.linalg.norm(own)
        np.testing.assert_allclose(cosine, 1.0, rtol=1e-12)


# ---------------------------------------------------------------- the loss over classes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape", [(1, 2, 4, 3, 5), (7, 1, 6, 5, 11), (9, 3, 5, 7, 40_000)], ids=str
)
def test_the_loss_over_classes_is_that_of_one_hot_targets(shape: Any, dtype: Any) -> None:
    """(m, R, H, B, O); the largest is cut in pieces. Sums of up to O terms in both, in another
    order: a few hundred roundings at most.
    """
    m, R, H, B, O = shape
    rng = np.random.default_rng(1)
    h, V = rng.normal(size=(m, R, H, B)).astype(dtype), rng.normal(size=(R, O, H)).astype(dtype)
    c, y = rng.normal(size=(R, O)).astype(dtype), rng.integers(0, O, (m, R, B))
    onehot = (np.arange(O)[:, None] == y[:, :, None, :]).astype(dtype)
    ours, expected = classify(h, V, c, y), read_out("cross_entropy", h, V, c, onehot)
    tolerance = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(ours.value, expected.value, rtol=tolerance)
    size = np.abs(expected.dh).max()
    np.testing.assert_allclose(ours.dh, expected.dh, rtol=tolerance, atol=tolerance * size)
    for name, g in expected.gradients.items():
        value = shift(g.mantissa, g.exponent)
        own, size = ours.gradients[name].mantissa, np.abs(value).max()
        np.testing.assert_allclose(own, value, rtol=tolerance, atol=tolerance * size)
    right = ((V @ h + c[..., None]).argmax(axis=-2) == y).mean(axis=(0, 2))
    assert np.array_equal(ours.right, right)


# ---------------------------------------------------------------- ending early


@pytest.mark.parametrize("stop", [{"loss": 0.3, "over": 5}, {"accuracy": 0.8, "over": 5}])
def test_a_training_ends_where_it_is_told_to(stop: dict[str, Any]) -> None:
    """Agreement over two words is learned within a few dozen updates."""
    section = {"updates": 300, "optimizer": "adam", "stop_when": stop, "snapshot_every": 50}
    section |= {"learning_rate": 0.03}
    short: dict[str, Any] = {"seq_len": 2, "batch_size": 40}
    record = train_many([spec_of("agreement", section, **short)])[0]
    stopped = record["train_stopped"]
    assert (stopped > 0).all()
    assert record.summary["train"]["stopped"] == 2
    for r, last in enumerate(stopped):
        name, sign, bound = (
            ("loss", 1, stop["loss"]) if "loss" in stop else ("right", -1, stop["accuracy"])
        )
        curve = sign * record[f"train_{name}"][r]
        means = np.convolve(curve[:last], np.ones(5) / 5, mode="valid")  # up to update 5, 6, ...
        assert means[-1] <= sign * bound
        assert (means[:-1] > sign * bound).all()
        assert np.isnan(record["train_loss"][r, last:]).all()
    ends = record["snapshot_log10_grad_norm_h"]
    assert np.array_equal(ends[:, -1], record["log10_grad_norm_h"])
    later = record["snapshot_update"] >= stopped.max()
    assert later.sum() > 1
    assert (ends[:, later] == ends[:, -1:]).all()  # nothing changes any more


# ---------------------------------------------------------------- memory


ROOMY: dict[str, dict[str, Any]] = {
    "weights": {"hidden_size": 300, "train": {"optimizer": "adam", "updates": 2}},
    "curves": {"hidden_size": 2, "seq_len": 10, "train": {"updates": 20_000}},
    "snapshots": {"seq_len": 300, "train": {"updates": 50, "snapshot_every": 1}, "cell": "lstm"},
}


@pytest.mark.parametrize("name", ROOMY)
def test_what_a_training_takes_is_known_before(name: str, tmp_path: Path) -> None:
    """To a factor of three: some MiB of what is loaded once are in it."""
    keys = {key: value for key, value in ROOMY[name].items() if key != "train"}
    spec = spec_of("temporal_order", ROOMY[name]["train"], **{"seq_len": 12, **keys})
    expected = footprint(spec, len(spec.seeds)).bytes
    if name == "curves":  # twenty thousand updates take long: the arrays alone are measured
        state = trainer_of(spec).begin()
        held = sum(a.nbytes for a in state.curves.values())
        assert held < expected < 40 * held  # with their text, as Python holds it
        return
    tracemalloc.start()
    record = train_many([spec])[0]
    record.to_bytes()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert expected / 3 < found < expected * 3


def test_memory_is_flat_over_the_updates() -> None:
    trainer = trainer_of(spec_of("temporal_order", {"updates": 400}, hidden_size=32))
    state = after(trainer, 20)
    tracemalloc.start()
    for _ in range(5):
        trainer.update(state)
    first = tracemalloc.get_traced_memory()[1]
    for _ in range(200):
        trainer.update(state)
    last = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last < first + 2**16  # what numpy and Python keep for themselves
