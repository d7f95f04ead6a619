"""An axis of a sweep as figures show it: its positions if its values are numbers, their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.config.axes import word
from gradlab.nonlinearity import Array

LONG = 30  # characters of a value that are shown
TOGETHER = 60  # characters of keys that vary together, with their values
WIDE = 4.0  # last over first, from which numbers may be spaced logarithmically
SYMBOLS = {
    "weight_scale": "weight_scale g",
    "seq_len": "seq_len T (steps)",
    "hidden_size": "hidden_size H (units)",
    "input_size": "input_size I (inputs)",
    "batch_size": "batch_size B (sequences)",
}


@dataclass(frozen=True)
class Axis:
    """Keys that vary together, and the texts of their values; positions if these are numbers."""

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    positions: Array | None  # where they are drawn: the numbers, or their log10; ascending
    log: bool
    whole: bool
    order: tuple[int, ...]  # the place of each among the values as they were given
    given: tuple[tuple[str, ...], ...]  # texts in that order, one for each key

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def name(self) -> str:
        """The keys, for sentences."""
        return ", ".join(self.keys)

    @property
    def label(self) -> str:
        """The keys with symbol and unit, for an axis of a figure."""
        label = SYMBOLS.get(self.name, self.name)
        if not self.log:
            return label
        return f"{label[:-1]}, log scale)" if label.endswith(")") else f"{label} (log scale)"

    def at(self, k: int) -> str:
        """The text "cell=rnn"; keys that vary together each with their value, if it is short."""
        if len(self.keys) > 1 and self.positions is None:
            pairs = zip(self.keys, self.given[k], strict=True)
            text = ", ".join(f"{key}={value}" for key, value in pairs)
            if len(text) <= TOGETHER:
                return text
        return f"{self.name}={self.texts[k]}"

    def number(self, position: float) -> float:
        """The value at a position."""
        return float(10.0**position) if self.log else float(position)


def axis(keys: Sequence[str], values: Sequence[Any]) -> Axis:
    """An Axis; of numbers if there is one key, and different numbers are all its values."""
    flat = [tuple(value) if isinstance(value, tuple | list) else (value,) for value in values]
    numbers = np.array([value[0] for value in flat], float) if _numeric(flat) else None
    if numbers is None:
        given = tuple(tuple(_text(part) for part in value) for value in flat)
        texts = _distinct([", ".join(value) for value in given])
        return Axis(tuple(keys), texts, None, False, False, tuple(range(len(flat))), given)
    order = tuple(int(k) for k in np.argsort(numbers))
    ascending = numbers[list(order)]
    log = _logarithmic(ascending)
    positions = np.log10(ascending) if log else ascending
    whole = all(isinstance(value[0], int) for value in flat)
    texts = _digits(ascending)
    given = tuple((texts[place],) for place in np.argsort(order))
    return Axis(tuple(keys), texts, positions, log, whole, order, given)


def _numeric(values: Sequence[tuple[Any, ...]]) -> bool:
    plain = all(
        len(value) == 1 and isinstance(value[0], int | float) and not isinstance(value[0], bool)
        for value in values
    )
    return plain and len({float(value[0]) for value in values}) == len(values)


def _logarithmic(numbers: Array) -> bool:
    """Whether ascending numbers are spaced more evenly in their logarithms."""
    if len(numbers) < 3 or numbers[0] <= 0 or float(numbers[-1]) < WIDE * float(numbers[0]):
        return False
    # shares of the largest: the squares of the numbers themselves may leave float range
    linear, log = np.diff(numbers / numbers[-1]), np.diff(np.log(numbers))
    return bool(log.std() / log.mean() < linear.std() / linear.mean())


def _digits(numbers: Array) -> tuple[str, ...]:
    """At least three significant digits, and so many that no two texts are the same."""
    for digits in range(3, 18):
        texts = tuple(
            f"{number:.0f}"
            if number == round(number) and abs(number) < 1e6
            else f"{number:.{digits}g}"
            for number in numbers
        )
        if len(set(texts)) == len(texts):
            break
    return texts


def _text(value: Any) -> str:
    """A value that is no number: 'rnn', 'relu rnn' for {type: rnn, activation: relu}."""
    if isinstance(value, Mapping) and "type" in value:
        more = [word(part) for key, part in value.items() if key != "type"]
        return " ".join([*more, word(value["type"])])
    return word(value)


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts, shortened, and numbered where two would be the same."""
    short = [text if len(text) <= LONG else _shortened(text) for text in texts]
    return tuple(
        f"{text} ({short[: k + 1].count(text)})" if short.count(text) > 1 else text
        for k, text in enumerate(short)
    )


def _shortened(text: str) -> str:
    """The end of a path, the beginning of other texts."""
    return f"…{text[1 - LONG :]}" if "/" in text else f"{text[: LONG - 1]}…"
