"""How the axes of a sweep are written: in the `sweep:` section and on the command line.

- `weight_scale: [0.5, 1.0, 2.0]`, or `weight_scale=0.5,1.0,2.0`
- `weight_scale: {linear: [0.1, 3.0], num: 30}`, or `weight_scale=0.1:3.0:30`
- `weight_scale: {log: [0.01, 10], num: 30}`, and the same after `weight_scale=`
- `seq_len: {range: [20, 200, 20]}`, and the same after `seq_len=`
- `"init.recurrent, init.forget_bias": [[normal, 1.0], [orthogonal, 0.0]]`, keys that vary together,
  or `init.recurrent,init.forget_bias=[normal,1.0],[orthogonal,0.0]`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from gradlab.config import spread
from gradlab.config.axes import Written, word
from gradlab.config.fields import number, whole
from gradlab.config.problems import shown
from gradlab.config.source import value
from gradlab.errors import GradlabError

FORMS = {  # what a mapping in the section may hold
    "linear": "{linear: [first, last], num: how many}",
    "log": "{log: [first, last], num: how many}",
    "range": "{range: [first, last, step]}",
}
NUMBERS = {"linear": 2, "log": 2, "range": 3}  # in its list
BETWEEN = 3  # numbers that a:b:n has
FEWEST = 2  # points of linear and log, which have two ends


def keys_of(name: str) -> tuple[str, ...]:
    """The dotted keys in "init.recurrent, init.forget_bias". Raises GradlabError."""
    keys = tuple(".".join(part.strip() for part in key.split(".")) for key in name.split(","))
    if not all(part for key in keys for part in key.split(".")):
        raise GradlabError(
            f"'{name}' is not a key; keys that vary together are written 'one.key, another'"
        )
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise GradlabError(f"'{name}' names '{key}' twice")
    return keys


def from_section(name: str, given: Any) -> Written:
    """The axis that a line of the `sweep:` section means. Raises GradlabError."""
    keys = keys_of(name)
    if isinstance(given, Mapping):
        return _from_form(keys, given)
    if not isinstance(given, list):
        raise GradlabError(f"{', '.join(keys)} needs {_forms()}, not {shown(given)}")
    if not given:
        raise GradlabError(f"{', '.join(keys)} has an empty list, so there would be no points")
    return _from_list(keys, given)


def from_text(name: str, text: str) -> Written | None:
    """The axis that `name=text` on the command line means, None for a single value.

    Raises GradlabError.
    """
    keys, parts = keys_of(name), _split(text)
    if len(parts) == 1 and len(keys) == 1:
        spaced = _between(keys, text)
        if spaced is None and text.lstrip().startswith("{"):
            given = value(text, "value")
            is_form = isinstance(given, dict) and not FORMS.keys().isdisjoint(given)
            return _from_form(keys, given) if is_form else None
        return spaced
    if not all(part.strip() for part in parts):
        raise GradlabError(f"the list {text!r} has an empty place; remove a comma")
    return _from_list(keys, [value(part, "value") for part in parts])


def single(key: str, text: str) -> Written:
    """The axis with one value, as in an override `key=text`. Raises GradlabError."""
    return _from_list((key,), [value(text, "value")])


def schema(values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of the `sweep:` section; values: that of each dotted key's values."""
    together = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "array"},
        "description": "Keys that vary together: a list of their values for each position.",
    }
    return {
        "type": "object",
        "description": "For `gradlab sweep`: keys and their values; every combination is a point.",
        "minProperties": 1,
        "properties": {key: _axis_schema(value) for key, value in values.items()},
        "patternProperties": {",": together},
        "additionalProperties": False,
    }


def form_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of FORMS, by the names under which `schema` refers to them."""
    numbers = {"type": "array", "items": {"type": "number"}}
    return {
        f"axis_{form}": {
            "type": "object",
            "description": FORMS[form],
            "properties": {
                form: {**numbers, "minItems": count, "maxItems": count},
                **({} if form == "range" else {"num": {"type": "integer", "minimum": FEWEST}}),
            },
            "required": [form] if form == "range" else [form, "num"],
            "additionalProperties": False,
        }
        for form, count in NUMBERS.items()
    }


def _axis_schema(value: Mapping[str, Any]) -> dict[str, Any]:
    """A list of such values, or one of FORMS."""
    listed = {"type": "array", "minItems": 1, "items": value}
    return {"anyOf": [listed, *({"$ref": f"#/$defs/axis_{form}"} for form in FORMS)]}


def _from_list(keys: tuple[str, ...], given: list[Any]) -> Written:
    if len(keys) == 1:
        return Written(keys, len(given), lambda: ((_plus_zero(v),) for v in given))
    for i, position in enumerate(given, 1):
        if not isinstance(position, list):
            raise GradlabError(
                f"{', '.join(keys)} vary together, so each position is a list of {len(keys)} "
                f"values; position {i} is {shown(position)}"
            )
        if len(position) != len(keys):
            raise GradlabError(
                f"{', '.join(keys)} vary together, so each position has {len(keys)} values; "
                f"position {i} has {len(position)}: {shown(position)}"
            )
    return Written(keys, len(given), lambda: (tuple(map(_plus_zero, p)) for p in given))


def _from_form(keys: tuple[str, ...], given: Mapping[str, Any]) -> Written:
    name, kinds = ", ".join(keys), [form for form in FORMS if form in given]
    if len(kinds) != 1:
        inner = next(iter(given), "key")
        hint = "" if kinds or len(keys) > 1 else f"; a key inside it is written {name}.{inner}"
        raise GradlabError(f"{name} needs {_forms()}{hint}")
    kind = kinds[0]
    if len(keys) > 1:
        raise GradlabError(f"{name} vary together, so their values are a list, not {FORMS[kind]}")
    if set(given) != ({"range"} if kind == "range" else {kind, "num"}):
        raise GradlabError(f"{name} needs {FORMS[kind]}; it has {', '.join(given)}")
    ends = _numbers(name, kind, given[kind])
    if kind == "range":
        return _stepped(keys, ends, dict(given))
    return _spread(keys, kind, ends, given["num"])


def _numbers(name: str, kind: str, given: Any) -> list[int | float]:
    if not isinstance(given, list) or len(given) != NUMBERS[kind]:
        raise GradlabError(f"{name} needs {FORMS[kind]}, not {kind}: {word(given)}")
    try:
        return [number(v) for v in given]
    except PydanticCustomError:
        raise GradlabError(
            f"{name}: {kind} needs finite numbers, not {', '.join(map(word, given))}"
        ) from None


def _spread(keys: tuple[str, ...], kind: str, ends: list[int | float], num: Any) -> Written:
    name, (first, last) = keys[0], ends
    try:
        count = whole(num)
    except PydanticCustomError:
        count = 0
    if count < FEWEST:
        raise GradlabError(
            f"{name}: num must be a whole number of at least {FEWEST}, not {shown(num)}"
        )
    if kind == "log" and min(first, last) <= 0:
        raise GradlabError(
            f"{name}: log needs two numbers above 0, not {word(first)} and {word(last)}"
        )
    spacing = spread.linear if kind == "linear" else spread.logarithmic
    form = {kind: [first, last], "num": count}
    return Written(keys, count, lambda: ((v,) for v in spacing(first, last, count)), form)


def _stepped(keys: tuple[str, ...], numbers: list[int | float], form: Mapping[str, Any]) -> Written:
    name, (first, last, step) = keys[0], numbers
    if step <= 0:
        raise GradlabError(f"{name}: the step of a range must be more than 0, not {word(step)}")
    if first > last:
        raise GradlabError(
            f"{name}: the range begins at {word(first)}, after its end {word(last)}; exchange them"
        )
    count = spread.steps_within(first, last, step)
    return Written(keys, count, lambda: ((v,) for v in spread.stepped(first, step, count)), form)


def _between(keys: tuple[str, ...], text: str) -> Written | None:
    """The axis a:b:n, None where these are not three numbers."""
    parts = text.split(":")
    if len(parts) != BETWEEN:
        return None
    try:
        first, last, num = (number(value(part, "value")) for part in parts)
    except (GradlabError, PydanticCustomError):
        return None
    if num != int(num):
        raise GradlabError(
            f"{text} is first:last:number of points, and {num} is no such number; "
            f"for a step write {keys[0]}={{range: [{word(first)}, {word(last)}, {word(num)}]}}"
        )
    return _spread(keys, "linear", [first, last], num)


def _split(text: str) -> list[str]:
    """The text cut at the commas outside brackets and quotes."""
    parts, depth, quote, opens = [""], 0, "", True
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif opens and character in "'\"":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append("")
            opens = True
            continue
        opens = character in "[{,:" or (opens and character.isspace())
        parts[-1] += character
    return parts


def _plus_zero(given: Any) -> Any:
    """0.0 for -0.0, which is the same config."""
    return given + 0.0 if isinstance(given, float) else given


def _forms() -> str:
    return f"a list of values, {', '.join(list(FORMS.values())[:-1])} or {FORMS['range']}"
