"""The types of single values: numbers, words, names, paths, and how they are checked.

A failed check raises an error of the type "wanted": what the value must be, in words that follow
"must be". `gradlab.config.problems` makes the message of it.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_SIZE = 2**31 - 1
MAX_SEED = 2**32 - 1  # what numpy's RandomState takes
MAX_MEMBERS = 1_000_000
MAX_NAME = 100  # characters
MAX_NAME_BYTES = 200  # file systems take 255, and names get suffixes
_RESERVED = re.compile(r"(?i)(con|nul|aux|prn|com[0-9]|lpt[0-9])(\.|$)")


def wanted(what: str, *below: str | int) -> PydanticCustomError:
    """The error that a value must be `what`; `below` leads from it to the part that is wrong."""
    return PydanticCustomError("wanted", "{wanted}", {"wanted": what, "below": below})


def refused(why: str, *below: str | int) -> PydanticCustomError:
    """An error whose message is `why`, after the key."""
    return PydanticCustomError("refused", "{why}", {"why": why, "below": below})


def whole(value: Any) -> int:
    """An int from an int or an integral float (1 and 1.0 are the same config); raises `wanted`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wanted("a whole number")
    if isinstance(value, float) and not value.is_integer():
        raise wanted("a whole number")
    return int(value)


def number(value: Any) -> int | float:
    """A finite number; raises `wanted`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wanted("a number")
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise wanted("a finite number")
    return value + 0  # -0.0 and 0.0 are the same config


def truth(value: Any) -> bool:
    """True or False; raises `wanted`."""
    if not isinstance(value, bool):
        raise wanted("true or false")
    return value


# The bounds stand before the function, so that they bound the number and reach the JSON Schema.
WHOLE = BeforeValidator(whole)
Whole = Annotated[int, WHOLE]
Size = Annotated[int, Field(ge=1, le=MAX_SIZE), WHOLE]
Count = Annotated[int, Field(ge=1, le=MAX_MEMBERS), WHOLE]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), WHOLE]
NUMBER = BeforeValidator(number)
Number = Annotated[float, NUMBER]
Positive = Annotated[float, Field(gt=0), NUMBER]
NotNegative = Annotated[float, Field(ge=0), NUMBER]
Flag = Annotated[bool, BeforeValidator(truth)]

STRICT: dict[Any, Any] = {int: Whole, float: Number, bool: Flag}  # for the options of the cells


def flag_or(*words: str) -> BeforeValidator:
    """One of `words`, or true or false."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and value in words):
            return value
        raise wanted(f"{', '.join(words)}, true or false")

    return BeforeValidator(check)


def size_or(*words: str) -> BeforeValidator:
    """One of `words`, or a whole number of at least 1."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        return _within(value, 1, MAX_SIZE, f"{', '.join(words)} or a whole number of at least 1")

    return BeforeValidator(check)


def steps_or(*words: str) -> BeforeValidator:
    """One of `words`, or a list of distinct steps, counted from 1."""
    what = f"{', '.join(words)} or a list of distinct steps from 1 on"

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        return _list_of(value, 1, MAX_SIZE, what)

    return BeforeValidator(check)


def _seeds(value: Any) -> Any:
    if isinstance(value, list):
        return _list_of(value, 0, MAX_SEED, f"a list of distinct seeds from 0 to {MAX_SEED}")
    what = f"a count from 1 to {MAX_MEMBERS}, or a list of seeds"
    return _within(value, 1, MAX_MEMBERS, what)


def _within(value: Any, least: int, most: int, what: str) -> int:
    try:
        size = whole(value)
    except PydanticCustomError:
        size = least - 1
    if not least <= size <= most:
        raise wanted(what)
    return size


def _list_of(values: Any, least: int, most: int, what: str) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)) or not values:
        raise wanted(what)
    checked = tuple(_within(value, least, most, what) for value in values)
    return distinct(checked)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same values; raises `refused` where one is repeated."""
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise refused(f"holds {value} more than once; remove the repetition")
        seen.add(value)
    return values


def kind(what: str, known: Iterable[str]) -> tuple[BeforeValidator, WithJsonSchema]:
    """Annotates a name that must be a key of a dict of kinds; `what` is what the dict holds."""
    names = tuple(known)

    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise PydanticCustomError("kind", "{what}", {"what": what, "known": names})

    return BeforeValidator(check), WithJsonSchema({"type": "string", "enum": list(names)})


def text(value: Any) -> str:
    """A string without control characters and lone surrogates; raises `wanted`."""
    if not isinstance(value, str):
        raise wanted("text in quotes")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise wanted("text without control characters")
    return value


def flaw(name: str) -> str | None:
    """Why `name` cannot name a folder on every system ("must be ..."), None where it can."""
    if not name or name != name.strip() or name.endswith("."):
        return "a name that does not begin or end with a space or end with a dot"
    if "/" in name or "\\" in name or ".." in name:
        return "a name and not a path: no '/', '\\' or '..'"
    if name[0] in "-.":
        return "a name that does not begin with '-' or '.'"
    if len(name) > MAX_NAME or len(name.encode()) > MAX_NAME_BYTES:
        return f"at most {MAX_NAME} characters ({MAX_NAME_BYTES} bytes) long"
    return "a name that Windows does not reserve" if _RESERVED.match(name) else None


def _named(name: str) -> str:
    if reason := flaw(name):
        raise wanted(reason)
    return name


def _resolved(path: str, info: ValidationInfo) -> str:
    if not path:
        raise wanted("the path of a file")
    folder = (info.context or {}).get("folder")
    return os.path.expanduser(path) if folder is None else absolute(path, folder)


def absolute(path: str, folder: str) -> str:
    """The path as it is read from a config in `folder`: ~ is the home folder."""
    return os.path.abspath(os.path.join(folder, os.path.expanduser(path)))


SEEDS = BeforeValidator(_seeds)
Text = Annotated[str, BeforeValidator(text)]
Name = Annotated[Text, AfterValidator(_named)]
File = Annotated[Text, AfterValidator(_resolved)]  # absolute, given the context {"folder": ...}
