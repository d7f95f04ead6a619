"""A small judge of JSON Schema, for the words that ours uses; any other word is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: (
        isinstance(v, (int, float)) and not isinstance(v, bool) and float(v).is_integer()
    ),
}
BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda v, bound: v >= bound,
    "maximum": lambda v, bound: v <= bound,
    "exclusiveMinimum": lambda v, bound: v > bound,
    "exclusiveMaximum": lambda v, bound: v < bound,
}
SIZES: dict[str, tuple[type, Callable[[Any, int], bool]]] = {
    "minItems": (list, lambda v, n: len(v) >= n),
    "maxItems": (list, lambda v, n: len(v) <= n),
    "minProperties": (dict, lambda v, n: len(v) >= n),
    "maxLength": (str, lambda v, n: len(v) <= n),
}
SAID = {"$schema", "$defs", "title", "description", "default", "then", "else"}
WITH_PROPERTIES = {"patternProperties", "additionalProperties"}


def allows(schema: Any, value: Any, root: dict[str, Any]) -> bool:
    """Whether the value is valid. Raises KeyError for a word that is not known here."""
    if isinstance(schema, bool):
        return schema
    return all(
        _holds(word, argument, schema, value, root)
        for word, argument in schema.items()
        if word not in SAID
    )


def _holds(word: str, argument: Any, schema: dict[str, Any], value: Any, root: Any) -> bool:
    if word == "$ref":
        return allows(resolved(argument, root), value, root)
    if word == "type":
        return any(
            TYPES[name](value) for name in ([argument], argument)[isinstance(argument, list)]
        )
    if word in ("const", "enum"):
        return any(_same(value, v) for v in (argument if word == "enum" else [argument]))
    if word in ("anyOf", "oneOf", "allOf"):
        held = sum(allows(form, value, root) for form in argument)
        return {"anyOf": held > 0, "oneOf": held == 1, "allOf": held == len(argument)}[word]
    if word == "if":
        return allows(
            schema.get("then" if allows(argument, value, root) else "else", True), value, root
        )
    if word in BOUNDS:
        return not TYPES["number"](value) or BOUNDS[word](value, argument)
    if word in SIZES:
        kind, holds = SIZES[word]
        return not isinstance(value, kind) or holds(value, argument)
    if word == "pattern":
        return not isinstance(value, str) or re.search(argument, value) is not None
    if word == "uniqueItems":
        rest = value if isinstance(value, list) else []
        return not any(_same(a, b) for i, a in enumerate(rest) for b in rest[:i])
    if word == "items":
        return not isinstance(value, list) or all(allows(argument, v, root) for v in value)
    if word == "required":
        return not isinstance(value, dict) or all(key in value for key in argument)
    if word == "properties" or (word in WITH_PROPERTIES and "properties" not in schema):
        return not isinstance(value, dict) or _members(schema, value, root)
    if word in WITH_PROPERTIES:
        return True  # looked at with the properties
    raise KeyError(f"{word!r} is no word that the judge knows")


def _members(schema: dict[str, Any], value: dict[str, Any], root: Any) -> bool:
    own, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    rest = schema.get("additionalProperties", True)
    for key, inner in value.items():
        applies = [own[key]] if key in own else []
        applies += [form for pattern, form in patterns.items() if re.search(pattern, key)]
        if not all(allows(form, inner, root) for form in applies or [rest]):
            return False
    return True


def _same(a: Any, b: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but not true."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def resolved(reference: str, root: dict[str, Any]) -> Any:
    """What a reference like #/$defs/Init points to."""
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node
