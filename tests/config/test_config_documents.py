"""The JSON Schema for editors and the starter configs for beginners."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gradlab.cells import CELLS
from gradlab.config import Config, Loaded, schema, starter
from gradlab.errors import GradlabError

LoadText = Callable[..., Loaded]


def forms(key: str) -> list[dict[str, Any]]:
    """The alternatives that the schema has for a key, references resolved."""
    document = schema()
    found: list[dict[str, Any]] = []
    todo: list[dict[str, Any]] = [document["properties"][key]]
    while todo:
        node = todo.pop(0)
        if "$ref" in node:
            node = document["$defs"][node["$ref"].removeprefix("#/$defs/")]
        inner = node.get("anyOf", node.get("oneOf"))
        todo += inner or []
        found += [] if inner else [node]
    return found


def test_the_schema_is_json_with_every_key_described() -> None:
    """Dialect, title, all keys with descriptions, `cell` or a weights file required, nothing else
    allowed.
    """
    document = json.loads(json.dumps(schema(), allow_nan=False))
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"] == "gradlab config"
    assert list(document["properties"]) == [*Config.model_fields, "sweep"]
    assert all(entry["description"] for entry in document["properties"].values())
    given = [(form["required"], form.get("properties")) for form in document["anyOf"]]
    file = {"init": {"type": "object", "required": ["file"]}}
    assert given == [(["cell"], None), (["init"], file)] and "required" not in document
    assert document["additionalProperties"] is False


def test_the_schema_knows_the_short_forms() -> None:
    """A name for cell, init, inputs ...; a number for clip; none where none is meant."""
    words = {
        key: {w for form in forms(key) for w in [*form.get("enum", []), form.get("const")] if w}
        for key in Config.model_fields
    }
    assert words["cell"] == set(CELLS)
    assert {"orthogonal", "normal"} <= words["init"]
    assert {"normal", "zeros", "onehot"} <= words["inputs"]
    assert "file" not in words["inputs"]  # it needs a path
    assert "upstream" in words["loss"]
    assert "none" in words["clip"] & words["spectrum"] & words["figures"] & words["checkpoint"]
    assert "number" in {form.get("type") for form in forms("clip")}
    assert {"integer", "array"} <= {form.get("type") for form in forms("seeds")}


def test_the_schema_has_every_cells_own_options() -> None:
    """One closed object for each cell, told apart by `type`."""
    found = [form for form in forms("cell") if form["type"] == "object"]
    objects = {form["properties"]["type"].get("const", "FILE"): form for form in found}
    assert set(objects) == {*CELLS, "FILE"}
    assert objects.pop("FILE")["properties"]["type"]["pattern"] == r"\.py$"
    assert all(form["additionalProperties"] is False for form in objects.values())
    assert all("type" in form["required"] for form in objects.values())
    assert objects["rnn"]["properties"]["activation"]["enum"] == ["tanh", "relu", "sigmoid"]


def test_the_schema_has_the_bounds() -> None:
    """In JSON Schema's own words, so that editors see them."""
    properties = schema()["properties"]
    assert properties["seq_len"]["minimum"] == 1
    assert properties["weight_scale"]["minimum"] == 0
    clip = next(form for form in forms("clip") if form.get("type") == "object")
    assert clip["properties"]["threshold"]["exclusiveMinimum"] == 0


@pytest.mark.parametrize("cell", CELLS)
def test_a_starter_loads_and_its_comments_are_the_defaults(cell: str, load_text: LoadText) -> None:
    """It opens with a question; uncommenting a line changes nothing but names, sizes
    and what is expected.
    """
    text = starter(cell)
    assert re.match(r"# [^\n]*\?", text)
    assert max(map(len, text.split("\n"))) <= 120
    config = load_text(text).config
    assert config.cell.type == cell
    settings = re.findall(r"^# (\w+: .*)$", text, re.MULTILINE)
    keys = {setting.partition(":")[0] for setting in settings}
    assert keys | {"cell", "weight_scale", "seq_len", "clip"} == set(Config.model_fields)
    kept = {"name": None, "hidden_size": None, "input_size": None, "expect": ()}
    for setting in settings:
        top = text if not setting.startswith("cell") else text.replace(f"\ncell: {cell} ", "\n# ")
        full = load_text(f"{top}\n{setting}\n").config
        assert full.model_copy(update=kept) == config


def test_an_unknown_starter_is_refused() -> None:
    """With the nearest name."""
    with pytest.raises(GradlabError, match=r"^unknown cell 'lsmt' \(did you mean 'lstm'\?\)"):
        starter("lsmt")
