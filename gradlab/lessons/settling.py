"""From the section `train` of a config to the task with its sizes, and to what the task settles:
the inputs and the loss.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradlab.config import Config
from gradlab.config.sections import Loss
from gradlab.config.training import Train
from gradlab.errors import GradlabError, about, at
from gradlab.lessons.lesson import Stop, Training
from gradlab.lessons.optimizers import OPTIMIZERS
from gradlab.sequences import corpus, vocabulary
from gradlab.tasks import TASKS
from gradlab.tasks.interface import Task
from gradlab.tasks.language_model import LanguageModel

SNAPSHOTS = 10  # where the config does not say how many
PLAIN = {  # networks that are not trained: what the key must be, and what to do
    "tied": True,
    "bidirectional": False,
    "encoder_decoder": None,
    "block": None,
}


def lesson(config: Config, train: Train) -> tuple[Training, Config]:
    """What is trained, and the config with the sizes and the loss that the task settles. train: the
    config's section.

    Raises GradlabError, with the config's key, for what does not go with a training.
    """
    task = _task(config, train)
    if task.inputs is not None and config.input_size not in (None, task.inputs):
        why = f"input_size is {config.input_size}, but the task {train.task.type} has {task.inputs}"
        raise at(("input_size",), f"{why} inputs; remove it")
    every = train.snapshot_every
    every = -(-train.updates // SNAPSHOTS) if every == "auto" else every
    training = Training(
        kind=train.task.type,
        task=task,
        updates=train.updates,
        optimizer=OPTIMIZERS[train.optimizer.type](**train.optimizer.options()),
        learning_rate=train.learning_rate,
        every=min(every, train.updates),
        stop=_stop(train, task),
        nonfinite=train.nonfinite,
        output_scale=train.output_scale,
        told=tuple(sorted(train.task.options().items())),
    )
    steps = task.steps
    last, whole = (config.seq_len,), tuple(range(1, config.seq_len + 1))
    where: Any = "last" if steps == last else "all" if steps == whole else steps
    loss = Loss(type=task.loss, at=where, targets="random", outputs=task.outputs)
    settled = train.model_copy(update={"snapshot_every": training.every})
    sizes = {} if task.inputs is None else {"input_size": task.inputs}
    return training, config.model_copy(update={"train": settled, "loss": loss, **sizes})


def refuse_untrained(config: Config) -> None:
    """Raises GradlabError for keys that do not go with `train`. Of a config as it was written."""
    for key in ("inputs", "loss"):
        if key in config.model_fields_set:
            raise at((key,), f"{key} cannot be given with train, whose task says it; remove it")
    for name, plain in PLAIN.items():
        if getattr(config, name) != plain:
            why = f"{name} cannot be trained here: one set of weights, in one direction"
            raise at((name,), f"{why}; remove {name}")
    if config.init.compare is True:
        raise at(("init", "compare"), "init.compare is for `gradlab run`; with train, remove it")


def _stop(train: Train, task: Task) -> Stop | None:
    found = train.stop_when
    if found is None:
        return None
    if found.accuracy is not None and task.loss != "cross_entropy":
        why = f"the task {train.task.type} has no classes, so no accuracy; use loss"
        raise at(("train", "stop_when", "accuracy"), why)
    return Stop(found.loss, found.accuracy, found.over)


def _task(config: Config, train: Train) -> Task:
    """The task with its sizes. Raises GradlabError where they do not fit."""
    options = train.task.options()
    if train.task.type == "language_model":
        return _language_model(config, options)
    try:
        return TASKS[train.task.type](**{"T": config.seq_len, **options})
    except ValueError as error:
        raise at(("seq_len",), f"task {train.task.type}: {error}; use a larger one") from error


def _language_model(config: Config, options: dict[str, Any]) -> Task:
    level, entries = options["level"], None
    if options["vocabulary"] is not None:
        with about("train", "task", "vocabulary"):
            entries = vocabulary.of_file(Path(options["vocabulary"]), level)
    with about("train", "task", "path"):
        text = corpus.read(Path(options["path"]), level, entries, options["max_words"])
        if len(text.vocabulary) < 2:
            raise GradlabError(f"the text has one {level} only; there is nothing to predict")
    numbers, symbols = text.numbers, len(text.vocabulary)
    try:
        return LanguageModel(config.seq_len, numbers, symbols, config.batch_size, options["carry"])
    except ValueError as error:
        raise at(("train", "task", "path"), f"train.task.path: {error}") from error
