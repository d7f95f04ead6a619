"""What pydantic found wrong, in our words: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gradlab.config.kinds import KINDS
from gradlab.config.models import Config
from gradlab.config.sections import Clip, Figures, Init, Loss, Spectrum
from gradlab.errors import Key, Problem

SECTIONS: Mapping[str, type[BaseModel]] = {
    "init": Init,
    "loss": Loss,
    "clip": Clip,
    "spectrum": Spectrum,
    "figures": Figures,
}
MANY = ("sweep", "train")  # sections of other commands
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
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a name or a mapping",
}


def problems(error: ValidationError) -> tuple[Problem, ...]:
    """One Problem for each error, with the key under which its value stands in the YAML."""
    return tuple(_problem(details) for details in error.errors(include_url=False))


def guess(given: object, known: Iterable[str]) -> str:
    """ " (did you mean 'x'?)" with the nearest of `known`, "" where none is near."""
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


def _problem(details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    loc = details["loc"]
    # The union of kinds puts the kind into the location: ("cell", "rnn", "activation").
    key = loc[:1] + loc[2:] if loc[0] in KINDS else loc
    key += tuple(context.get("below", ()))
    message = MESSAGES.get(details["type"], _unfit)
    return Problem(message(key, loc, details["input"], context), key)


Context = Mapping[str, Any]


def _unknown_key(key: Key, loc: Key, given: object, context: Context) -> str:
    name = dotted(key)
    if len(key) == 1 and key[0] in MANY:
        return f"`gradlab run` runs a single experiment; remove the section '{name}'"
    known = _keys_beside(loc)
    if hint := guess(key[-1], known):
        return f"unknown key '{name}'{hint}"
    others = [
        kind for kind, model in KINDS.get(str(loc[0]), {}).items() if key[-1] in model.model_fields
    ]
    if others and len(loc) > 2:
        return f"unknown key '{name}': {loc[1]} has no such option, {' and '.join(others)} has"
    return f"unknown key '{name}'; known here: {', '.join(known)}"


def _keys_beside(loc: Key) -> list[str]:
    if len(loc) == 1:
        return list(Config.model_fields)
    section = str(loc[0])
    model = KINDS[section][str(loc[1])] if section in KINDS else SECTIONS[section]
    return list(model.model_fields)


def _unknown_kind(key: Key, loc: Key, given: object, context: Context) -> str:
    section = str(key[0])
    known = list(KINDS[section])
    tag = given.get("type") if isinstance(given, Mapping) else given
    return f"unknown {section} {shown(tag)}{guess(tag, known)}; known: {', '.join(known)}"


def _no_kind(key: Key, loc: Key, given: object, context: Context) -> str:
    return f"{dotted(key)} has no type; give one of {', '.join(KINDS[str(key[0])])}"


def _unknown_name(key: Key, loc: Key, given: object, context: Context) -> str:
    known = context["known"]
    return (
        f"unknown {context['what']} {shown(given)}{guess(given, known)}; known: {', '.join(known)}"
    )


def _missing(key: Key, loc: Key, given: object, context: Context) -> str:
    names = KINDS.get(str(key[-1]), {})
    hint = f"; give one of {', '.join(names)}" if names else ""
    return f"{dotted(key)} is missing{hint}"


def _refused(key: Key, loc: Key, given: object, context: Context) -> str:
    return f"{dotted(key)} {context['why']}"


def _unfit(key: Key, loc: Key, given: object, context: Context) -> str:
    return f"{dotted(key)} cannot be {shown(given)}"


def _must_be(template: str) -> Callable[[Key, Key, object, Context], str]:
    def message(key: Key, loc: Key, given: object, context: Context) -> str:
        bounds = {k: int(v) if v == 0 else v for k, v in context.items()}  # 0 and not 0.0
        what = template.format_map(bounds).replace("'", "")
        if given is None:
            return f"{dotted(key)} has no value; it must be {what}"
        text = "the text " if isinstance(given, str) and what.endswith("number") else ""
        return f"{dotted(key)} must be {what}, not {text}{shown(given)}"

    return message


MESSAGES: Mapping[str, Callable[[Key, Key, object, Context], str]] = {
    "extra_forbidden": _unknown_key,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _no_kind,
    "kind": _unknown_name,
    "missing": _missing,
    "refused": _refused,
    **{kind: _must_be(template) for kind, template in WANTED.items()},
}
