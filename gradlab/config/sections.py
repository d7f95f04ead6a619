"""The parts of a config that are mappings with fixed keys."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gradlab.config.fields import (
    WHOLE,
    File,
    Number,
    Positive,
    Size,
    Text,
    distinct,
    flag_or,
    kind,
    refused,
    size_or,
    steps_or,
)
from gradlab.engine.loss import LOSSES
from gradlab.initial import INITS

InitName = Annotated[str, *kind("init", INITS)]
LossName = Annotated[str, *kind("loss", LOSSES)]
Steps = Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(distinct)]
Format = Literal["png", "svg", "pdf"]

OF_FILE = ("file", "prefix", "compare")  # keys of init where the weights are a file's


class Section(BaseModel):
    """A mapping of the config: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Init(Section):
    """How weights and biases are drawn, or the file that they are read from."""

    recurrent: Annotated[InitName, Field(description="Recurrent weights.")] = "normal"
    input: Annotated[InitName, Field(description="Input weights.")] = "normal"
    bias: Annotated[Number, Field(description="Added to every bias.")] = 0.0
    forget_bias: Annotated[
        Number, Field(description="Added to the bias of the gate that keeps the state.")
    ] = 0.0
    input_scale: Annotated[Number, Field(description="Multiplies the input weights.")] = 1.0
    biases: Annotated[
        Annotated[int, Field(ge=0, le=2), WHOLE] | None,
        Field(description="How many bias vectors: 2, 1 or 0; absent, what the cell usually has."),
    ] = None
    file: Annotated[
        File | None,
        Field(
            description="Weights to load; cell, sizes, layers and directions come from the file."
        ),
    ] = None
    prefix: Annotated[
        Text, Field(description="What the tensors' names in the file begin with.")
    ] = ""

    compare: Annotated[
        Literal["auto"] | bool,
        flag_or("auto"),
        Field(
            description="Of a file's weights: the curve of weights drawn anew at their scale, and "
            "the weight_scale at the edge; auto: in a run, not in a sweep."
        ),
    ] = "auto"

    @model_validator(mode="after")
    def _weights_have_one_source(self) -> Self:
        drawn = sorted(self.model_fields_set - set(OF_FILE))
        if self.file is not None and drawn:
            names = ", ".join(drawn)
            raise refused(
                f"cannot be given with init.file, which has the weights; remove {names}", drawn[0]
            )
        if self.file is None and self.prefix:
            raise refused("is about names in init.file, which is not given; remove it", "prefix")
        if self.file is None and self.compare != "auto":
            raise refused("is about weights of init.file, which is not given; remove it", "compare")
        return self


class Loss(Section):
    """Where the gradient enters, and what it is there."""

    type: Annotated[LossName, Field(description="Kind of loss.")] = "upstream"
    value: Annotated[
        Literal["ones", "normal", "unit"],
        Field(description="dh itself: all ones, drawn from N(0, 1), or drawn and of norm 1."),
    ] = "ones"
    at: Annotated[
        Literal["last", "all"] | Steps,
        steps_or("last", "all"),
        Field(description="The steps where it enters: last, all, or a list of steps from 1."),
    ] = "last"
    targets: Annotated[
        Literal["random", "shifted"],
        Field(description="Of mse, cross_entropy: drawn at random, or the next input."),
    ] = "random"
    outputs: Annotated[
        Size | None,
        Field(description="Of mse, cross_entropy: outputs of V; absent, input_size."),
    ] = None

    @model_validator(mode="after")
    def _options_of_its_type(self) -> Self:
        others = {"targets", "outputs"} if self.type == "upstream" else {"value"}
        for key in sorted(self.model_fields_set & others):
            if getattr(self, key) is not None:
                raise refused(f"is no option of the loss {self.type}; remove it", key)
        return self


class Embedding(Section):
    """The vectors that stand for the symbols of a text, from a weights file."""

    file: Annotated[File, Field(description="Weights: safetensors or npz.")]
    name: Annotated[
        Text, Field(description="The matrix; its rows are the vocabulary's entries, in order.")
    ] = "embedding.weight"


class Phases(Section):
    """An encoder and a decoder."""

    encoder: Annotated[Size, Field(description="Steps with the encoder's weights.")]
    decoder: Annotated[Size, Field(description="Steps with the decoder's weights, after them.")]

    @property
    def steps(self) -> int:
        """Of both."""
        return self.encoder + self.decoder


class Truncate(Section):
    """Truncated backpropagation through time."""

    steps: Annotated[Size, Field(description="k: how many steps the gradient travels back.")]
    mode: Annotated[
        Literal["sliding", "chunked"],
        Field(
            description="sliding: every loss term reaches k steps back; chunked: the state is "
            "detached every k steps, as in training."
        ),
    ] = "sliding"


class Clip(Section):
    """Clipping of the gradient."""

    threshold: Annotated[Positive, Field(description="The norm, or value, not to exceed.")]
    by: Annotated[
        Literal["global_norm", "value", "step_norm"],
        Field(
            description="global_norm: of all parameter gradients together; value: of each entry; "
            "step_norm: of dh at every step."
        ),
    ] = "global_norm"


class Spectrum(Section):
    """Which singular values are computed."""

    step: Annotated[
        Literal["largest"] | bool,
        flag_or("largest"),
        Field(
            description="Singular values of the Jacobian of each step; largest: that one alone, "
            "proved, which is faster where the state is at most 48 wide."
        ),
    ] = True
    product: Annotated[
        Literal["auto", "largest"] | bool,
        flag_or("auto", "largest"),
        Field(
            description="Singular values of the products J_T ... J_(t+1), exact; auto: in a run "
            "where they take a few seconds at most; largest: that one alone, faster where the "
            "state is at most 64 wide."
        ),
    ] = "auto"
    lyapunov: Annotated[
        Literal["auto"] | bool,
        flag_or("auto"),
        Field(description="Lyapunov exponents of the whole state; auto as for product."),
    ] = "auto"
    values: Annotated[
        Literal["all"] | Size,
        size_or("all"),
        Field(description="How many singular values are kept, the largest first, or all."),
    ] = 8
    sequences: Annotated[Size, Field(description="For how many sequences of the batch.")] = 1
    every: Annotated[Size, Field(description="Products at every m-th recorded step.")] = 1


class Figures(Section):
    """Which figures are drawn."""

    formats: Annotated[
        tuple[Format, ...],
        AfterValidator(distinct),
        Field(description="File formats; an empty list draws nothing."),
    ] = ("png",)
    dpi: Annotated[int, Field(ge=50, le=600, description="Dots per inch of a png."), WHOLE] = 150
