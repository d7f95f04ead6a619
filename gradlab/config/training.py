"""The section `train`: what is learned, how, and what is kept on the way."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gradlab.config.fields import Positive, Size, refused, size_or
from gradlab.config.kinds import Kind
from gradlab.config.sections import Section
from gradlab.config.shorthand import ChosenKind
from gradlab.config.train_kinds import Sgd


class StopWhen(Section):
    """What ends a seed's training before its last update: means over the last updates."""

    loss: Annotated[Positive | None, Field(description="The loss is at most this.")] = None
    accuracy: Annotated[
        Annotated[float, Positive, Field(le=1)] | None,
        Field(description="At least this share of the answers is right."),
    ] = None
    over: Annotated[Size, Field(description="Of how many updates the mean is taken.")] = 20

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.loss is None and self.accuracy is None:
            raise refused("says nothing: give loss, or accuracy")
        return self


class Train(Section):
    """Training of the network on a task."""

    task: Annotated[Kind, ChosenKind("task"), Field(description="What is learned.")]
    updates: Annotated[Size, Field(description="Updates of the weights, one batch each.")] = 1000
    optimizer: Annotated[
        Kind, ChosenKind("optimizer"), Field(description="How a gradient changes the weights.")
    ] = Sgd()
    learning_rate: Annotated[Positive, Field(description="Multiplies the gradient.")] = 0.01
    snapshot_every: Annotated[
        Literal["auto"] | Size,
        size_or("auto"),
        Field(
            description="Updates between snapshots, which have all that a run has; a training that "
            "was killed goes on from the last. auto: ten of them."
        ),
    ] = "auto"
    stop_when: Annotated[
        StopWhen | None, Field(description="What ends the training of a seed early, or null.")
    ] = None
    nonfinite: Annotated[
        Literal["skip", "stop"],
        Field(description="An update whose gradient is not finite is left out, or is the last."),
    ] = "skip"
    output_scale: Annotated[
        Positive,
        Field(description="Output weights are N(0, s^2 / H): a small s begins at chance."),
    ] = 0.1
