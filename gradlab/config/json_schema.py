"""The JSON Schema of a config: what an editor completes and underlines.

The models give the keys, types, bounds and descriptions. What they say in validators is added here,
as far as JSON Schema can say it: which keys exclude each other, and what may be swept. A test holds
schema and models against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradlab.config import axis_syntax
from gradlab.config.fields import MAX_NAME
from gradlab.config.kinds import KINDS
from gradlab.config.models import Config
from gradlab.config.problems import SECTIONS
from gradlab.config.sections import OF_FILE
from gradlab.config.shorthand import USUAL
from gradlab.config.sweep_section import SWEEP
from gradlab.config.swept import NOT_SWEPT
from gradlab.config.train_kinds import INNER_KINDS
from gradlab.config.training import Train
from gradlab.engine.loss import LOSSES

Node = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFS = "#/$defs/"
NAME = r"^(?![-. ])(?!.*\.\.)[^/\\]*[^/\\. ]$"  # what `fields.flaw` lets pass, but for Windows


def schema() -> Node:
    """The JSON Schema (2020-12) of a config, short forms and the sweep section included."""
    config = _plain(Config.model_json_schema(mode="validation"))
    properties, parts = config["properties"], config["$defs"]
    _one_of(properties["name"], "string").update(pattern=NAME, maxLength=MAX_NAME)
    for key, usual in USUAL.items():
        _require_type(properties[key], usual, parts)
    for key in INNER_KINDS:
        _require_type(parts[Train.__name__]["properties"][key], "", parts)
    for part, rule in RULES.items():
        parts[part] |= rule
    swept = axis_syntax.schema(_sweepable(parts))
    parts |= axis_syntax.form_schemas()
    from_file = {"properties": {"init": {"type": "object", "required": ["file"]}}}
    del config["required"]  # the cell alone, which a weights file has too
    return {
        "$schema": DIALECT,
        "title": "gradlab config",
        **config,
        "properties": {**properties, SWEEP: swept},
        "anyOf": [{"required": ["cell"]}, {"required": ["init"], **from_file}],
        "allOf": [*TOGETHER],
    }


def _when(given: Node, then: Node, otherwise: Node | None = None) -> Node:
    """Where the keys of `given` are there and so, those of `then` are so too."""
    condition = {"required": list(given), "properties": given}
    rule: Node = {"if": condition, "then": {"properties": then}}
    return rule if otherwise is None else rule | {"else": {"properties": otherwise}}


_ABSENT = {"type": "null"}
_NOT_CUT = {"enum": [None, "none"]}
_DRAWN = [name for name in SECTIONS["init"].model_fields if name not in OF_FILE]
_OUTPUT = [name for name in LOSSES if name != "upstream"]
_WORDS = {"level": {"const": "word"}, "vocabulary": _ABSENT}

_OF_WORDS: Node = {
    "if": {"required": ["max_words"], "properties": {"max_words": {"type": "integer"}}},
    "then": {"required": ["level"], "properties": _WORDS},
}

RULES: Mapping[str, Node] = {  # of a part of the config, by its model
    "Init": _when(
        {"file": {"type": "string"}},
        dict.fromkeys(_DRAWN, False),
        {"prefix": {"const": ""}, "compare": {"const": "auto"}},
    ),
    "Loss": _when(
        {"type": {"enum": _OUTPUT}}, {"value": False}, {"targets": False, "outputs": _ABSENT}
    ),
    "Written": _OF_WORDS,
    "LanguageModel": _OF_WORDS,
    "StopWhen": {
        "anyOf": [
            {"required": [key], "properties": {key: {"type": "number"}}}
            for key in ("loss", "accuracy")
        ]
    },
}
TOGETHER: tuple[Node, ...] = (  # of keys of the config itself
    _when({"tied": {"const": False}}, {"layers": {"maximum": 1}}),
    {
        "if": {"required": ["block"], "properties": {"block": {"type": "integer"}}},
        "then": {
            "required": ["residual"],
            "properties": {"residual": {"const": True}, "layers": {"maximum": 1}},
        },
    },
    _when(
        {"bidirectional": {"const": True}},
        {
            "tied": {"const": True},
            "block": _ABSENT,
            "encoder_decoder": _ABSENT,
            "truncate": _NOT_CUT,
        },
    ),
    _when({"encoder_decoder": {"type": "object"}}, {"tied": {"const": True}, "block": _ABSENT}),
)


def _plain(node: Any, named: bool = False) -> Any:
    """Without the titles, which repeat the keys; no list of a config holds a value twice.

    named: the keys of this mapping are names of properties, and no words of JSON Schema.
    """
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: value if key == "default" and not named else _plain(value, key in _OF_NAMES)
        for key, value in node.items()
        if named or key != "title"
    }
    return found | {"uniqueItems": True} if not named and node.get("type") == "array" else found


_OF_NAMES = frozenset({"properties", "$defs"})


def _one_of(node: Node, kind: str) -> Node:
    """That of the alternatives which has this type."""
    return next(form for form in node["anyOf"] if form.get("type") == kind)


def _require_type(node: Node, usual: str, parts: Node) -> None:
    """Options alone are those of the usual kind; the others need their `type`."""
    for form in next(form["oneOf"] for form in node["anyOf"] if "oneOf" in form):
        kind = parts[form["$ref"].removeprefix(DEFS)]["properties"]["type"]["const"]
        if kind != usual:
            form["required"] = ["type"]


def _sweepable(parts: Node) -> Node:
    """Every dotted key that may be swept, with what its values may be: references."""
    found: dict[str, list[str]] = {}
    for top in (key for key in Config.model_fields if key not in NOT_SWEPT):
        found[top] = [f"#/properties/{top}"]
        for model in _models(top):
            for inner in parts[model]["properties"]:
                found.setdefault(f"{top}.{inner}", []).append(f"{DEFS}{model}/properties/{inner}")
    return {key: _any_of(references) for key, references in found.items()}


def _models(top: str) -> list[str]:
    """The names of the models whose keys stand in a section."""
    if top in KINDS:
        return [model.__name__ for model in KINDS[top].values()]
    return [SECTIONS[top].__name__] if top in SECTIONS else []


def _any_of(references: list[str]) -> Node:
    forms = [{"$ref": reference} for reference in references]
    return forms[0] if len(forms) == 1 else {"anyOf": forms}
