"""What pydantic found wrong, in our words: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gradlab.config.kinds import KINDS, OWN
from gradlab.config.models import Config
from gradlab.config.sections import Clip, Embedding, Figures, Init, Loss, Phases, Spectrum, Truncate
from gradlab.config.shorthand import NONE
from gradlab.config.train_kinds import INNER_KINDS
from gradlab.config.training import StopWhen, Train
from gradlab.errors import Key, Problem

SECTIONS: Mapping[str, type[BaseModel]] = {
    "init": Init,
    "loss": Loss,
    "encoder_decoder": Phases,
    "clip": Clip,
    "truncate": Truncate,
    "train": Train,
    "spectrum": Spectrum,
    "figures": Figures,
}
# sections within a kind, or within a section
INNER: Mapping[str, type[BaseModel]] = {"embedding": Embedding, "stop_when": StopWhen}
OTHERS = {  # sections of other commands
    "sweep": "this config has a 'sweep' section: use `gradlab sweep`",
}
ALL_KINDS = {**KINDS, **INNER_KINDS}
SHOWN = 40  # characters of a given value

# pydantic's error type -> what follows "KEY must be"; the fields' own checks use the type "wanted"
WANTED = {
    "wanted": "{wanted}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "a list that is not empty",
    "model_attributes_type": "a name or a mapping",
}


def problems(error: ValidationError) -> tuple[Problem, ...]:
    """One Problem for each error, with the key under which its value stands in the YAML."""
    return tuple(_problem(details) for details in error.errors(include_url=False))


def guess(given: object, known: Iterable[str]) -> str:
    """The words "(did you mean 'x'?)" with the nearest of `known`; empty where none is near."""
    near = difflib.get_close_matches(given, list(known), n=1) if isinstance(given, str) else []
    return f" (did you mean '{near[0]}'?)" if near else ""


def shown(value: object) -> str:
    """A value as a user would write it, shortened."""
    words: dict[object, str] = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def dotted(key: Key) -> str:
    """The key as in an override, loss.at, and with the index in a list: seeds[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)[1:]


@dataclass(frozen=True)
class _Fault:
    """One of pydantic's errors, with the key under which its value stands in the YAML."""

    key: Key
    loc: Key  # pydantic's own: ("cell", "rnn", "activation"), with the kind that `type` chose
    given: object
    context: Mapping[str, Any]

    @property
    def name(self) -> str:
        return dotted(self.key)


def _problem(details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    loc = details["loc"]
    at = _kind_at(loc)
    written = loc if at is None else loc[: at + 1] + loc[at + 2 :]  # without the kind's name
    key = (*written, *context.get("below", ()))
    message = MESSAGES.get(details["type"], _unfit)
    return Problem(message(_Fault(key, loc, details["input"], context)), key)


def _kind_at(loc: Key) -> int | None:
    """Where in a place the key is whose value is one of several kinds; None where there is none."""
    if loc[0] in KINDS:
        return 0
    return 1 if len(loc) > 1 and loc[0] == "train" and loc[1] in INNER_KINDS else None


def _unknown_key(fault: _Fault) -> str:
    key, loc = fault.key, fault.loc
    if len(key) == 1 and key[0] in OTHERS:
        return OTHERS[str(key[0])]
    known = _keys_beside(loc)
    if hint := guess(key[-1], known):
        return f"unknown key '{fault.name}'{hint}"
    at = _kind_at(loc)
    kinds = {} if at is None else ALL_KINDS[str(loc[at])]
    others = [kind for kind, model in kinds.items() if key[-1] in model.model_fields]
    if at is not None and others and len(loc) > at + 2:
        has = f"{loc[at + 1]} has no such option, {' and '.join(others)} "
        has += "has" if len(others) == 1 else "have"
        return f"unknown key '{fault.name}': {has}"
    return f"unknown key '{fault.name}'; known here: {', '.join(known)}"


def _keys_beside(loc: Key) -> list[str]:
    if len(loc) == 1:
        return list(Config.model_fields)
    if loc[-2] in INNER:
        return list(INNER[str(loc[-2])].model_fields)
    at = _kind_at(loc)
    if at is not None and len(loc) > at + 2:
        return list(ALL_KINDS[str(loc[at])][str(loc[at + 1])].model_fields)
    return list(SECTIONS[str(loc[0])].model_fields)


def _unknown_kind(fault: _Fault) -> str:
    section = str(fault.key[-1])
    tag = fault.given.get("type") if isinstance(fault.given, Mapping) else fault.given
    return _unknown(section, tag, _names(section))


def _unknown_name(fault: _Fault) -> str:
    return _unknown(fault.context["what"], fault.given, fault.context["known"])


def _unknown(what: str, given: object, known: Iterable[str]) -> str:
    return f"unknown {what} {shown(given)}{guess(given, known)}; known: {', '.join(known)}"


def _names(section: str | int) -> list[str]:
    """The kinds that have a name; a user's own cell has a path."""
    return [name for name in ALL_KINDS.get(str(section), {}) if name != OWN]


def _no_kind(fault: _Fault) -> str:
    if not isinstance(fault.given, Mapping):
        return _must_be("a name or a mapping")(fault)
    return f"{fault.name} has no type; give one of {', '.join(_names(fault.key[-1]))}"


def _missing(fault: _Fault) -> str:
    names = _names(fault.key[-1])
    return f"{fault.name} is missing" + (f"; give one of {', '.join(names)}" if names else "")


def _refused(fault: _Fault) -> str:
    return f"{fault.name} {fault.context['why']}"


def _no_section(fault: _Fault) -> str:
    forms = "a mapping or none" if fault.key[0] in NONE else "a name or a mapping"
    if fault.key[0] == "encoder_decoder":
        forms = "a mapping with encoder and decoder"
    if fault.key == ("train",):
        forms = "a mapping with a task"
    if fault.key[-1] in INNER:
        forms = f"a mapping with {' and '.join(INNER[str(fault.key[-1])].model_fields)}"
    return _must_be(forms)(fault)


def _unknown_option(fault: _Fault) -> str:
    known = fault.context["known"]
    hint = guess(fault.key[-1], known) or f"; known here: {', '.join(known)}"
    return f"unknown key '{fault.name}'{hint}"


def _unfit(fault: _Fault) -> str:
    return f"{fault.name} cannot be {shown(fault.given)}"


def _must_be(template: str) -> Callable[[_Fault], str]:
    def message(fault: _Fault) -> str:
        context = {name: _plainly(value) for name, value in fault.context.items()}
        what = template.format_map(context)
        if fault.given is None:
            return f"{fault.name} has no value; it must be {what}"
        is_text = isinstance(fault.given, str) and what.endswith("number")
        return f"{fault.name} must be {what}, not {'the text ' * is_text}{shown(fault.given)}"

    return message


def _plainly(value: object) -> object:
    """0 for 0.0, and pydantic's "'a', 'b' or 'c'" without quotes."""
    if isinstance(value, str) and value.startswith("'"):
        return value.replace("'", "")
    return 0 if value == 0 else value


MESSAGES: Mapping[str, Callable[[_Fault], str]] = {
    "extra_forbidden": _unknown_key,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _no_kind,
    "kind": _unknown_name,
    "missing": _missing,
    "model_type": _no_section,
    "refused": _refused,
    "unknown_option": _unknown_option,
    **{kind: _must_be(template) for kind, template in WANTED.items()},
}
