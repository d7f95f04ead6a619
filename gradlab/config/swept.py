"""Which keys may be swept, and which of them decide together whether a point is valid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from gradlab.config.kinds import KINDS
from gradlab.config.models import Config
from gradlab.config.problems import SECTIONS, guess
from gradlab.config.shorthand import MAIN
from gradlab.errors import Key

NOT_SWEPT = {
    "name": "names the results, so all points share it",
    "figures": "says what is drawn, and changes no number",
    "expect": "is for `gradlab check`",
    "checkpoint": "changes no number: all points would be the same",
    "sweep": "cannot contain itself",
}

# Validation looks at one section at a time, except for these rules of Config's validators:
# loss.at must be within seq_len, spectrum.sequences within batch_size, and what makes a network of
# the cell must go together, with the length and with truncation; so must gradients of the weights
# with what is made of them. A test fails when Config gets a validator that is not one of these.
NETWORK = ("layers", "tied", "residual", "block", "bidirectional", "encoder_decoder", "truncate")
MADE_OF_GRADIENTS = ("weight_gradients", "lag_split", "train")
TOGETHER = {"seq_len": "loss", "batch_size": "spectrum"} | dict.fromkeys(NETWORK, "loss")
TOGETHER |= dict.fromkeys(MADE_OF_GRADIENTS, "clip")

# And where no cell is given, init must have a file: see `with_cell`.

# Numbers that no rule compares with another key: within their section it matters that they are
# given (init.bias beside init.file), but not which value they have. What is not named here is
# checked in every combination with the other keys of its section.
ALONE = frozenset(
    {
        "weight_scale",
        "hidden_size",
        "input_size",
        "init.bias",
        "init.forget_bias",
        "init.input_scale",
        "inputs.std",
        "inputs.value",
        "initial_state.std",
        "clip.threshold",
        "train.updates",
        "train.learning_rate",
        "train.output_scale",
    }
)


@dataclass(frozen=True)
class Group:
    """Axes, by their numbers, whose values are valid or not independently of all other axes."""

    sections: frozenset[str]  # the top-level keys that they are about
    crossed: tuple[int, ...]  # all their combinations are to be tried
    alone: tuple[int, ...]  # their values are to be tried one by one, the others at their first


def groups(axes: Sequence[tuple[str, ...]]) -> list[Group]:
    """The axes, given by their keys, in groups; sections without an axis are in none."""
    parts: list[tuple[set[str], set[int]]] = []
    for i, keys in enumerate(axes):
        sections, members = {section(key) for key in keys}, {i}
        for part in [part for part in parts if part[0] & sections]:  # this axis joins them
            parts.remove(part)
            sections, members = sections | part[0], members | part[1]
        parts.append((sections, members))
    return [_group(sections, members, axes) for sections, members in parts]


def section(key: str | int) -> str:
    """The part of the config that a dotted key is checked with."""
    top = str(key).partition(".")[0]
    return TOGETHER.get(top, top)


def with_cell(sections: Set[str], data: Mapping[str, object]) -> Set[str]:
    """The sections whose problems are due to these: a cell may only be missing because of init."""
    return sections | {"cell"} if "init" in sections and "cell" not in data else sections


def _group(sections: Iterable[str], members: set[int], axes: Sequence[tuple[str, ...]]) -> Group:
    alone = {i for i in members if ALONE.issuperset(axes[i])}
    return Group(frozenset(sections), tuple(sorted(members - alone)), tuple(sorted(alone)))


def path(key: str) -> Key:
    """("loss", "at") for "loss.at"."""
    return tuple(key.split("."))


def flaw_of(key: str) -> str | None:
    """Why a dotted key cannot be swept, None where it can."""
    top, *inner = key.split(".")
    if top in NOT_SWEPT:
        return f"'{key}' cannot be swept: it {NOT_SWEPT[top]}"
    if top not in Config.model_fields:
        known = [name for name in Config.model_fields if name not in NOT_SWEPT]
        return _unknown(key, top, known)
    if not inner:
        return None
    known = _keys_in(top)
    if not known:
        return f"'{top}' is not a section, so it has no key '{'.'.join(inner)}'"
    if inner[0] not in known:
        return _unknown(key, inner[0], known)
    if len(inner) > 1:
        return f"'{top}.{inner[0]}' is not a section, so it has no key '{'.'.join(inner[1:])}'"
    return None


def long_form(key: str) -> str:
    """cell.type for cell, which sets the same value; other keys as they are."""
    return f"{key}.{MAIN[key]}" if key in MAIN else key


def _keys_in(top: str) -> list[str]:
    if top in KINDS:
        fields = (name for model in KINDS[top].values() for name in model.model_fields)
        return list(dict.fromkeys(("type", *fields)))
    return list(SECTIONS[top].model_fields) if top in SECTIONS else []


def _unknown(key: str, part: str, known: list[str]) -> str:
    hint = guess(part, known)
    return f"unknown key '{key}'" + (hint or f"; known here: {', '.join(known)}")
