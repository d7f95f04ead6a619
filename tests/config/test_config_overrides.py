"""Overrides: `key=value` on the command line.

- the value is YAML by our rules; a dotted key writes out the short form of its section first
- a section given whole replaces the section
- problems are placed at the override
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gradlab.config import Loaded
from gradlab.config.overrides import apply
from gradlab.config.source import parse

LoadText = Callable[..., Loaded]
Refusal = Callable[..., list[str]]

TEXT = "cell: {type: rnn, activation: tanh}\nclip: none\nspectrum: none\ninit: orthogonal\n"

SET = [
    ("seq_len=50", "seq_len", 50),
    ("weight_scale=1e-3", "weight_scale", 1e-3),
    (" weight_scale = 5e-1", "weight_scale", 0.5),
    ("cell=lstm", "cell", "lstm"),
    ("cell.type=lstm", "cell", {"type": "lstm", "activation": "tanh"}),
    ("cell.activation=relu", "cell", {"type": "rnn", "activation": "relu"}),
    ("loss.at=[5,10]", "loss", {"at": [5, 10]}),
    ("loss={at: all}", "loss", {"at": "all"}),
    ("clip=5", "clip", 5),
    ("clip=", "clip", None),
    ("clip.by=value", "clip", {"by": "value"}),
    (
        "spectrum.values=all",
        "spectrum",
        {"step": False, "product": False, "lyapunov": False, "values": "all"},
    ),
    ("init.bias=1", "init", {"recurrent": "orthogonal", "bias": 1}),
    ("init.file=a=b.npz", "init", {"recurrent": "orthogonal", "file": "a=b.npz"}),
    ("inputs.std=2", "inputs", {"std": 2}),
    ("foo.bar=no", "foo", {"bar": "no"}),
]


@pytest.mark.parametrize(("override", "key", "value"), SET)
def test_an_override_sets_its_key_alone(override: str, key: str, value: Any) -> None:
    """The key has the value, every other one is as it was, and so is the source."""
    source = parse(TEXT, "run.yaml")
    before = parse(TEXT, "run.yaml").data
    result = apply(source, [override])
    assert result.problems == ()
    assert result.data == {**before, key: value}
    assert source.data == before


def test_short_forms_are_written_out_first(load_text: LoadText) -> None:
    """The example of the documentation, through to the model; the last override wins."""
    loaded = load_text("cell: rnn\nclip: 5.0\n", "cell.activation=relu", "clip.by=value")
    assert loaded.config.cell.options() == {"activation": "relu"}
    assert loaded.config.clip is not None
    assert (loaded.config.clip.threshold, loaded.config.clip.by) == (5.0, "value")
    assert load_text("cell: rnn\n", "seq_len=5", "seq_len=6").config.seq_len == 6
    assert load_text("cell: rnn\n", "inputs.std=2").config.inputs.options() == {"std": 2.0}


def test_a_whole_section_replaces_what_was_there(load_text: LoadText) -> None:
    """Options of the cell in the file do not linger."""
    text = "cell: {type: rnn, activation: relu}\n"
    assert load_text(text, "cell=lstm").config.cell.options() == {}
    assert load_text(text, "cell=rnn").config.cell.options() == {"activation": "tanh"}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seq_len=0", "seq_len must be at least 1, not 0"),
        ("seqlen=5", "unknown key 'seqlen' (did you mean 'seq_len'?)"),
        ("loss.att=all", "unknown key 'loss.att' (did you mean 'at'?)"),
        ("foo.bar=1", "unknown key 'foo'; known here: ..."),
        ("weight_scale", "an override is key=value, for example seq_len=50; there is no '='"),
        ("=5", "an override is key=value, for example loss.at=all; the key is empty"),
        ("cell.=5", "an override is key=value, for example loss.at=all; the key is empty"),
        ("seq_len.x=5", "'seq_len' is not a section, so it has no key 'x'"),
        ("seq_len=010", "010 is ambiguous: write 10 (decimal), 0o10 (octal) or '010' (text)"),
        ("name=!x y", "the tag '!x' is not allowed; a config is plain data"),
        ("clip={by: value, by: norm}", "'by' is given twice, first in line 1; remove one"),
        ("clip=\udcff", "the character '\\udcff' is not allowed in YAML; remove it"),
        ("clip=[1", "not valid YAML: expected ',' or ']', but got '<stream end>' while ..."),
    ],
)
def test_problems_are_placed_at_the_override(override: str, line: str, refusal: Refusal) -> None:
    """The first line says which override it is, and what is wrong with it."""
    first = refusal("cell: rnn\nseq_len: 5\n", override)[0]
    wanted = f"command line, {override if override.isprintable() else repr(override)}: {line}"
    assert first.startswith(wanted[:-3]) if line.endswith("...") else first == wanted


def test_what_the_file_says_keeps_its_place_beside_an_override(refusal: Refusal) -> None:
    """Only the overridden key moves to the command line."""
    lines = refusal("cell: rnn\nclip: 0\nloss: {at: [0], value: x}\n", "clip.by=norm", "loss.at=1")
    assert [line.partition(": ")[0] for line in lines] == [
        "run.yaml:2:1",
        "run.yaml:3:17",
        "command line, clip.by=norm",
        "command line, loss.at=1",
    ]
