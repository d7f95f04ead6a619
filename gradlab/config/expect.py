"""`expect`: what a run must find; `gradlab check` holds it against the result.

    expect:
      verdict: exploding                    # a word, or a list of words: one of them
      growth_rate: {min: 0.1}               # min, max or both; or near, with rel or abs
      clip.rate: {max: 0.1, of: every}      # any value of summary.json, by its dotted path
      grad_norm_h: {lag: 50, min: 1e-3}     # a column of steps.csv at a lag; or a list of such

Only the form is read here. Which names a run has is known once it is planned: that is for
`gradlab.expectations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from gradlab.config.expectation import DIRECTIONS, OF, OPTIONS, Expectation, Word
from gradlab.config.fields import number, refused, wanted, whole
from gradlab.errors import Key

REL = 0.01  # of `near`, where neither rel nor abs is given


def read(value: Any) -> tuple[Expectation, ...]:
    """The expectations of a config's section. Raises ValidationError with all that is wrong."""
    if value is None or isinstance(value, tuple):  # already read
        return value or ()
    reader = _Reader()
    reader.section(value, ())
    if reader.faults:
        raise ValidationError.from_exception_data("expect", reader.faults)
    return tuple(reader.found)


def write(expectations: tuple[Expectation, ...]) -> dict[str, Any] | None:
    """The section again: reading it gives the same expectations."""
    found: dict[str, list[Expectation]] = {}
    for one in expectations:
        found.setdefault(one.name, []).append(one)
    return {
        name: every[0].form() if len(every) == 1 else [one.form(short=False) for one in every]
        for name, every in found.items()
    } or None


def _word(value: Any) -> Word:
    if isinstance(value, str | bool):
        return value
    return number(value)


def _words(value: Any) -> tuple[Word, ...]:
    if isinstance(value, list):
        if not value:
            raise wanted("a list that is not empty")
        if any(isinstance(each, Mapping | list) or each is None for each in value):
            raise wanted("a list of words and numbers, or one of mappings")
        return tuple(_word(each) for each in value)
    if isinstance(value, Mapping) or value is None:
        raise wanted("a word, a number or a list of them")
    return (_word(value),)


def _not_negative(value: Any) -> float:
    found = number(value)
    if found < 0:
        raise wanted("at least 0")
    return found


def _from(least: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        found = whole(value)
        if found < least:
            raise wanted(f"at least {least}")
        return found

    return check


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise wanted(f"one of {', '.join(words)}")

    return check


CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "equals": _words,
    "min": number,
    "max": number,
    "near": number,
    "rel": _not_negative,
    "abs": _not_negative,
    "of": _one_of(OF),
    "lag": _from(0),
    "layer": _from(1),
    "direction": _one_of(DIRECTIONS),
}


class _Reader:
    """Collects expectations, and all faults with their places."""

    def __init__(self) -> None:
        self.found: list[Expectation] = []
        self.faults: list[InitErrorDetails] = []

    def section(self, value: Any, path: Key) -> None:
        """Names, or the first parts of dotted ones, and what is expected of them."""
        if isinstance(value, Mapping) and not value:
            self.fault(refused("is empty: give names and what is expected of them"), path, value)
            return
        if not isinstance(value, Mapping):
            self.fault(wanted("a mapping of names to what is expected of them"), path, value)
            return
        for name, inner in value.items():
            self.entry(inner, (*path, name))

    def entry(self, value: Any, path: Key) -> None:
        """What is expected of one name: a value, a mapping, or a list of either."""
        if isinstance(value, Mapping) and value and CHECKS.keys().isdisjoint(value):
            self.section(value, path)
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for index, one in enumerate(value):
                self.condition(one, path, (*path, index))
        elif isinstance(value, Mapping):
            self.condition(value, path, path)
        else:
            self.condition({"equals": value}, path, path, short=True)

    def condition(self, value: Mapping[str, Any], path: Key, key: Key, short: bool = False) -> None:
        """One expectation of the name that `path` spells; `key` is where it stands."""
        before = len(self.faults)
        read: dict[str, Any] = {}
        for option, given in value.items():
            place = key if short else (*key, option)
            if option not in OPTIONS:
                known = PydanticCustomError("unknown_option", "{known}", {"known": list(OPTIONS)})
                self.fault(known, place, given)
                continue
            try:
                read[option] = CHECKS[option](given)
            except PydanticCustomError as error:
                self.fault(error, place, given)
        if len(self.faults) == before:
            self.consistent(read, key, value)
        if len(self.faults) == before:
            name = ".".join(str(part) for part in path)
            self.add(Expectation(name=name, **read, key=("expect", *key)), key, value)

    def consistent(self, read: dict[str, Any], key: Key, value: Any) -> None:
        """Adds what is wrong with options that were read one by one; sets the usual rel."""
        kinds = [
            " and ".join(given)
            for kind in (("equals",), ("min", "max"), ("near",))
            if (given := [option for option in kind if option in read])
        ]
        if len(kinds) != 1:
            why = f"has {' beside '.join(kinds)}: keep one" if kinds else "says nothing: give one"
            self.fault(refused(f"{why} of min and max, near, equals"), key, value)
        elif "min" in read and "max" in read and read["min"] > read["max"]:
            why = f"is {read['min']:g}, more than max, {read['max']:g}: nothing lies between"
            self.fault(refused(why), (*key, "min"), value)
        elif "near" not in read:
            for option in sorted({"rel", "abs"} & read.keys()):
                self.fault(refused("goes with near, which is not given"), (*key, option), value)
        elif "abs" not in read:
            read.setdefault("rel", REL)
            if read["near"] == 0:
                why = "is 0, of which no share is left: give abs, how far off it may be"
                self.fault(refused(why), (*key, "near"), value)

    def add(self, one: Expectation, key: Key, value: Any) -> None:
        """Adds an expectation; one name may be spelled in one place only."""
        others = [each for each in self.found if each.name == one.name]
        listed = isinstance(key[-1], int)
        if others and not (listed and others[0].key[:-1] == one.key[:-1]):
            why = f"is expected twice: write both in one list, {one.name}: [{{...}}, {{...}}]"
            self.fault(refused(why), key, value)
        self.found.append(one)

    def fault(self, error: PydanticCustomError, key: Key, value: Any) -> None:
        """Adds what is wrong with the value at a key."""
        self.faults.append(InitErrorDetails(type=error, loc=key, input=value))


_ONE = {"type": ["number", "string", "boolean"]}
_CONDITION = {
    "type": "object",
    "properties": {
        "equals": {"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 1}]},
        **{name: {"type": "number"} for name in ("min", "max", "near")},
        **{name: {"type": "number", "minimum": 0} for name in ("rel", "abs")},
        "of": {"enum": list(OF)},
        "lag": {"type": "integer", "minimum": 0},
        "layer": {"type": "integer", "minimum": 1},
        "direction": {"enum": list(DIRECTIONS)},
    },
}
_FORM = {"anyOf": [_ONE, _CONDITION, {"type": "array", "minItems": 1}]}
Expect = Annotated[
    tuple[Expectation, ...],
    PlainValidator(read),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "minProperties": 1, "additionalProperties": _FORM},
                {"type": "null"},
            ]
        }
    ),
]
