"""What differs in the configs of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradlab.dotted import dotted
from gradlab.report.beside import Compared
from gradlab.report.tables import Table

LONGEST = 40  # characters of a value that are shown
ABSENT = "-"
SAME = "The configs do not differ."


def differing(compared: Sequence[Compared]) -> dict[str, list[Any]]:
    """Dotted key -> its values, one for each result; None where a result has no such key.

    Names, figures and expectations are no part of a record's config: they change no number.
    """
    flat = [dotted(one.record.config) for one in compared]
    keys = list(dict.fromkeys(key for config in flat for key in config))
    sections = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    found = {}
    for key in keys:
        values = [config.get(key) for config in flat]
        there = [key in config for config in flat]
        # none beside a section of the same name: the keys of the section tell it
        told = key in sections and all(value is None for value in values)
        if not told and not (all(there) and all(value == values[0] for value in values)):
            found[key] = values
    return found


def table(compared: Sequence[Compared]) -> Table:
    """The same as a table; no rows where nothing differs."""
    rows = [(key, *map(shown, values)) for key, values in differing(compared).items()]
    header = ("key", *(one.letter for one in compared))
    return Table("What differs in the configs", header, tuple(rows))


def versions(compared: Sequence[Compared]) -> list[str]:
    """That different versions of gradlab computed them, where that is so."""
    every = [one.record.version for one in compared]
    if len(set(every)) == 1:
        return []
    told = ", ".join(f"{one.letter} {one.record.version}" for one in compared)
    return [f"They were computed by different versions of gradlab: {told}."]


def shown(value: Any) -> str:
    """A value of a config in a few characters; consecutive numbers as 0 .. 7."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        whole = len(value) > 2 and all(type(one) is int for one in value)
        if whole and value == list(range(value[0], value[0] + len(value))):
            return f"{value[0]} .. {value[-1]}"
        value = ", ".join(map(shown, value)) or "none"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
