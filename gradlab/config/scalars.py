"""What a plain YAML scalar means: the core schema of YAML 1.2.

PyYAML alone follows YAML 1.1, where `1e-3` is text, `no` is false, `010` is eight and `12:30` is
750. Here 1e-3 is a number and the others are text, except 010, which is refused as ambiguous.
"""

from __future__ import annotations

import re

PREFIX = "tag:yaml.org,2002:"
MAX_DIGITS = 100  # of a whole number; Python itself refuses to print more than 4300

CORE: dict[str, re.Pattern[str]] = {
    PREFIX + name: re.compile(rf"(?:{pattern})\Z")
    for name, pattern in {
        "null": r"~|null|Null|NULL|",
        "bool": r"true|True|TRUE|false|False|FALSE",
        "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
        "float": (
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    }.items()
}
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")

Scalar = str | int | float | bool | None


def value_of(tag: str, text: str) -> Scalar:
    """The value of a scalar with a core tag (or `str`).

    Raises ValueError, with a message for the user, where the text does not fit the tag.
    """
    name = tag.removeprefix(PREFIX)
    if name == "str":
        return text
    if not CORE[tag].match(text):
        raise ValueError(f"{text[:40]!r} does not fit its tag '!!{name}'; remove the tag")
    if name == "null":
        return None
    if name == "bool":
        return text.lower() == "true"
    return _whole(text) if name == "int" else _real(text)


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(
            f"a whole number of {len(text)} digits; at most {MAX_DIGITS} digits are read"
        )
    if LEADING_ZERO.match(text):
        raise ValueError(_ambiguous(text))
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _ambiguous(text: str) -> str:
    digits = text.lstrip("+-0") or "0"
    octal = f", 0o{digits} (octal)" if text.isdigit() and not set(digits) & set("89") else ""
    return f"{text} is ambiguous: write {int(text)} (decimal){octal} or '{text}' (text)"


def _real(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
