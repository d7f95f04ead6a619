"""One thing that a config expects of its run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gradlab.errors import Key

OF = ("summary", "every", "median", "mean", "low", "high", "interval")
DIRECTIONS = ("forward", "backward")
NONE = "none"  # the word for a value that is null
OPTIONS = ("equals", "min", "max", "near", "rel", "abs", "of", "lag", "layer", "direction")

Word = str | float | bool


@dataclass(frozen=True)
class Expectation:
    """One thing that must hold. Of `equals`, min and max, and near there is one kind."""

    name: str  # a dotted path in summary.json, or with a lag a column of steps.csv
    equals: tuple[Word, ...] | None = None  # one of these
    min: float | None = None
    max: float | None = None
    near: float | None = None
    rel: float | None = None
    abs: float | None = None
    of: str | None = None  # one of OF; None: what is usual for the name
    lag: int | None = None
    layer: int | None = None
    direction: str | None = None
    key: Key = field(default=(), compare=False)  # where in the config it was written

    @property
    def bounds(self) -> tuple[float, float]:
        """What a number must lie between, both ends included."""
        if self.near is None:
            return (
                -math.inf if self.min is None else self.min,
                math.inf if self.max is None else self.max,
            )
        within = max((self.rel or 0.0) * math.fabs(self.near), self.abs or 0.0)
        return self.near - within, self.near + within

    @property
    def label(self) -> str:
        """What it is about: grad_norm_h at lag 50, layer 2."""
        parts = [f"at lag {self.lag}"] if self.lag is not None else []
        parts += [f"layer {self.layer}"] if self.layer is not None else []
        parts += [self.direction] if self.direction is not None else []
        return f"{self.name} {', '.join(parts)}".strip()

    @property
    def condition(self) -> str:
        """What must hold, without the name: >= 0.1, 2 to 5, 12 within 1 %, exploding."""
        if self.equals is not None:
            return " or ".join(_plain(word) for word in self.equals)
        if self.near is not None:
            ways = [f"{100 * self.rel:g} %"] if self.rel is not None else []
            ways += [f"{self.abs:g}"] if self.abs is not None else []
            return f"{self.near:g} within {' or '.join(ways)}"
        if self.min is not None and self.max is not None:
            return f"{self.min:g} to {self.max:g}"
        return f">= {self.min:g}" if self.min is not None else f"<= {self.max:g}"

    def form(self, short: bool = True) -> Any:
        """As it is written in a config, without the name; always a mapping where not short."""
        given = {option: getattr(self, option) for option in OPTIONS}
        given = {option: value for option, value in given.items() if value is not None}
        if self.equals is not None:
            given["equals"] = self.equals[0] if len(self.equals) == 1 else list(self.equals)
        return given["equals"] if short and set(given) == {"equals"} else given


def _plain(word: Word) -> str:
    if isinstance(word, bool):
        return "true" if word else "false"
    return word if isinstance(word, str) else f"{word:.10g}"
