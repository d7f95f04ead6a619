"""The config of one experiment: every key, its type, its default and what it means.

The order of the fields is the order of the documentation and of the resolved config.yaml.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from gradlab.config.fields import SEEDS, Count, Name, NotNegative, Seed, Size, refused, size_or
from gradlab.config.kinds import Kind, Normal, Zeros
from gradlab.config.sections import Clip, Figures, Init, Loss, Section, Spectrum
from gradlab.config.shorthand import ChosenKind, short


class Config(Section):
    """One experiment on the gradient flow through a recurrent cell."""

    name: Annotated[
        Name | None, Field(description="Name of the results folder; default: the file's own name.")
    ] = None
    cell: Annotated[
        Kind,
        ChosenKind("cell"),
        Field(description="Kind of cell, or {type: KIND, ...the cell's own options}."),
    ]
    hidden_size: Annotated[
        Size | None, Field(description="Hidden units H; default 64, or what the weights file has.")
    ] = None
    input_size: Annotated[
        Size | None,
        Field(description="Inputs I; default hidden_size, or what the weights file has."),
    ] = None
    weight_scale: Annotated[
        NotNegative, Field(description="g: multiplies the recurrent weights.")
    ] = 1.0
    init: Annotated[
        Init,
        short("init", Init),
        Field(
            description="How weights and biases are drawn; a name alone is of the recurrent ones."
        ),
    ] = Init()
    seq_len: Annotated[Size, Field(description="Steps T of a sequence.")] = 100
    batch_size: Annotated[Size, Field(description="Sequences B in a batch.")] = 16
    inputs: Annotated[Kind, ChosenKind("inputs"), Field(description="What the inputs x_t are.")] = (
        Normal()
    )
    initial_state: Annotated[
        Kind,
        ChosenKind("initial_state"),
        Field(description="What the state before the first step is."),
    ] = Zeros()
    loss: Annotated[Loss, short("loss", Loss), Field(description="Where the gradient enters.")] = (
        Loss()
    )
    clip: Annotated[
        Clip | None,
        short("clip", Clip),
        Field(description="Gradient clipping: a threshold, {threshold: ..., by: ...}, or none."),
    ] = None
    checkpoint: Annotated[
        Literal["auto", "none"] | Size,
        size_or("auto", "none"),
        Field(description="Keep every k-th state and compute the others again, to save memory."),
    ] = "auto"
    spectrum: Annotated[
        Spectrum,
        short("spectrum", Spectrum),
        Field(description="Which singular values are computed; none for norms only."),
    ] = Spectrum()
    seeds: Annotated[
        Count | Annotated[tuple[Seed, ...], Field(min_length=1)],
        SEEDS,
        Field(description="How many members (seeds 0, 1, ...), or a list of seeds."),
    ] = 8
    record_every: Annotated[
        Literal["auto"] | Size,
        size_or("auto"),
        Field(description="Keep every n-th step in the tables."),
    ] = "auto"
    dtype: Annotated[
        Literal["float64", "float32"], Field(description="Precision of the computation.")
    ] = "float64"
    generator: Annotated[
        Literal["pcg64", "mt19937"],
        Field(description="Random generator; mt19937 is numpy's legacy RandomState."),
    ] = "pcg64"
    figures: Annotated[
        Figures, short("figures", Figures), Field(description="Which figures are drawn, or none.")
    ] = Figures()

    @property
    def members(self) -> tuple[int, ...]:
        """The seeds one by one."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    # A value that did not pass is absent from info.data: then its own problem is enough.

    @field_validator("loss")
    @classmethod
    def _loss_within_sequence(cls, loss: Loss, info: ValidationInfo) -> Loss:
        last = info.data.get("seq_len")
        beyond = [t for t in loss.at if last and t > last] if isinstance(loss.at, tuple) else []
        if beyond:
            raise refused(f"has step {beyond[0]}, but the last step (seq_len) is {last}", "at")
        return loss

    @field_validator("spectrum")
    @classmethod
    def _spectrum_within_batch(cls, spectrum: Spectrum, info: ValidationInfo) -> Spectrum:
        size = info.data.get("batch_size")
        if size and spectrum.sequences > size:
            why = f"is {spectrum.sequences}, but there are {size} sequences (batch_size)"
            raise refused(why, "sequences")
        return spectrum
