"""The value of a key at which theory predicts the growth rate that is asked for.

The same search as for the measured value (`critical`), with the predicted rate of the config in
place of a run's, from the measured value outwards. Whatever the prediction depends on may vary:
weight_scale, init.forget_bias, init.bias, init.input_scale, inputs.std.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gradlab.config import Loaded, from_mapping
from gradlab.critical import TOLERANCE, UnbracketedError, bounds, root_near
from gradlab.errors import GradlabError
from gradlab.plan import settle
from gradlab.predicted import rates, told
from gradlab.setting import GATED
from gradlab.spec import Spec
from gradlab.theory_cache import gated

FINE = 1e-10  # of the value: the mean field costs a millisecond, and is exact
NEAR = 4  # steps outwards: the dynamic mean field costs a second

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Predicted:
    """The values that theory predicts; None where it has none, and `reason` why."""

    kind: str = ""  # mean field, dynamic mean field
    infinite: float | None = None  # H -> infinity
    at_width: float | None = None
    at_rest: float | None = None  # closed form at the zero state, where the net stays there
    reason: str | None = None


def predicted_edge(
    loaded: Loaded, key: str, target: float, start: float, tick: Tick = lambda n: None
) -> Predicted:
    """The values of `key` near `start` at which the predicted rate is target, nats per step.

    tick is called with the number of evaluations so far.
    """
    folder = Path.cwd() if loaded.source.path is None else loaded.source.path.parent

    def spec_at(value: float) -> Spec:
        config = from_mapping(loaded.source.data, [f"{key}={value!r}"], folder).config
        return settle(config)[1]

    @cache
    def both(value: float) -> tuple[float | None, float | None]:
        tick(both.cache_info().misses)
        return rates(spec_at(value), gated)

    spec = spec_at(start)
    if spec.theory == "none":
        return Predicted(reason="theory: none asks for no prediction")
    try:
        infinite, at_width = both(start)
        if both(_other(start, key)) == (infinite, at_width):
            raise ValueError(f"the prediction does not depend on {key}")
        slow = spec.cell in GATED
        found = [_root(both, k, start, target, key, slow) for k in (0, 1)]
    except ValueError as error:  # no theory is about this experiment, or not at such a value
        return Predicted(reason=str(error))
    except UnbracketedError as error:  # the prediction never gets there
        ends = f"{error.low:g} to {error.high:g}"
        return Predicted(reason=f"the predicted rate stays {error.side} the target from {ends}")
    except GradlabError as error:  # a config that is not valid at a value
        return Predicted(reason=str(error))
    kind = "dynamic mean field" if slow else "mean field"
    return Predicted(kind, found[0], found[1], _at_rest(spec, key, target))


def _other(start: float, key: str) -> float:
    """A value not far from the first, on which the prediction must depend."""
    return start * 1.25 if start and bounds(key)[0] else start + 0.5


def _root(
    both: Callable[[float], tuple[float | None, float | None]],
    which: int,
    start: float,
    target: float,
    key: str,
    slow: bool,
) -> float | None:
    """Where one of the two rates is target; None where that one does not exist at the start."""
    if both(start)[which] is None:
        return None

    def gap(value: float) -> float:
        rate = both(value)[which]
        return -math.inf if rate is None else rate - target  # no recurrence: nothing comes back

    positive, least = bounds(key)
    tolerance, widest = (TOLERANCE, NEAR) if slow else (FINE, 3 * NEAR)
    return root_near(gap, start, positive, least, widest, tolerance)


def _at_rest(spec: Spec, key: str, target: float) -> float | None:
    """weight_scale at which the zero state turns unstable, of a gated net that stays there."""
    found = told(spec, None).get("dynamic_mean_field")
    if key != "weight_scale" or target != 0 or found is None or found["q_h"] != 0:
        return None
    scale: float | None = found["critical_weight_scale_at_rest"]
    return scale
