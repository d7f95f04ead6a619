"""What a Keras model's config.json says about its recurrent layers.

Keras names groups of weights by the classes of the layers, counted in their order: `layers/lstm`,
`layers/lstm_1`. So the config is walked in the same way, and each recurrent layer found under the
path that its weights have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradlab.errors import GradlabError

CLASSES = {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
# recurrent activations are sigmoid in these; SimpleRNN has none
GATED = ("lstm", "gru")
OF_RNN = ("tanh", "relu", "sigmoid", "linear")
BACKWARDS = "go_backwards: it runs from the last input to the first; here it is like any other"
DEEPEST = 32


@dataclass(frozen=True)
class Setting:
    """A recurrent layer, or one cell of a stack, as the config has it."""

    name: str
    cell: str  # a kind in CELLS; "" for a GRU whose reset_after only its bias tells
    activation: str  # of an rnn
    note: str = ""


def settings(config: Any, what: str) -> dict[str, Setting]:
    """Settings by the path of the group that holds the weights, without `/cell`.

    config: the JSON of a model, or {} where there is none. Raises GradlabError for a layer that no
    cell here is.
    """
    return dict(_of_model(config, "", what, 0))


def _of_model(node: Any, path: str, what: str, depth: int) -> Iterator[tuple[str, Setting]]:
    own = _part(node, "config")
    listed = own.get("layers")
    if not isinstance(listed, list) or depth > DEEPEST:
        return
    for group, layer in _numbered(listed):
        yield from _of_layer(layer, f"{path}layers/{group}", what, depth)


def _of_layer(layer: Any, path: str, what: str, depth: int) -> Iterator[tuple[str, Setting]]:
    kind, own = _class(layer), _part(layer, "config")
    if kind == "Bidirectional":
        merged = own.get("merge_mode", "concat")
        note = "" if merged == "concat" else f"merge_mode is {merged!r}; here both are side by side"
        for direction in ("forward", "backward"):
            inner = _part(own, "backward_layer") if direction == "backward" else {}
            name = str(own.get("name", ""))
            found = _setting(inner or _part(own, "layer"), what, name, note, turned=True)
            if found:
                yield f"{path}/{direction}_layer", found
    elif kind == "RNN":
        yield from _of_cells(_part(own, "cell"), path, str(own.get("name", "")), own, what)
    elif kind in CLASSES:
        found = _setting(layer, what, str(own.get("name", "")))
        if found:
            yield path, found
    else:
        yield from _of_model(layer, f"{path}/", what, depth + 1)


def _of_cells(
    cell: dict[str, Any], path: str, name: str, own: dict[str, Any], what: str
) -> Iterator[tuple[str, Setting]]:
    """keras.layers.RNN around a cell, or around a stack of them."""
    note = BACKWARDS if own.get("go_backwards") else ""
    if cell.get("class_name") != "StackedRNNCells":
        found = _setting(cell, what, name, note)
        if found:
            yield path, found
        return
    cells = _part(cell, "config").get("cells")
    for group, each in _numbered(cells if isinstance(cells, list) else []):
        found = _setting(each, what, name, note)
        if found:
            yield f"{path}/cell/cells/{group}", found


def _setting(
    layer: Any, what: str, name: str, note: str = "", turned: bool = False
) -> Setting | None:
    """One layer or cell; None for a class that is not Keras's own."""
    kind, own = _class(layer).removesuffix("Cell"), _part(layer, "config")
    if kind not in CLASSES:
        return None
    cell, where = CLASSES[kind], f"{what}: {kind} {name!r}"
    activation = _named(own.get("activation", "tanh"))
    gate = _named(own.get("recurrent_activation", "sigmoid"))
    allowed = ("tanh",) if cell in GATED else OF_RNN
    if activation not in allowed or (cell in GATED and gate != "sigmoid"):
        given = f"activation {activation}" + (f" and {gate} for its gates" if cell in GATED else "")
        rest = " and sigmoid for the gates" if cell in GATED else ""
        raise GradlabError(f"{where} has the {given}; known is {' or '.join(allowed)}{rest}")
    if cell == "gru" and own.get("reset_after") is not True:
        cell = "gru_2014" if "reset_after" in own else ""
    if cell == "rnn" and activation == "linear":
        cell = "linear"
    if own.get("go_backwards") and not turned:
        note = BACKWARDS
    return Setting(name, cell, activation if cell == "rnn" else "", note)


def _named(activation: Any) -> str:
    """An activation's name; Keras writes functions of its own by name, others as objects."""
    if isinstance(activation, dict):
        return str(activation.get("config", activation.get("class_name")))
    return "linear" if activation is None else str(activation)


def _part(node: Any, key: str) -> dict[str, Any]:
    """node[key] where that is an object, else {}."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def _class(node: Any) -> str:
    return str(node.get("class_name", "")) if isinstance(node, dict) else ""


def _numbered(listed: list[Any]) -> Iterator[tuple[str, Any]]:
    """Each object with the name of its group: its class, counted from the second on."""
    used: Counter[str] = Counter()
    for each in listed:
        snake = _snake(_class(each))
        yield f"{snake}_{used[snake]}" if used[snake] else snake, each
        used[snake] += 1


def _snake(name: str) -> str:
    """Keras's own rule: SimpleRNN -> simple_rnn."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
