"""Small trainings for the tests: a spec from keys, a trainer, some updates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradlab.config import from_mapping
from gradlab.drawn import Member
from gradlab.plan import settle
from gradlab.spec import Spec
from gradlab.training.state import State
from gradlab.training.update import Trainer

TEXT = "the cat saw the dog and the dog saw a bird on the old wall by the sea , not far away . " * 8
SMALL: dict[str, Any] = {
    "cell": "rnn",
    "hidden_size": 8,
    "seq_len": 12,
    "batch_size": 5,
    "seeds": 2,
    "spectrum": "none",
}


def spec_of(task: Any, train: dict[str, Any] | None = None, **keys: Any) -> Spec:
    """What is trained: a task, other keys of `train`, other keys of the config."""
    section = {"task": task, "updates": 20, **(train or {})}
    return settle(from_mapping({**SMALL, **keys, "train": section}).config)[1]


def trainer_of(*specs: Spec) -> Trainer:
    """All seeds of experiments of one shape side by side."""
    return Trainer([Member(i, spec, seed) for i, spec in enumerate(specs) for seed in spec.seeds])


def after(trainer: Trainer, updates: int) -> State:
    """The state after so many updates."""
    state = trainer.begin()
    for _ in range(updates):
        trainer.update(state)
    return state


def text_file(folder: Path, text: str = TEXT) -> dict[str, Any]:
    """The task of a language model on a text of a few hundred characters."""
    path = folder / "text.txt"
    path.write_text(text, encoding="utf-8")
    return {"type": "language_model", "path": str(path)}
