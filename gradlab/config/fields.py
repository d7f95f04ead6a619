"""The types of single values: numbers, words, names, paths, and how they are checked.

A failed check raises the error type "wanted": what the value must be, in words that follow "must be".
`gradlab.config.problems` makes the message of it.
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
    """The error that a value must be `what`; `below` leads from the value to the part that is wrong."""
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


def number(value: Any) -> float:
    """A finite float from an int or float; raises `wanted`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wanted("a number")
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise wanted("a finite number")
    return real + 0.0  # -0.0 and 0.0 are the same config


def truth(value: Any) -> bool:
    """True or False; raises `wanted`."""
    if not isinstance(value, bool):
        raise wanted("true or false")
    return value


Whole = Annotated[int, BeforeValidator(whole)]
Size = Annotated[int, BeforeValidator(whole), Field(ge=1, le=MAX_SIZE)]
Seed = Annotated[int, BeforeValidator(whole), Field(ge=0, le=MAX_SEED)]
Number = Annotated[float, BeforeValidator(number)]
Flag = Annotated[bool, BeforeValidator(truth)]

STRICT: dict[Any, Any] = {int: Whole, float: Number, bool: Flag}  # for the options of the cells


def size_or(*words: str) -> BeforeValidator:
    """One of `words`, or a whole number of at least 1."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        try:
            size = whole(value)
        except PydanticCustomError:
            size = 0
        if not 1 <= size <= MAX_SIZE:
            raise wanted(f"{', '.join(words)} or a whole number of at least 1")
        return size

    return BeforeValidator(check)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same values; raises `refused` where one is repeated."""
    twice = sorted({str(v) for v in values if values.count(v) > 1}) if len(set(values)) < len(values) else []
    if twice:
        raise refused(f"holds {twice[0]} more than once; remove the repetition")
    return values


def kind(what: str, known: Iterable[str]) -> Any:
    """The type of a name that must be a key of a dict of kinds; `what` is what the dict holds."""
    names = tuple(known)

    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise PydanticCustomError("kind", "{what}", {"what": what, "known": names})

    return Annotated[
        str, BeforeValidator(check), WithJsonSchema({"type": "string", "enum": list(names)})
    ]


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
    expanded = os.path.expanduser(path)
    return expanded if folder is None else os.path.abspath(os.path.join(folder, expanded))


Text = Annotated[str, BeforeValidator(text)]
Name = Annotated[Text, AfterValidator(_named)]
File = Annotated[Text, AfterValidator(_resolved)]  # absolute, given the context {"folder": ...}
