"""Reading YAML: what a scalar means, what is refused before it costs anything, and where it stands.

- plain scalars follow the core schema of YAML 1.2
- what is no YAML, or no config at all, is refused with its line and column
- aliases, depth, size and digits are bounded before anything is expanded
- no bytes whatever raise anything but a GradlabError
"""

from __future__ import annotations

import io
import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.config import Loaded, load
from gradlab.config.compose import MAX_DEPTH, MAX_NODES
from gradlab.config.source import parse, read, value
from gradlab.errors import GradlabError, Problem

Refusal = Callable[..., list[str]]

SCALARS = [
    ("1e-3", 1e-3),
    ("1E5", 1e5),
    ("1e3", 1e3),
    (".5", 0.5),
    ("5.", 5.0),
    ("+1.5", 1.5),
    ("-0", 0),
    ("0x1F", 31),
    ("0o17", 15),
    ("12", 12),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("nan", "nan"),
    ("inf", "inf"),
    ("1_000", "1_000"),
    ("12:30:00", "12:30:00"),
    ("2024-01-01", "2024-01-01"),
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("True", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("null", None),
    ("~", None),
    ("", None),
    ("'5'", "5"),
    ("!!str 5", "5"),
    ("!!float 5", 5.0),
    ("=", "="),
    ("<<", "<<"),
]

ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

TEXTS = [
    ("", ["run.yaml: the config is empty; it needs at least `cell:`"]),
    ("# nothing\n", ["run.yaml: the config is empty; it needs at least `cell:`"]),
    ("- a\n- b\n", ["run.yaml:1:1: a config holds lines `key: value`, not a list"]),
    ("rnn\n", ["run.yaml:1:1: a config holds lines `key: value`, not a single value"]),
    (
        "cell: rnn\n---\ncell: lstm\n",
        [
            (
                "run.yaml:2:1: a second document starts here; a config is one document: "
                "remove the line ---"
            )
        ],
    ),
    (
        "cell: rnn\n\tseq_len: 3\n",
        [
            "run.yaml:2:1: not valid YAML: a tab; indent and separate with spaces",
            "     seq_len: 3",
            "    ^",
        ],
    ),
    (
        "cell: rnn\nclip: by: 5\n",
        [
            "run.yaml:2:9: not valid YAML: mapping values are not allowed here",
            "    clip: by: 5",
            "            ^",
        ],
    ),
    (
        "cell: {type: rnn",
        [
            (
                "run.yaml:1:17: not valid YAML: expected ',' or '}', but got '<stream end>' "
                "while parsing a flow mapping that begins in line 1"
            ),
            "    cell: {type: rnn",
            "                    ^",
        ],
    ),
    ("cell: rnn\0", ["run.yaml:1:10: the character '\\x00' is not allowed in YAML; remove it"]),
    (
        b"cell: rnn\nname: \xff\n",
        ["run.yaml:2:7: byte 0xff (number 16) is not UTF-8; save as UTF-8"],
    ),
    (
        "cell: rnn".encode("utf-16"),
        [
            (
                "run.yaml:1:1: byte 0xff (number 0) is not UTF-8; "
                "the file looks like UTF-16: save it as UTF-8"
            )
        ],
    ),
    (
        'cell: "\\U99999999"',
        ['run.yaml:1:1: not valid YAML: a number or an escape (such as "\\U...") is out of range'],
    ),
    ("cell: rnn\n1: 2\n", ["run.yaml:2:1: a key must be a name, not 1"]),
    ("cell: rnn\n? [a]\n: 2\n", ["run.yaml:2:3: a key must be a name, not a list or mapping"]),
    (
        "cell: !!python/object/apply:os.system [ls]\n",
        [
            (
                "run.yaml:1:7: the tag '!!python/object/apply:os.system' is not allowed; "
                "a config is plain data"
            )
        ],
    ),
    ("cell: !mine x\n", ["run.yaml:1:7: the tag '!mine' is not allowed; a config is plain data"]),
    ("cell: !!int x\n", ["run.yaml:1:7: 'x' does not fit its tag '!!int'; remove the tag"]),
    (
        "cell: rnn\nseq_len: 5\ncell: lstm\nseq_len: 6\n",
        [
            "run.yaml:3:1: 'cell' is given twice, first in line 1; remove one",
            "run.yaml:4:1: 'seq_len' is given twice, first in line 2; remove one",
        ],
    ),
    (
        "cell: rnn\ninit:\n  bias: 1\n  bias: 2\n",
        ["run.yaml:4:3: 'bias' is given twice, first in line 3; remove one"],
    ),
    (
        "cell: rnn\nseq_len: 010\n",
        ["run.yaml:2:10: 010 is ambiguous: write 10 (decimal), 0o10 (octal) or '010' (text)"],
    ),
    (
        "cell: rnn\nseq_len: -08\n",
        ["run.yaml:2:10: -08 is ambiguous: write -8 (decimal) or '-08' (text)"],
    ),
    (
        f"cell: rnn\nseq_len: {'9' * 5000}\n",
        ["run.yaml:2:10: a whole number of 5000 digits; at most 100 digits are read"],
    ),
    ("cell: &a [*a]\n", ["run.yaml:1:11: an alias refers to what contains it"]),
    (
        ALIAS_BOMB,
        ["run.yaml:5:8: more than 10000 values, aliases expanded; a config needs about a hundred"],
    ),
    (
        f"cell: {'[' * 5000}",
        ["run.yaml:1:56: nested more than 50 levels deep; a config needs about three"],
    ),
]


@pytest.mark.fault(
    "config: `1e-3`, `1E5`, `no`, `12:30:00`, `1_000`, dates",
    "numbers as YAML 1.2 has them; the rest is text",
)
@pytest.mark.parametrize(("text", "meaning"), SCALARS)
def test_plain_scalars_follow_yaml_1_2(text: str, meaning: object) -> None:
    """The value and its type, so that 1.0 is told from 1 and True."""
    assert repr(value(text, "value")) == repr(meaning)


@pytest.mark.fault(
    "config: syntax error, duplicate key, tab, `010`, Latin-1 or UTF-16 bytes, NUL, list, two "
    "documents, `!!python` tag, 5000 digits, 5000 levels, an alias to itself, empty file",
    "exit 2; line and column, a caret for syntax; both lines of a duplicate key",
)
@pytest.mark.parametrize(("text", "lines"), TEXTS)
def test_what_is_no_config_is_refused_with_its_place(
    text: str | bytes, lines: list[str], refusal: Refusal
) -> None:
    """The exact lines that a user sees."""
    assert refusal(text) == lines


@pytest.mark.fault(
    "config: alias bomb (306 bytes, 4·10^8 leaves)", "exit 2 before anything is expanded"
)
def test_an_alias_bomb_costs_nothing() -> None:
    """Nine to the ninth leaves are refused in a second, in a few megabytes."""
    tracemalloc.start()
    begin = time.perf_counter()
    with pytest.raises(GradlabError, match="aliases expanded"):
        parse(ALIAS_BOMB, "bomb.yaml")
    seconds = time.perf_counter() - begin
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 8 * 2**20


def test_aliases_within_the_bounds_are_read() -> None:
    """An alias means its anchor's value, and stands at its own place."""
    source = parse("a: &x {y: [1, 2]}\nb: *x\n", "run.yaml")
    assert source.data == {"a": {"y": [1, 2]}, "b": {"y": [1, 2]}}
    assert source.place(("b",)).text == "run.yaml:2:1"


def test_the_bounds_count_what_is_there() -> None:
    """At the bound a file is read, one beyond it is refused; aliases add their height."""
    items = MAX_NODES - 3  # beside them the mapping, its key and the list
    assert len(parse(f"a: [{'x,' * items}]", "run.yaml").data["a"]) == items
    with pytest.raises(GradlabError, match="more than"):
        parse(f"a: [{'x,' * (items + 1)}]", "run.yaml")
    half = MAX_DEPTH // 2
    inner = "[" * half + "]" * half  # at depth 1 + half, within the mapping
    outer = half - 1
    parse(f"a: &a {inner}\nb: {'[' * outer}*a{']' * outer}", "run.yaml")
    with pytest.raises(GradlabError, match="nested"):
        parse(f"a: &a {inner}\nb: [{'[' * outer}*a{']' * outer}]", "run.yaml")


@pytest.mark.fault("config: byte order mark, CRLF", "read")
def test_a_byte_order_mark_and_dos_line_ends_are_accepted(
    load_text: Callable[..., Loaded],
) -> None:
    """What Windows editors write."""
    loaded = load_text(b"\xef\xbb\xbfcell: rnn\r\nseq_len: 7\r\n")
    assert loaded.config.seq_len == 7
    assert loaded.source.place(("seq_len",)).text == "run.yaml:2:1"


def test_places_are_of_keys_with_the_parent_to_fall_back_on() -> None:
    """The key itself, an entry of a list, the nearest parent, the file."""
    source = parse("cell: rnn\nloss:\n  at: [3,\n    4]\n", "run.yaml")
    keys = [("loss", "at"), ("loss", "at", 1), ("loss", "value"), ("seeds",)]
    texts = [source.place(key).text for key in keys]
    assert texts == ["run.yaml:3:3", "run.yaml:4:5", "run.yaml:2:1", "run.yaml"]
    assert source.locate(Problem("wrong", ("loss", "at"))).order == (3, 3)


@pytest.mark.fault("config: missing, a folder, unreadable, far too large", "exit 2, in one line")
def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a folder, beyond 1 MiB, a NUL in the name: one line that begins with the path."""
    monkeypatch.chdir(tmp_path)
    Path("rnn_exploding.yaml").write_text("cell: rnn\n")
    Path("large.yaml").write_bytes(b"#" * (2**20 + 1))
    refused = {
        "rnn_explode.yaml": "rnn_explode.yaml: there is no such file "
        "(did you mean 'rnn_exploding.yaml'?)",
        "nowhere/a.yaml": "nowhere/a.yaml: there is no such file",
        ".": ".: this is a folder; name a YAML file in it",
        "large.yaml": "large.yaml: larger than 1 MiB; a config has a few lines",
        "rnn_exploding.yaml/a": "rnn_exploding.yaml/a: cannot be read: Not a directory",
        "a\0b": "'a\\x00b': cannot be read: embedded null byte",
    }
    for path, line in refused.items():
        with pytest.raises(GradlabError) as caught:
            read(path)
        assert str(caught.value) == line


@pytest.mark.fault("config: from standard input, also a closed one", "read; places in `stdin`")
def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads it; its problems are placed in `stdin`."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cell: rnn\nseq_len: 5\n")))
    assert load("-").config.seq_len == 5
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cell: rnn\nseq_len: 0\n")))
    with pytest.raises(GradlabError, match=r"^stdin:2:1: seq_len"):
        load("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(GradlabError, match="standard input is closed"):
        load("-")


def problems_of(path: Path) -> tuple[Problem, ...]:
    """What a GradlabError says of the file, () if it is a config; other errors pass through."""
    try:
        load(path)
    except GradlabError as error:
        return error.problems
    return ()


CHUNKS = [
    "cell: rnn\n",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!int ",
    "!",
    "%",
    "|\n",
]
CHUNKS += [
    "'",
    '"',
    "\\x",
    "\\U00110000",
    "\t",
    "\n",
    "  ",
    "#",
    "---\n",
    "...\n",
    "0x",
    "1e9",
    "<<",
]


@pytest.mark.fault("config: random bytes", "a config, or problems with their places")
@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(st.sampled_from(CHUNKS) | st.text(max_size=3), max_size=12).map(
            lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
        ),
    )
)
def test_no_bytes_raise_anything_but_our_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """Whatever is in the file: a config, or a GradlabError whose every problem has a place."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    problems = problems_of(path)
    assert all(p.place.startswith(str(path)) and p.message for p in problems)
    assert problems or raw.lstrip()  # an empty file is no config
