"""The section `expect`: its forms, what is wrong with them, and that it changes no number.

Claims:
- a word, a number, a list, a mapping and nested mappings mean what they say; dotted and nested
  names are the same;
- what is written back is read as the same expectations;
- bounds are min and max; around `near` the larger of rel * |near| and abs; rel is 1 % unless given;
- everything that is wrong is told at once, each at its own place;
- it is no part of the identity, and a sweep leaves it aside and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gradlab.config import Expectation, Loaded, Sweep, dump, from_mapping
from gradlab.config.expect import CHECKS, read, write
from gradlab.config.expectation import OF, OPTIONS
from gradlab.plan import settle

LoadText = Callable[..., Loaded]
Refusal = Callable[..., list[str]]


def expected(section: Any) -> tuple[Expectation, ...]:
    return from_mapping({"cell": "rnn", "expect": section}).config.expect


@pytest.mark.parametrize(
    ("section", "want"),
    [
        ({"verdict": "exploding"}, [Expectation("verdict", equals=("exploding",))]),
        ({"verdict": ["a", "b"]}, [Expectation("verdict", equals=("a", "b"))]),
        ({"sigma_max": 2}, [Expectation("sigma_max", equals=(2,))]),
        ({"a.b": {"min": 1}}, [Expectation("a.b", min=1)]),
        (
            {"a": {"b": {"min": 1}, "c": {"max": 2}}},
            [Expectation("a.b", min=1), Expectation("a.c", max=2)],
        ),
        ({"x": {"near": 3}}, [Expectation("x", near=3, rel=0.01)]),
        ({"x": {"near": 3, "abs": 1}}, [Expectation("x", near=3, abs=1)]),
        ({"x": {"equals": "ok", "of": "every"}}, [Expectation("x", equals=("ok",), of="every")]),
        (
            {"h": [{"lag": 1, "min": 0}, {"lag": 2, "max": 1, "layer": 2}]},
            [Expectation("h", lag=1, min=0), Expectation("h", lag=2, max=1, layer=2)],
        ),
    ],
)
def test_each_form_means_what_it_says(section: Any, want: list[Expectation]) -> None:
    assert list(expected(section)) == want


def test_each_option_is_checked_and_written_back() -> None:
    assert tuple(CHECKS) == OPTIONS
    assert set(OPTIONS) < set(Expectation.__dataclass_fields__)


def test_without_a_section_nothing_is_expected() -> None:
    assert from_mapping({"cell": "rnn"}).config.expect == ()
    assert expected(None) == ()


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({"min": 1}, 1, math.inf),
        ({"max": 1}, -math.inf, 1),
        ({"min": 1, "max": 1}, 1, 1),
        ({"near": 200}, 198, 202),
        ({"near": -200}, -202, -198),
        ({"near": 200, "rel": 0.1}, 180, 220),
        ({"near": 200, "abs": 1}, 199, 201),
        ({"near": 200, "abs": 50, "rel": 0.1}, 150, 250),
        ({"near": 200, "abs": 1, "rel": 0.1}, 180, 220),
        ({"near": 0, "abs": 0.5}, -0.5, 0.5),
        ({"near": 3, "rel": 0}, 3, 3),
    ],
)
def test_the_bounds(options: dict[str, float], low: float, high: float) -> None:
    (one,) = expected({"x": options})
    assert one.bounds == (low, high)  # sums of numbers that floats hold exactly


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
shares = st.floats(0, 10, allow_nan=False)
WHERE = {"of": st.sampled_from(OF), "lag": st.integers(0, 100), "layer": st.integers(1, 9)}
WHERE |= {"direction": st.sampled_from(["forward", "backward"])}
conditions = st.one_of(
    st.fixed_dictionaries({"min": numbers}, optional=WHERE),
    st.fixed_dictionaries({"max": numbers}, optional=WHERE),
    st.fixed_dictionaries({"near": numbers, "abs": shares}, optional={**WHERE, "rel": shares}),
    st.fixed_dictionaries({"equals": st.one_of(numbers, st.booleans())}, optional=WHERE),
)
keys = st.text("abcxyz_", min_size=1, max_size=5).filter(lambda key: key not in ("abs",))


@given(st.dictionaries(keys, st.one_of(conditions, st.lists(conditions, min_size=2)), min_size=1))
def test_what_is_written_back_is_the_same(section: dict[str, Any]) -> None:
    first = read(section)
    assert read(write(first)) == first
    config = from_mapping({"cell": "rnn", "expect": section}).config
    assert from_mapping(yaml.safe_load(dump(config))).config == config


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("[1]", "2:1: expect must be a mapping of names to what is expected of them, not [1]"),
        ("{}", "2:1: expect is empty: give names and what is expected of them"),
        ("{x: }", "2:10: expect.x has no value; it must be a word, a number or a list of them"),
        ("{x: []}", "2:10: expect.x must be a list that is not empty, not []"),
        ("{x: {}}", "2:10: expect.x says nothing: give one of min and max"),
        ("{x: {of: every}}", "2:10: expect.x says nothing: give one of min and max"),
        (
            "{x: {min: 2, max: 1}}",
            "2:14: expect.x.min is 2, more than max, 1: nothing lies between",
        ),
        ("{x: {min: 2, near: 1}}", "2:10: expect.x has min beside near: keep one of min and max,"),
        ("{x: {equals: 2, max: 1}}", "2:10: expect.x has equals beside max: keep one of min and"),
        ("{x: {near: 0}}", "2:14: expect.x.near is 0, of which no share is left: give abs"),
        ("{x: {near: 0, rel: 1}}", "2:14: expect.x.near is 0, of which no share is left: give abs"),
        ("{x: {min: 0, rel: 1}}", "2:22: expect.x.rel goes with near, which is not given"),
        ("{x: {near: 1, rel: -1}}", "2:23: expect.x.rel must be at least 0, not -1"),
        ("{x: {min: .nan}}", "2:14: expect.x.min must be a finite number, not nan"),
        ("{x: {min: no}}", "2:14: expect.x.min must be a number, not the text 'no'"),
        ("{x: {min: 1, of: all}}", "2:22: expect.x.of must be one of summary, every, median, mean"),
        ("{x: {min: 1, lag: 1.5}}", "2:22: expect.x.lag must be a whole number, not 1.5"),
        ("{x: {min: 1, lag: -1}}", "2:22: expect.x.lag must be at least 0, not -1"),
        ("{x: {min: 1, layer: 0}}", "2:22: expect.x.layer must be at least 1, not 0"),
        ("{x: {min: 1, direction: up}}", "2:22: expect.x.direction must be one of forward, backw"),
        ("{x: {min: 1, lga: 3}}", "2:22: unknown key 'expect.x.lga' (did you mean 'lag'?)"),
        ("{x: [{min: 1}, {min: a}]}", "2:25: expect.x[1].min must be a number, not the text 'a'"),
        ("{a.b: 1, a: {b: 2}}", "2:22: expect.a.b is expected twice: write both in one list"),
        ("{x: [1, {min: 2}]}", "2:10: expect.x must be a list of words and numbers, or one"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(line: str, want: str, refusal: Refusal) -> None:
    (got,) = refusal(f"cell: rnn\nexpect: {line}\n")
    assert got.startswith(f"run.yaml:{want}"), got


def test_all_that_is_wrong_is_told_at_once(refusal: Refusal) -> None:
    text = "cell: rnn\nexpect:\n  x: {min: a}\n  y: {max: b}\n  z: {mni: 1, min: 2}\nseqlen: 3\n"
    places = [line.split(": ")[0] for line in refusal(text)]
    assert places == ["run.yaml:3:7", "run.yaml:4:7", "run.yaml:5:7", "run.yaml:6:1"]


def test_an_override_sets_one_expectation(load_text: LoadText, refusal: Refusal) -> None:
    text = "cell: rnn\nexpect: {verdict: exploding, growth_rate: {min: 1}}\n"
    config = load_text(text, "expect.verdict=vanishing", "expect.growth_rate.max=2").config
    want = (Expectation("verdict", equals=("vanishing",)), Expectation("growth_rate", min=1, max=2))
    assert config.expect == want
    (line,) = refusal(text, "expect.growth_rate.max=x")
    assert line.startswith("command line, expect.growth_rate.max=x: expect.growth_rate.max must be")


def test_it_is_no_part_of_the_identity() -> None:
    base = {"cell": "rnn", "hidden_size": 3}
    _, plain = settle(from_mapping(base).config)
    _, with_it = settle(from_mapping({**base, "expect": {"verdict": "exploding"}}).config)
    assert plain.identity == with_it.identity
    assert "expect" not in with_it.config


def test_a_sweep_leaves_it_aside_and_says_so(sweep_text: Callable[..., Sweep]) -> None:
    text = "cell: rnn\nsweep: {weight_scale: [1, 2]}\n"
    assert sweep_text(text).notes == ()
    (note,) = sweep_text(text + "expect: {verdict: exploding}\n").notes
    assert note.startswith("expect is for `gradlab check`")
    single = "cell: rnn\nexpect: {verdict: exploding}\n"  # the axes are the command line's
    assert sweep_text(single, "weight_scale=1,2").notes == ()
