"""Kinds within the section `train`: tasks and optimisers, each with options of its own.

The tasks are those of gradlab.tasks, the optimisers those of gradlab.lessons.optimizers;
a test holds the options against theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gradlab.config.fields import NUMBER, WHOLE, Flag, Positive, Size
from gradlab.config.kinds import Kind, Level, MaxWords, Path, Vocabulary, refuse_words


class Adding(Kind):
    """The sum of two marked numbers."""

    type: Literal["adding"] = "adding"


class TemporalOrder(Kind):
    """The order of the relevant symbols."""

    type: Literal["temporal_order"] = "temporal_order"
    order: Annotated[
        Literal[2, 3], Field(description="How many relevant symbols there are: 4 or 8 classes.")
    ] = 2


Alphabet = Annotated[int, Field(ge=2, le=10_000), WHOLE]


class Copy(Kind):
    """Symbols to be repeated after blanks."""

    type: Literal["copy"] = "copy"
    alphabet: Annotated[Alphabet, Field(description="How many different symbols.")] = 8
    length: Annotated[Size, Field(description="How many symbols are to be repeated.")] = 10


class NoiselessMemorization(Kind):
    """A pattern to be repeated at the end."""

    type: Literal["noiseless_memorization"] = "noiseless_memorization"
    alphabet: Annotated[Alphabet, Field(description="Different symbols: 2 for bits.")] = 2
    length: Annotated[Size, Field(description="How many symbols the pattern has.")] = 5


class Agreement(Kind):
    """The number of the verb, from its subject."""

    type: Literal["agreement"] = "agreement"


class LanguageModel(Kind):
    """The next symbol of a text."""

    type: Literal["language_model"] = "language_model"
    path: Path
    level: Level = "char"
    vocabulary: Vocabulary = None
    max_words: MaxWords = None
    carry: Annotated[
        Flag, Field(description="Begin an update with the state that the last one ended with.")
    ] = True

    @model_validator(mode="after")
    def _words_that_are_kept(self) -> Self:
        refuse_words(self.level, self.vocabulary, self.max_words)
        return self


Decay = Annotated[float, Field(ge=0, lt=1), NUMBER]


class Sgd(Kind):
    """Gradient descent."""

    type: Literal["sgd"] = "sgd"


class Momentum(Kind):
    """Gradient descent with a velocity."""

    type: Literal["momentum"] = "momentum"
    momentum: Annotated[Decay, Field(description="What is kept of the velocity.")] = 0.9


class Adam(Kind):
    """Adam."""

    type: Literal["adam"] = "adam"
    beta1: Annotated[Decay, Field(description="Of the mean of the gradient.")] = 0.9
    beta2: Annotated[Decay, Field(description="Of the mean of its square.")] = 0.999
    epsilon: Annotated[Positive, Field(description="Added to the root of that mean.")] = 1e-8


TASK_KINDS: dict[str, type[Kind]] = {
    "adding": Adding,
    "temporal_order": TemporalOrder,
    "copy": Copy,
    "noiseless_memorization": NoiselessMemorization,
    "agreement": Agreement,
    "language_model": LanguageModel,
}
OPTIMIZER_KINDS: dict[str, type[Kind]] = {"sgd": Sgd, "momentum": Momentum, "adam": Adam}

INNER_KINDS: Mapping[str, dict[str, type[Kind]]] = {
    "task": TASK_KINDS,
    "optimizer": OPTIMIZER_KINDS,
}
