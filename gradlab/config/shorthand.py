"""Short forms: `cell: rnn` for {type: rnn}, `clip: 5.0` for {threshold: 5.0}, `figures: none`.

One function expands them, for the models and for overrides such as `cell.activation=relu`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, GetCoreSchemaHandler, Tag
from pydantic_core import CoreSchema
from pydantic_core.core_schema import simple_ser_schema

from gradlab.config.kinds import KINDS, OWN, Kind, is_file
from gradlab.config.train_kinds import INNER_KINDS

# the key of the long form that the short form is the value of
MAIN = {
    "cell": "type",
    "init": "recurrent",
    "inputs": "type",
    "initial_state": "type",
    "loss": "type",
    "clip": "threshold",
    "truncate": "steps",
    "task": "type",
    "optimizer": "type",
}
NONE: dict[str, Any] = {
    "clip": None,
    "truncate": None,
    "spectrum": {"step": False, "product": False, "lyapunov": False},
    "figures": {"formats": []},
}
USUAL = {"inputs": "normal", "initial_state": "zeros"}  # the type where only options are given


def expand(key: str, value: Any) -> Any:
    """The long form of the value of a top-level key; what is no short form comes back as it is."""
    if key in NONE and value == "none":
        return NONE[key]
    if key in MAIN and isinstance(value, (str, int, float)):
        return {MAIN[key]: value}
    if key in USUAL and isinstance(value, dict):
        return {"type": USUAL[key], **value}
    return value


def short(key: str, section: type[BaseModel]) -> BeforeValidator:
    """Accepts the short forms of `section`; they are in the JSON Schema too."""
    forms: list[Any] = [section]
    if key in MAIN:
        forms.append(section.model_fields[MAIN[key]].rebuild_annotation())
    if key in NONE:
        forms.append(Literal["none"])
    if NONE.get(key, "") is None:
        forms.append(None)
    return BeforeValidator(partial(expand, key), json_schema_input_type=_union(forms))


@dataclass(frozen=True)
class ChosenKind:
    """The schema of a value that is one of KINDS[key], or of INNER_KINDS[key]: a union told apart
    by `type`, or a name.
    """

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        models = {**KINDS, **INNER_KINDS}[self.key]
        forms: list[Any] = [Annotated[model, Tag(name)] for name, model in models.items()]
        union: Any = Annotated[_union(forms), Discriminator(_tag)]
        names = tuple(
            name for name, model in models.items() if name != OWN and not _needs_options(model)
        )
        plain: Any = Literal[names]
        if OWN in models:
            plain |= models[OWN].model_fields["type"].rebuild_annotation()
        before = BeforeValidator(
            partial(expand, self.key), json_schema_input_type=_union([plain, union])
        )
        schema: Any = handler.generate_schema(Annotated[union, before])
        # what is there writes itself: else pydantic would call _tag, and swallow a Ctrl-C in it
        return {**schema, "serialization": simple_ser_schema("any")}


def _tag(value: Any) -> Any:
    """The name of the kind in KINDS; None where none is given."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return OWN if is_file(kind) else kind if isinstance(kind, str | None) else repr(kind)


def _needs_options(model: type[Kind]) -> bool:
    return any(f.is_required() for name, f in model.model_fields.items() if name != "type")


def _union(types: Any) -> Any:
    return reduce(operator.or_, types)  # a type that is only known when the program runs
