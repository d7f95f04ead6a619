"""Kinds that are chosen by `type` and have options of their own: cells, inputs, initial states.

The cells come from gradlab.cells.CELLS, with the fields of their Options: a new cell needs nothing
here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, Field, WithJsonSchema, create_model, model_validator

from gradlab.cells import CELLS, FILE
from gradlab.config.fields import STRICT, File, NotNegative, Number, Size, distinct, refused
from gradlab.config.sections import Embedding, Section


class Kind(Section):
    """One kind of cell, inputs or initial state, with the options that it has."""

    type: str

    def options(self) -> dict[str, Any]:
        """The options alone, by name."""
        return self.model_dump(exclude={"type"})


Std = Annotated[NotNegative, Field(description="Standard deviation.")]


class Normal(Kind):
    """Independent N(0, std^2)."""

    type: Literal["normal"] = "normal"
    std: Std = 1.0


class Zeros(Kind):
    """Zeros."""

    type: Literal["zeros"] = "zeros"


class Constant(Kind):
    """The same value everywhere."""

    type: Literal["constant"] = "constant"
    value: Annotated[Number, Field(description="The value of every input at every step.")] = 1.0


class OneHot(Kind):
    """One input is 1, drawn anew at every step."""

    type: Literal["onehot"] = "onehot"


Path = Annotated[File, Field(description="The file; relative to the config's own folder.")]


class FromFile(Kind):
    """Read from a file."""

    type: Literal["file"] = "file"
    path: Path


class Recorded(FromFile):
    """Numbers from a file: npy, npz or csv."""

    cut: Annotated[
        Literal["random", "start"] | None,
        Field(
            description="Where sequences begin. random: at places of each seed's own; start: the "
            "first steps of the first sequences. Absent: random for (T, I), start for (B, T, I)."
        ),
    ] = None


# what a symbol of a text is, and which there are
Level = Annotated[Literal["char", "word"], Field(description="What a symbol is.")]
Vocabulary = Annotated[
    File | None, Field(description="The symbols, one a line; absent: all that the text has.")
]
MaxWords = Annotated[Size | None, Field(description="Keep so many words, the others are <unk>.")]


def refuse_words(level: str, vocabulary: Path | None, max_words: int | None) -> None:
    """Raise PydanticCustomError where max_words does not fit the other two."""
    if max_words is not None and level == "char":
        raise refused("is about words, and level is char; remove it", "max_words")
    if max_words is not None and vocabulary is not None:
        raise refused("cannot be given with a vocabulary, which says them all", "max_words")


class Written(Kind):
    """The symbols of a text."""

    type: Literal["text"] = "text"
    path: Path
    level: Level = "char"
    vocabulary: Vocabulary = None
    max_words: MaxWords = None
    embedding: Annotated[
        Embedding | None, Field(description="Vectors of the symbols; absent: one-hot.")
    ] = None

    @model_validator(mode="after")
    def _words_that_are_kept(self) -> Self:
        refuse_words(self.level, self.vocabulary, self.max_words)
        return self


def cell_kind(name: str, options: type[Any]) -> type[Kind]:
    """The model of one cell: `type`, and the fields of its Options with our strict numbers.

    A list of names holds each once, in the order in which the Options have them: the same choice is
    the same config.
    """
    hints = get_type_hints(options)
    fields: dict[str, Any] = {
        field.name: (
            _strict(hints[field.name]),
            ... if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(options)
    }
    kind_of_type: Any = Literal[name]
    return create_model(
        name, __base__=Kind, __doc__=f"The {name} cell.", type=(kind_of_type, ...), **fields
    )


def _strict(hint: Any) -> Any:
    """The type of an option as a config has it."""
    if get_origin(hint) is not tuple:
        return STRICT.get(hint, hint)
    known = get_args(get_args(hint)[0])

    def in_order(names: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(sorted(distinct(names), key=known.index))

    return Annotated[hint, AfterValidator(in_order)]


class OwnCell(Kind):
    """A user's own cell: a Python file with a function `step`. Running the config runs the file."""

    type: Annotated[
        File,
        WithJsonSchema({"type": "string", "pattern": rf"\{FILE}$"}),
        Field(description="The file; relative to the config's own folder."),
    ]


RECOGNISED = Kind(type="")  # where the config names no cell: that of the weights file
OWN = "FILE.py"  # stands for the kind in messages; what is given is a path
CELL_KINDS: dict[str, type[Kind]] = {name: cell_kind(name, CELLS[name].Options) for name in CELLS}
INPUT_KINDS: dict[str, type[Kind]] = {
    "normal": Normal,
    "zeros": Zeros,
    "constant": Constant,
    "onehot": OneHot,
    "file": Recorded,
    "text": Written,
}
STATE_KINDS: dict[str, type[Kind]] = {"zeros": Zeros, "normal": Normal, "file": FromFile}


def named(cell: str, options: Mapping[str, Any]) -> Kind:
    """One of our cells with its options."""
    return CELL_KINDS[cell].model_validate({"type": cell, **options})


def is_file(cell: object) -> bool:
    """Whether this type of a cell is the path of a user's own."""
    return isinstance(cell, str) and cell.endswith(FILE)


KINDS: Mapping[str, dict[str, type[Kind]]] = {
    "cell": {**CELL_KINDS, OWN: OwnCell},
    "inputs": INPUT_KINDS,
    "initial_state": STATE_KINDS,
}
