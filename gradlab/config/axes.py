"""The axes of a sweep: keys that vary together, and their values, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradlab.config.problems import shown
from gradlab.config.shorthand import expand

REPEATED = 3  # repeated values that a note names


@dataclass(frozen=True)
class Axis:
    """Dotted keys that vary together, and their values at each position."""

    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]  # one tuple for each position, as long as keys
    form: Mapping[str, Any] | None = field(default=None, compare=False)  # {linear: ...}, if any

    @property
    def name(self) -> str:
        """The keys as in the section: "init.recurrent, init.forget_bias"."""
        return ", ".join(self.keys)


@dataclass(frozen=True)
class Written:
    """An axis whose values are counted, but not yet made."""

    keys: tuple[str, ...]
    count: int
    make: Callable[[], Iterable[tuple[Any, ...]]]
    form: Mapping[str, Any] | None = None

    def axis(self) -> tuple[Axis, str | None]:
        """The axis, each value once, and a note where some were repeated."""
        kept: dict[Any, tuple[Any, ...]] = {}
        repeated: dict[Any, tuple[Any, ...]] = {}
        for position in self.make():
            same = tuple(_identity(key, v) for key, v in zip(self.keys, position, strict=True))
            if kept.setdefault(same, position) is not position:
                repeated[same] = position
        axis = Axis(self.keys, tuple(kept.values()), self.form)
        if not repeated:
            return axis, None
        named = " and ".join(pairs(self.keys, p) for p in list(repeated.values())[:REPEATED])
        more = f" and {len(repeated) - REPEATED} others" if len(repeated) > REPEATED else ""
        return axis, f"{named}{more}: given more than once, computed once"


def pairs(keys: Iterable[str], values: Iterable[Any]) -> str:
    """The text "weight_scale=1.5, cell=lstm"."""
    return ", ".join(f"{key}={word(v)}" for key, v in zip(keys, values, strict=True))


def word(given: Any) -> str:
    """A value as it would be written after `key=`, shortened."""
    if isinstance(given, Mapping):
        return "{" + ", ".join(f"{key}: {word(v)}" for key, v in given.items()) + "}"
    if isinstance(given, list) and len(given) <= REPEATED:
        return "[" + ", ".join(map(word, given)) + "]"
    if isinstance(given, str) and given.isprintable():
        return given
    return "none" if given is None else shown(given)


def _identity(key: str, given: Any) -> Any:
    """Equal, and of the same hash, for values that mean the same: 1 and 1.0, rnn and {type: rnn}.

    True, which Python takes for 1, means something else.
    """
    given = expand(key, given)
    if isinstance(given, Mapping):
        return frozenset((name, _identity("", v)) for name, v in given.items())
    if isinstance(given, list):
        return tuple(_identity("", v) for v in given)
    return isinstance(given, bool), given
