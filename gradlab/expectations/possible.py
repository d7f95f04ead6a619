"""Which expectations a run can meet or fail, and which it cannot even have.

An expectation of what there is not is an error in the config, not a check that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from gradlab.config import Expectation
from gradlab.config.expectation import NONE, OPTIONS
from gradlab.config.problems import guess
from gradlab.errors import GradlabError, Problem
from gradlab.expectations.names import (
    NUMBER,
    Kind,
    Names,
    fitted,
    has_interval,
    kind_of,
    names,
)
from gradlab.spec import Spec

ABSENT = {  # what a run must have for a part of the summary to be there
    "clip": "no clip",
    "truncation": "no truncate",
    "precision": "dtype: float64",
    "loss": "no loss but the gradient that is given (loss: upstream)",
    "lyapunov_max": "no Lyapunov exponents (spectrum.lyapunov)",
    "memory_horizon": "no split by lag (lag_split)",
    "factor": "no cell with a diagonal Jacobian",
    "layers_rates": "one layer",
    "backward_layers_rates": "not several layers in both directions",
    "directions": "one direction",
    "train": "no training (train)",
    "sigma_max": "no recurrent matrix",
    "spectral_radius": "no recurrent matrix that is the same at every step, or no spectrum",
}
FEW = 10  # names that are told at once
FROM_ONE = ("sigma_m", "saturation", "log10_weight_grad_norm")  # of a step t, which is 1 at least


def refuse_impossible(expected: Iterable[Expectation], spec: Spec) -> None:
    """Raises GradlabError for each expectation that a run of this experiment cannot even fail."""
    expected = list(expected)
    if not expected:
        return
    known = names(spec)
    problems = [p for one in expected for p in _problems(one, known, spec)]
    if problems:
        raise GradlabError(*problems)


def _problems(one: Expectation, known: Names, spec: Spec) -> Iterator[Problem]:
    def problem(text: str, *below: str) -> Problem:
        return Problem(f"expect: {text}", (*one.key, *below) if below else one.key)

    if one.lag is None:
        kind = kind_of(one.name, known)
        if kind is None:
            yield problem(_unknown(one.name, known, spec))
            return
        for option in ("layer", "direction"):
            if getattr(one, option) is not None:
                yield problem(f"{option} goes with a column of steps.csv and a lag", option)
        yield from (problem(text) for text in _unfit(one, kind))
    elif one.name not in known.columns and _left_out(one.name, spec):
        yield problem(_left_out(one.name, spec))
    elif one.name not in known.columns:
        hint = guess(one.name, known.columns) or f"; {_some(one.name, known.columns, 'steps.csv')}"
        yield problem(f"'{one.name}' is no column of this run's steps.csv{hint}")
    else:
        yield from (problem(text, option) for option, text in _misplaced(one, spec))
        yield from (problem(text) for text in _unfit(one, NUMBER))
    slope = has_interval(one.name, known.scalars) and fitted(one.name)
    alone = len(spec.seeds) < 2 and not slope
    if alone and one.of in ("low", "high", "interval"):
        yield problem("an interval over seeds takes two seeds at least; here is one", "of")
    if one.of == "summary" and one.lag is not None:
        yield problem("summary.json has no value at a lag; take median, or another of", "of")


def _unknown(name: str, known: Names, spec: Spec) -> str:
    top, (above, _, last) = name.partition(".")[0], name.rpartition(".")
    if name in known.columns:
        return f"'{name}' is a column of steps.csv: say at which lag, {{lag: 10, min: ...}}"
    if above and kind_of(above, known) is not None and (hint := guess(last, OPTIONS)):
        return f"unknown key '{name}'{hint}"
    if left_out := _left_out(name, spec):
        return left_out
    there = any(one == top or one.startswith(f"{top}.") for one in known.scalars)
    if top.removesuffix("_by_gate") in ABSENT and not there:
        return f"this run has no '{name}': it has {ABSENT[top.removesuffix('_by_gate')]}"
    means = [one.removesuffix(".mean") for one in known.scalars if one.endswith(".mean")]
    every = [*known.scalars, *(one for one in means if has_interval(one, known.scalars))]
    if hint := guess(name, every):
        return f"this run has no '{name}'{hint}"
    beside = [one for one in known.scalars if one.startswith(f"{top}.")]
    return f"this run has no '{name}'; {_some(name, beside or known.scalars)}"


def _some(name: str, there: Iterable[str], file: str = "summary.json") -> str:
    """All names, or where they are many the nearest first, and where to see the others."""
    every = list(there)
    if len(every) <= FEW:
        return f"there are {', '.join(every)}"
    alike = SequenceMatcher(b=name)

    def likeness(one: str) -> float:
        alike.set_seq1(one)
        return alike.ratio()

    near = sorted(every, key=likeness, reverse=True)[:FEW]
    more = f"and {len(every) - FEW} more: `gradlab run` writes all into {file}"
    return f"the nearest are {', '.join(near)} {more}"


def _left_out(name: str, spec: Spec) -> str:
    """Why there is not what the gradients of the weights would have; '' for all else."""
    if spec.weight_gradients:
        return ""
    whole = names(replace(spec, weight_gradients=True, lag_split=True))
    if kind_of(name, whole) is None and name not in whole.columns:
        return ""
    return f"this run has no '{name}': weight_gradients is none; set it to all"


def _unfit(one: Expectation, kind: Kind) -> Iterator[str]:
    """What is expected of a number but is none, of a word but is no such word."""
    if kind == NUMBER:
        words = [w for w in one.equals or () if isinstance(w, str | bool) and w != NONE]
        if words:
            yield f"{one.name} is a number, never '{words[0]}'"
        return
    if one.equals is None:
        yield f"{one.name} is a word: min, max and near are for numbers"
        return
    if one.of not in (None, "summary", "every"):
        yield f"{one.name} is a word: of is every, or summary, not {one.of}"
    for word in one.equals:
        if not isinstance(word, str):
            yield f"{one.name} is a word, never {word}"
        elif isinstance(kind, tuple) and word not in kind:
            yield f"{one.name} is never '{word}'{guess(word, kind)}; it is one of {', '.join(kind)}"


def _misplaced(one: Expectation, spec: Spec) -> Iterator[tuple[str, str]]:
    """A lag, layer or direction that steps.csv has not: the option, and why."""
    lag, T = one.lag or 0, spec.T
    lags = sorted(T - int(t) * spec.topology.stride for t in spec.rows)
    if lag > T:
        yield "lag", f"lag is {lag}, but the sequence has {T} steps (seq_len)"
    elif lag not in lags:
        near = sorted(sorted(lags, key=lambda each: abs(each - lag))[:2])
        yield "lag", f"lag {lag} is not recorded (record_every); near it are {near[0]}, {near[1]}"
    elif lag == T and one.name.startswith(FROM_ONE):
        yield "lag", f"{one.name} is of a step, and lag {lag} is the state before the first"
    elif lag == 0 and "product" in one.name:
        yield "lag", f"{one.name} is of the steps after t: at lag 0 there are none"
    layers = spec.topology.layers
    if one.layer is not None and one.layer > layers:
        yield "layer", f"layer is {one.layer}, but there {'is' if layers == 1 else 'are'} {layers}"
    if one.direction is not None and not spec.topology.bidirectional:
        yield "direction", "direction is for a run with both (bidirectional)"
