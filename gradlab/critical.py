"""The value of a key at which the growth rate is what is asked for: the edge, where it is 0.

The mean growth rate over the seeds is a function of the value; the seeds are the same at every
value, so it is as smooth as the cell. A root is bracketed from the config's own value outwards and
narrowed by the secant with bisection as its safeguard (the Illinois form of regula falsi: Dowell,
Jarratt 1971). The interval of the root is that of the growth rate there, divided by its slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.config import Config, Loaded, from_mapping, settings
from gradlab.errors import GradlabError, at
from gradlab.footprint import check_room
from gradlab.plan import settle
from gradlab.runner import run

Rate = Callable[[float], "Measured"]

TOLERANCE = 1e-4  # of the value, or of 1 where that is larger
MOST = 60  # evaluations
LEVEL = 1e-9  # nats per step: a rate that changes by less over 2 % of the key does not cross
WIDEST = 12  # steps outwards on each side
SCALES = ("weight_scale", "init.input_scale", "inputs.std", "initial_state.std", "clip.threshold")


@dataclass(frozen=True)
class Measured:
    """The growth rate at one value: mean over seeds with its 95 % interval, nats per step.

    An overflow of the forward pass counts as +inf, a gradient that is exactly zero as -inf.
    """

    value: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Critical:
    """Where the growth rate has the target; `low`, `high`: the value's 95 % interval."""

    value: float
    low: float
    high: float
    slope: float  # of the growth rate there, per unit of the key
    measured: tuple[Measured, ...]  # all evaluations, by value


class UnbracketedError(GradlabError):
    """The growth rate stays on one side ('above' or 'below') of the target from low to high."""

    def __init__(self, side: str, low: float, high: float) -> None:
        super().__init__(
            f"the growth rate stays {side} the target from {low:g} to {high:g}; "
            "start elsewhere, or vary another key",
            exit_code=1,
        )
        self.side, self.low, self.high = side, low, high


def critical(
    rate: Rate,
    start: float,
    target: float = 0.0,
    positive: bool = False,
    least: float = -math.inf,
    widest: int = WIDEST,
    tolerance: float = TOLERANCE,
) -> Critical:
    """Find the value near `start` at which rate(value).mean is target.

    positive: the key is a scale, to be searched by factors; least: its smallest allowed value;
    widest: steps outwards on each side. Raises UnbracketedError where no bracket is found, and
    GradlabError where the rate jumps across the target or has it as a limit only.
    """
    seen: dict[float, Measured] = {}

    def mean(value: float) -> float:
        if value not in seen:
            seen[value] = rate(value)
        return seen[value].mean

    value = root_near(lambda v: mean(v) - target, start, positive, least, widest, tolerance)
    step = max(abs(value), 1.0) * 1e-2
    left, right = max(value - step, least), value + step
    rates = [mean(one) for one in (left, value, right)]
    if not all(map(math.isfinite, rates)):
        raise GradlabError(_jump(value, [left, value, right], rates), exit_code=1)
    slope = (rates[2] - rates[0]) / (right - left)
    if abs(rates[2] - rates[0]) < LEVEL:
        raise GradlabError(
            f"the growth rate comes as near to the target as numbers can tell, {rates[1]:.3g} at "
            f"{value:.4g}, and does not cross it: more of the key changes nothing",
            exit_code=1,
        )
    at = seen[value]
    below, above = sorted(value - (end - target) / slope for end in (at.low, at.high))
    order = sorted(seen.values(), key=lambda one: one.value)
    return Critical(value, max(below, least), above, slope, tuple(order))


def _jump(value: float, near: list[float], rates: list[float]) -> str:
    """What is said where one side has a gradient, and the other none or none within bounds."""
    words = {-math.inf: "exactly zero", math.inf: "beyond float range"}
    told = [
        f"{words.get(rate, f'{rate:.3g} nats per step')} at {one:.4g}"
        for one, rate in zip(near, rates, strict=True)
    ]
    return (
        f"no value has the target: near {value:.4g} the growth rate jumps ({', '.join(told)}); "
        "the gradient is zero or overflows there"
    )


def root_near(
    gap: Callable[[float], float],
    start: float,
    positive: bool = False,
    least: float = -math.inf,
    widest: int = WIDEST,
    tolerance: float = TOLERANCE,
) -> float:
    """A value near `start` at which the gap is 0; positive and least as in `critical`.

    widest: steps outwards on each side. Raises UnbracketedError where no bracket is found.
    """
    low, high = _bracket(gap, start, positive, least, widest)
    return _root(gap, low, high, tolerance)


def edge(loaded: Loaded, key: str = "weight_scale", target: float = 0.0) -> Critical:
    """The value of a config's key at which the mean growth rate is target.

    key: dotted, of a number. Raises GradlabError for a key that is none, and where no value is
    found.
    """
    if loaded.config.train is not None:
        raise at(("train",), "the edge is of weights as they are drawn: remove the section 'train'")
    start = _number(loaded.config, key)
    folder = Path.cwd() if loaded.source.path is None else loaded.source.path.parent
    fixed = ["spectrum=none", "lag_split=none", "gate_histogram=false"]
    fixed += ["figures=none", "theory=none"]

    def rate(value: float) -> Measured:
        config = from_mapping(loaded.source.data, [*fixed, f"{key}={value!r}"], folder).config
        spec = settle(config)[1].norms_only()
        check_room([spec])
        return measured(value, run(spec).summary)

    return critical(rate, start, target, *bounds(key))


def bounds(key: str) -> tuple[bool, float]:
    """Whether a key is a scale, searched by factors, and its smallest allowed value."""
    scale = key in SCALES
    return scale, 0.0 if scale else -math.inf


def _number(config: Config, key: str) -> float:
    """The value that the key has now."""
    found: object = settings(config)
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, float):
        raise at(tuple(key.split(".")), f"'{key}' cannot be varied: it is no key with a number")
    return found


def measured(value: float, summary: dict[str, Any]) -> Measured:
    """The growth rate in the summary of a run at that value."""
    rate = summary["growth_rate"]
    if rate is not None:
        return Measured(value, rate["mean"], rate["low"], rate["high"])
    end = math.inf if summary["outcome"] == "overflow" else -math.inf
    return Measured(value, end, end, end)


def _bracket(
    gap: Callable[[float], float], start: float, positive: bool, least: float, widest: int
) -> tuple[float, float]:
    """Two neighbouring values at which the gap has different signs."""
    first = gap(start)
    if first == 0:
        return start, start
    edges = {-1: start, 1: start}
    for value, side in _outwards(start, positive, least, widest):
        if math.copysign(1, gap(value)) != math.copysign(1, first):
            return min(edges[side], value), max(edges[side], value)
        edges[side] = value
    word = "above" if first > 0 else "below"
    raise UnbracketedError(word, edges[-1], edges[1])


def _outwards(
    start: float, positive: bool, least: float, widest: int
) -> Iterator[tuple[float, int]]:
    """Values farther and farther away, on both sides in turn, with the side."""
    for k in range(1, widest + 1):
        for side in (1, -1):
            if positive:
                yield (start or 1.0) * 2.0 ** (side * k * (k + 1) / 4), side
            elif (value := start + side * 2.0 ** (k - 2)) >= least:
                yield value, side


def _root(gap: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """The root between two values of different sign."""
    below, above = gap(low), gap(high)
    side = 0
    for _ in range(MOST):
        if high - low <= tolerance * max(abs(low), abs(high), 1e-6):
            break
        middle = (low + high) / 2
        if math.isfinite(below) and math.isfinite(above):
            secant = (low * above - high * below) / (above - below)
            margin = 0.01 * (high - low)  # not on an end: the bracket must shrink
            middle = min(max(secant, low + margin), high - margin)
        value = gap(middle)
        if value == 0:
            return middle
        if (value > 0) == (below > 0):
            low, below = middle, value
            above = above / 2 if side == -1 else above
            side = -1
        else:
            high, above = middle, value
            below = below / 2 if side == 1 else below
            side = 1
    return low if abs(gap(low)) < abs(gap(high)) else high
