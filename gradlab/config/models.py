"""The config of one experiment: every key, its type, its default and what it means.

The order of the fields is the order of the documentation and of the resolved config.yaml.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from gradlab.config.expect import Expect
from gradlab.config.fields import (
    SEEDS,
    Count,
    Flag,
    Name,
    NotNegative,
    Seed,
    Size,
    flag_or,
    refused,
    size_or,
)
from gradlab.config.kinds import RECOGNISED, Kind, Normal, Zeros
from gradlab.config.sections import Clip, Figures, Init, Loss, Phases, Section, Spectrum, Truncate
from gradlab.config.shorthand import ChosenKind, short
from gradlab.config.training import Train


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
    layers: Annotated[
        Size,
        Field(description="How many layers of the cell lie on top of each other."),
    ] = 1
    tied: Annotated[
        Flag,
        Field(description="Same weights at every step; false: a deep feed-forward net, T layers."),
    ] = True
    residual: Annotated[
        Flag,
        Field(description="Adds the input of a layer to its output; of one layer, that of a step."),
    ] = False
    block: Annotated[
        Size | None,
        Field(description="With residual: the skip goes around so many steps, inside the last."),
    ] = None
    bidirectional: Annotated[
        Flag,
        Field(description="A second set of weights, of each layer, runs from last step to first."),
    ] = False
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
    seq_len: Annotated[Size, Field(description="Steps T of a sequence.", validate_default=True)] = (
        100
    )
    encoder_decoder: Annotated[
        Phases | None,
        Field(description="Two sets of weights in a chain: {encoder: T1, decoder: T2}."),
    ] = None
    batch_size: Annotated[Size, Field(description="Sequences B in a batch.")] = 16
    inputs: Annotated[
        Kind,
        ChosenKind("inputs"),
        Field(description="What the inputs x_t are: drawn, from a file, a text."),
    ] = Normal()
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
    truncate: Annotated[
        Truncate | None,
        short("truncate", Truncate),
        Field(description="Truncated BPTT: after so many steps the gradient is cut."),
    ] = None
    train: Annotated[
        Train | None,
        Field(description="Training on a task, for `gradlab train`: {task: adding, updates: 500}."),
    ] = None
    weight_gradients: Annotated[
        Literal["all", "none"],
        Field(description="dL/d(tensor), and the share of every step in dL/dW_hh; none saves it."),
    ] = "all"
    lag_split: Annotated[
        Literal["auto", "all", "none"],
        Field(description="Split of the weights' gradient by lag; auto: if not too long."),
    ] = "auto"
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
    gate_histogram: Annotated[
        Literal["auto"] | bool,
        flag_or("auto"),
        Field(description="How often each gate has which value; auto: in a run that is not long."),
    ] = "auto"
    theory: Annotated[
        Literal["auto", "full", "none"],
        Field(description="Predictions in the summary; full: also those that take a second."),
    ] = "auto"
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
    expect: Annotated[
        Expect,
        Field(
            description="What the result must be, for `gradlab check`: {verdict: vanishing}.",
            json_schema_extra={"default": None},
        ),
    ] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """The seeds one by one."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @model_validator(mode="before")
    @classmethod
    def _phases_set_the_length(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "seq_len" in data:
            return data
        phases = data.get("encoder_decoder")
        steps = list(phases.values()) if isinstance(phases, dict) else []
        known = len(steps) == 2 and all(type(n) in (int, float) for n in steps)
        return {**data, "seq_len": sum(steps)} if known else data

    @model_validator(mode="before")
    @classmethod
    def _cell_may_be_in_a_file(cls, data: Any) -> Any:
        init = data.get("init") if isinstance(data, dict) else None
        file = init.get("file") if isinstance(init, dict) else None
        return data if file is None or "cell" in data else {**data, "cell": RECOGNISED}

    @field_validator("cell", mode="wrap")
    @classmethod
    def _cell_of_a_file(cls, cell: Any, check: ValidatorFunctionWrapHandler) -> Any:
        return cell if cell is RECOGNISED else check(cell)

    # A value that did not pass is absent from info.data: then its own problem is enough.

    @field_validator("tied")
    @classmethod
    def _fresh_weights_for_one_layer(cls, tied: bool, info: ValidationInfo) -> bool:
        if not tied and info.data.get("layers", 1) > 1:
            why = "is false, which makes every step a layer: remove layers"
            raise refused(why)
        return tied

    @field_validator("block")
    @classmethod
    def _block_has_a_skip(cls, block: int | None, info: ValidationInfo) -> int | None:
        if block is not None and info.data.get("layers", 1) > 1:
            raise refused("is about residual blocks of steps; with layers, remove it")
        if block is not None and info.data.get("residual") is False:
            raise refused("is the length of a residual block: add residual: true")
        return block

    @field_validator("bidirectional")
    @classmethod
    def _both_directions(cls, both: bool, info: ValidationInfo) -> bool:
        if both and info.data.get("tied") is False:
            raise refused("needs weights that are the same at every step; remove tied: false")
        if both and info.data.get("block"):
            raise refused("cannot be combined with residual blocks; remove block")
        return both

    @field_validator("seq_len")
    @classmethod
    def _whole_blocks(cls, T: int, info: ValidationInfo) -> int:
        block = info.data.get("block") or 1
        if T % block:
            raise refused(f"is {T}, which is no multiple of block, {block}")
        return T

    @field_validator("encoder_decoder")
    @classmethod
    def _one_chain(cls, phases: Phases | None, info: ValidationInfo) -> Phases | None:
        if phases is None:
            return None
        T = info.data.get("seq_len", phases.steps)
        if phases.steps != T:
            both = f"{phases.encoder} + {phases.decoder} = {phases.steps}"
            why = f"has {both} steps, but seq_len is {T}; set seq_len to {phases.steps}"
            raise refused(why)
        for key, plain in (("tied", True), ("bidirectional", False), ("block", None)):
            if info.data.get(key, plain) != plain:
                raise refused(f"is a chain of two sets of weights; remove {key}")
        return phases

    @field_validator("truncate")
    @classmethod
    def _one_way_back(cls, truncate: Truncate | None, info: ValidationInfo) -> Truncate | None:
        if truncate is not None and info.data.get("bidirectional"):
            raise refused("has no meaning where the sequence is read from both ends; remove it")
        return truncate

    @field_validator("weight_gradients")
    @classmethod
    def _nobody_asks_for_gradients(cls, which: str, info: ValidationInfo) -> str:
        clip, train = info.data.get("clip"), info.data.get("train")
        if which == "none" and train is not None:
            raise refused("is none, and weights cannot learn without: remove weight_gradients")
        if which == "none" and clip is not None and clip.by != "step_norm":
            why = f"is none, and clip by {clip.by} is of these gradients"
            raise refused(f"{why}: remove clip or weight_gradients")
        return which

    @field_validator("lag_split")
    @classmethod
    def _there_is_what_is_split(cls, which: str, info: ValidationInfo) -> str:
        if which == "all" and info.data.get("weight_gradients") == "none":
            raise refused("is a split of weight_gradients, which are none: remove one of the two")
        return which

    @field_validator("loss")
    @classmethod
    def _loss_within_sequence(cls, loss: Loss, info: ValidationInfo) -> Loss:
        last = info.data.get("seq_len")
        beyond = [t for t in loss.at if last and t > last] if isinstance(loss.at, tuple) else []
        if beyond:
            raise refused(f"has step {beyond[0]}, but the last step (seq_len) is {last}", "at")
        block = info.data.get("block") or 1
        within = [t for t in loss.at if t % block] if isinstance(loss.at, tuple) else []
        if within:
            raise refused(f"has step {within[0]}, which is not the end of a block ({block})", "at")
        return loss

    @field_validator("spectrum")
    @classmethod
    def _spectrum_within_batch(cls, spectrum: Spectrum, info: ValidationInfo) -> Spectrum:
        size = info.data.get("batch_size")
        if size and spectrum.sequences > size:
            why = f"is {spectrum.sequences}, but there are {size} sequences (batch_size)"
            raise refused(why, "sequences")
        return spectrum
