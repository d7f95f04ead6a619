"""The tasks: what their batches hold, and what chance is.

Claims:
- every task of the config is one of the package, with the same options and defaults;
- a batch is the same whenever it is drawn, and another for another update or seed;
- adding: two marks, one in each half; the target is the sum of what they mark; answering 1 has the
  mean squared error 1/6;
- temporal order: the class is the order of the symbols that are no distractors, each in its
  stretch; all classes are equally frequent;
- copy and memorisation: the last steps repeat the first ones;
- agreement: the class is the number of the second word; the nouns after it are of either number;
- language model: the targets are the inputs one symbol on, updates follow one another in the text,
  and the state is carried but for the beginning of the pieces;
- the baseline is the entropy of the answers, counted on many batches.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.config.train_kinds import OPTIMIZER_KINDS, TASK_KINDS
from gradlab.draws import Streams
from gradlab.lessons.optimizers import OPTIMIZERS
from gradlab.tasks import TASKS
from gradlab.tasks.adding import Adding
from gradlab.tasks.agreement import COMMA, FIRST, NOUNS, THE, WORDS, Agreement
from gradlab.tasks.copying import Copy
from gradlab.tasks.interface import Batch, Task
from gradlab.tasks.language_model import LanguageModel
from gradlab.tasks.noiseless_memorization import NoiselessMemorization
from gradlab.tasks.temporal_order import TENTHS, TemporalOrder

T, B = 30, 40
TEXT = np.random.default_rng(0).integers(0, 7, 1000).astype(np.uint8)
MADE: dict[str, Task] = {
    "adding": Adding(T),
    "temporal_order": TemporalOrder(T, 3),
    "copy": Copy(T, 5, 6),
    "noiseless_memorization": NoiselessMemorization(T, 3, 4),
    "agreement": Agreement(T),
    "language_model": LanguageModel(T, TEXT, 7, 8),
}


def batches(task: Task, count: int, size: int = B) -> Iterator[Batch]:
    return (task.batch(Streams(3, "pcg64"), update, size) for update in range(1, count + 1))


def shown(batch: Batch) -> Any:
    """The numbers (T, B) of one-hot inputs, each of which is one 1 and zeros."""
    assert set(np.unique(batch.x)) == {0.0, 1.0}
    assert (batch.x.sum(axis=1) == 1).all()
    return batch.x.argmax(axis=1)


def test_the_kinds_of_the_config_are_those_of_the_package() -> None:
    assert list(TASK_KINDS) == list(TASKS) == list(MADE)
    given = {"T", "loss", "inputs", "outputs", "baseline", "numbers", "symbols", "B"}
    told = {"path", "level", "vocabulary", "max_words"}  # what becomes numbers and symbols
    for name, kind in TASK_KINDS.items():
        fields = {f.name: f.default for f in dataclasses.fields(TASKS[name]) if f.name not in given}  # type: ignore[arg-type]
        own = {k: f.default for k, f in kind.model_fields.items() if k not in {"type", *told}}
        assert own == fields, name
    assert list(OPTIMIZER_KINDS) == list(OPTIMIZERS)
    for name, kind in OPTIMIZER_KINDS.items():
        fields = {f.name: f.default for f in dataclasses.fields(OPTIMIZERS[name])}
        own = {k: f.default for k, f in kind.model_fields.items() if k != "type"}
        assert own == {k: v for k, v in fields.items() if k != "slots"}, name


@pytest.mark.parametrize("name", MADE)
def test_a_batch_hangs_on_seed_and_update_alone(name: str) -> None:
    task = MADE[name]
    one = task.batch(Streams(3, "pcg64"), 5, 8)
    streams = Streams(3, "pcg64")
    for update in (9, 2):  # whatever was drawn before
        task.batch(streams, update, 8)
    again = task.batch(streams, 5, 8)
    assert np.array_equal(one.x, again.x)
    assert np.array_equal(one.y, again.y)
    others = task.batch(streams, 6, 8), task.batch(Streams(4, "pcg64"), 5, 8)
    assert all(not np.array_equal(one.x, other.x) for other in others)


@pytest.mark.parametrize("name", MADE)
def test_the_sizes_are_as_said(name: str) -> None:
    task = MADE[name]
    batch = task.batch(Streams(0, "pcg64"), 1, 8)
    m = len(task.steps)
    assert batch.x.shape == ((T, 8) if task.inputs is None else (T, task.inputs, 8))
    assert batch.y.shape == ((m, task.outputs, 8) if task.loss == "mse" else (m, 8))
    assert (np.diff((0, *task.steps)) > 0).all()
    assert task.steps[-1] == T
    if task.loss == "cross_entropy":
        assert batch.y.min() >= 0
        assert batch.y.max() < task.outputs


def test_adding_is_the_sum_of_two_marked_numbers() -> None:
    errors = []
    for batch in batches(Adding(T), 200):
        marks = batch.x[:, 1]
        assert (marks[: T // 2].sum(axis=0) == 1).all()
        assert (marks[T // 2 :].sum(axis=0) == 1).all()
        np.testing.assert_allclose((batch.x[:, 0] * marks).sum(axis=0), batch.y[0, 0], rtol=1e-15)
        errors.append((batch.y - 1) ** 2)
    # 8,000 squares of standard deviation 0.18: five standard errors
    assert abs(np.mean(errors) - 1 / 6) < 5 * 0.18 / math.sqrt(8000)
    assert Adding(T).baseline == pytest.approx(1 / 6, rel=1e-15)


@pytest.mark.parametrize("order", [2, 3])
def test_temporal_order_is_the_order_of_what_is_no_distractor(order: int) -> None:
    task, counts = TemporalOrder(T, order), np.zeros(2**order)
    for batch in batches(task, 100):
        symbols = shown(batch)
        for b in range(B):
            at = np.flatnonzero(symbols[:, b] < 2)
            assert len(at) == order
            for place, tenth in zip(at, TENTHS[order], strict=True):
                assert tenth * T // 10 <= place < (tenth + 1) * T // 10
            told = int("".join(str(symbols[k, b]) for k in at), 2)
            assert told == batch.y[0, b]
            counts[told] += 1
    share = counts / counts.sum()
    # of 4,000 draws, five standard deviations of a share
    assert np.abs(share - 2.0**-order).max() < 5 * math.sqrt(2.0**-order / 4000)
    assert task.baseline == pytest.approx(math.log(2**order), rel=1e-15)


def test_chance_of_temporal_order() -> None:
    """The numbers that the papers name: 1.3863 nats for two symbols, ln 8 for three."""
    assert TemporalOrder(T).baseline == pytest.approx(1.3863, abs=5e-5)
    assert TemporalOrder(T, 3).baseline == pytest.approx(2.0794, abs=5e-5)


def test_copy_repeats_the_first_symbols_at_the_end() -> None:
    task = Copy(T, 5, 6)
    for batch in batches(task, 3):
        symbols = shown(batch)
        assert (symbols[:6] < 5).all()
        assert (symbols[6:] >= 5).all()
        assert (np.flatnonzero((symbols == 6).all(axis=1)) == T - 7).all()  # the mark
        assert (batch.y[: T - 6] == 5).all()  # a blank until then
        assert np.array_equal(batch.y[T - 6 :], symbols[:6])
    assert task.baseline == pytest.approx(6 * math.log(5) / T, rel=1e-15)


def test_memorisation_asks_for_the_pattern_at_the_last_steps() -> None:
    task = NoiselessMemorization(T, 3, 4)
    assert task.steps == (T - 3, T - 2, T - 1, T)
    for batch in batches(task, 3):
        symbols = shown(batch)
        assert np.array_equal(batch.y, symbols[:4])
        assert (symbols[4:] >= 3).all()
        assert (np.flatnonzero((symbols == 4).all(axis=1)) == T - 5).all()


@pytest.mark.parametrize("length", [2, 3, 4, 5, 12, 13, 14])
def test_agreement_is_with_the_second_word(length: int) -> None:
    task, misled = Agreement(length), []
    for batch in batches(task, 50):
        words = shown(batch)
        assert (words[0] == THE).all()
        assert np.array_equal(words[1] // len(NOUNS), batch.y[0])
        rest = words[2:]
        nouns = rest < FIRST
        assert (nouns.sum(axis=0) == (length - 2) // 3).all()
        assert ((rest == COMMA).sum(axis=0) == (length - 2) % 3).all()
        misled += [(rest // len(NOUNS) != batch.y[0])[nouns]]
    assert WORDS[1 + len(NOUNS)] == f"{WORDS[1]}s"
    if length > 4:  # 2,000 nouns at least: five standard deviations
        assert abs(np.concatenate(misled).mean() - 0.5) < 5 * 0.5 / math.sqrt(2000)


def test_a_language_model_predicts_the_symbol_that_follows() -> None:
    task, streams = LanguageModel(T, TEXT, 7, 8), Streams(0, "pcg64")
    assert task.windows == (1000 // 8 - 1) // T
    pieces = [task.batch(streams, update, 8) for update in range(1, task.windows + 2)]
    for batch in pieces:
        assert np.array_equal(batch.x[1:], batch.y[:-1])
    for one, following in itertools.pairwise(pieces[:-1]):
        assert np.array_equal(one.y[-1], following.x[0])
    assert np.array_equal(pieces[-1].x, pieces[0].x)  # and anew
    carried = [task.carried(update) for update in range(1, task.windows + 2)]
    assert carried == [False, *[True] * (task.windows - 1), False]
    assert not any(LanguageModel(T, TEXT, 7, 8, carry=False).carried(u) for u in range(1, 9))
    around = np.concatenate([TEXT, TEXT])  # as it goes around
    text = bytes(around)
    for b in range(8):
        assert bytes(pieces[0].x[:, b].astype(np.uint8)) in text


def test_an_unlearned_class_has_the_entropy_of_the_baseline() -> None:
    """Of the answers as they are drawn: the baseline knows how frequent they are, and no more."""
    for name in ("temporal_order", "noiseless_memorization", "agreement"):
        task = MADE[name]
        y = np.concatenate([batch.y.ravel() for batch in batches(task, 200)])
        share = np.bincount(y, minlength=task.outputs) / len(y)
        entropy = -(share * np.log(share)).sum()
        # an entropy of n draws lies about (classes - 1) / 2n below; n is 8,000 at least
        assert task.baseline - 5 * task.outputs / 8000 < entropy <= task.baseline + 1e-12, name


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (Adding, {"T": 1}, "2 steps"),
    (TemporalOrder, {"T": 9}, "10 steps"),
    (Copy, {"T": 20, "length": 10}, "21 steps"),
    (NoiselessMemorization, {"T": 10}, "11 steps"),
    (Agreement, {"T": 1}, "second word"),
    (LanguageModel, {"T": 124, "numbers": TEXT, "symbols": 7, "B": 9}, "1000 symbols"),
]


@pytest.mark.parametrize(
    ("kind", "sizes", "words"), WRONG, ids=lambda x: getattr(x, "__name__", "")
)
def test_sizes_that_do_not_do_are_told(kind: Any, sizes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind(**sizes)


def test_a_piece_of_a_text_may_be_as_long_as_it_is(tmp_path: Path) -> None:
    """T + 1 symbols in each of B pieces are enough for one update, and no more are there."""
    task = LanguageModel(124, TEXT, 7, 8)
    assert task.windows == 1
    assert task.batch(Streams(0, "pcg64"), 1, 8).x.shape == (124, 8)
