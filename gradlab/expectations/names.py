"""The names that a run has, known before anything is computed: of its summary and of its steps.

`possible` refuses expectations of anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gradlab.analysis.theory import Textbook
from gradlab.analysis.verdict import Outcome, Verdict
from gradlab.cells.interface import Factor
from gradlab.dotted import dotted
from gradlab.learned import PERCENTILES, PLACES, SPREAD
from gradlab.precision import COMPARED, EXACT, WEIGHTS
from gradlab.predicted import told
from gradlab.spec import Spec
from gradlab.trial import one_step

NUMBER, TEXT = "a number", "a word"
Kind = str | tuple[str, ...]  # NUMBER, TEXT, or the words that there are

COURSE: Mapping[str, Kind] = {
    "verdict": tuple(verdict.value for verdict in Verdict),
    **{f"growth_rate.{part}": NUMBER for part in ("mean", "std", "low", "high")},
    **dict.fromkeys(("half_life", "doubling_time", "horizon", "distance"), NUMBER),
    "log10_remaining": NUMBER,
}
ALWAYS: Mapping[str, Kind] = {
    **COURSE,
    "outcome": tuple(outcome.value for outcome in Outcome),
    "overflow_step": NUMBER,
}
CLIP = {"threshold": NUMBER, "by": TEXT, "norm": NUMBER, "log10_norm": NUMBER, "rate": NUMBER}
CLIP |= {"clipped_norm": NUMBER, "acted": NUMBER}
CUT = {"steps": NUMBER, "mode": TEXT, "lost": NUMBER, "cosine": NUMBER}
FACTOR = {"within": NUMBER, "near_zero": NUMBER, "near_one": NUMBER, "between": NUMBER}
FACTOR |= {"claim": TEXT}
OF_GRADIENTS = ("norm", "log10_norm", "lost", "cosine")  # of CLIP and CUT
PRECISION: dict[str, Kind] = {
    "dtype": TEXT,
    **dict.fromkeys(("compared_seed", "overflow", "log10_at_start", "growth_rate"), NUMBER),
    "trusted_digits": NUMBER,
}
GATE = ("mean", "slope", "saturation")
NORMS = [f"p{q}" for q in PERCENTILES]
TRAINED: Mapping[str, Kind] = {
    "task": TEXT,
    **dict.fromkeys(("updates", "baseline", "first_loss", "final_loss_median"), NUMBER),
    **{f"final_loss.{part}": NUMBER for part in SPREAD},
    **{f"seeds.{place}": NUMBER for place in PLACES},
    **dict.fromkeys(("stopped", "nonfinite.updates", "nonfinite.seeds"), NUMBER),
    **dict.fromkeys(("clip.updates", "clip.threshold", "clip.suggested"), NUMBER),
    **dict.fromkeys(("clip.acted", "clip.learning_rate_factor"), NUMBER),
    "clip.by": TEXT,
    **{f"clip.norm.{name}": NUMBER for name in NORMS},
    **{f"clip.log10_norm.{name}": NUMBER for name in NORMS},
}


@dataclass(frozen=True)
class Names:
    """What a run has: values of the summary by their dotted paths, and columns of steps.csv."""

    scalars: Mapping[str, Kind]
    columns: tuple[str, ...]


def scalars(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The single values of a summary by their dotted paths; lists are none."""
    return {name: value for name, value in dotted(summary).items() if not isinstance(value, list)}


def names(spec: Spec) -> Names:
    """What a run of this experiment will have."""
    step = one_step(spec, 1, 1)
    readings = [f"{gate}{end}" for end in spec.chains for gate in step.gates]
    found: dict[str, Kind] = dict(ALWAYS)
    found |= {f"gates.{gate}.{short}": NUMBER for gate in readings for short in GATE}
    found |= _weights(spec) | _options(spec) | _network(spec) | _training(spec)
    found |= {f"theory.{name}": kind for name, kind in _theory(spec).items()}
    derivatives = getattr(spec.base, "DERIVATIVES", None) or {}
    found |= {f"derivatives.{name}": TEXT for name in derivatives}
    return Names(found, tuple(_columns(spec, step.parts)))


def _weights(spec: Spec) -> dict[str, Kind]:
    """Singular values and radii of the recurrent blocks."""
    if not spec.base.GATES:
        return {}
    phases = ("encoder.", "decoder.") if spec.topology.phases else ("",)
    ends = [tensor.removeprefix("weight_hh") for layer in spec.weights for tensor in layer]
    blocks = [f"{p}{gate}{end}" for end in ends for p in phases for gate in spec.base.GATES]
    whats = ["sigma_max", "spectral_radius"] if spec.radius else ["sigma_max"]
    found: dict[str, Kind] = dict.fromkeys(whats, NUMBER)
    return found | {f"{what}_by_gate.{block}": NUMBER for what in whats for block in blocks}


def _options(spec: Spec) -> dict[str, Kind]:
    """What is there because it was asked for."""
    found: dict[str, Kind] = {}
    absent = () if spec.weight_gradients else OF_GRADIENTS
    if spec.clip is not None:
        found |= {f"clip.{name}": kind for name, kind in CLIP.items() if name not in absent}
    if spec.truncate is not None:
        found |= {f"truncation.{name}": kind for name, kind in CUT.items() if name not in absent}
    if isinstance(spec.network, Factor):
        found |= {f"factor.{name}": kind for name, kind in FACTOR.items()}
    if spec.dtype != EXACT:
        found |= {f"precision.{name}": kind for name, kind in PRECISION.items()}
        compared = COMPARED if spec.weight_gradients else [n for n in COMPARED if n not in WEIGHTS]
        each = [f"{name}.{which}" for name in compared for which in ("median", "largest")]
        found |= {f"precision.{name}": NUMBER for name in each}
    there = {
        "log10_parameter_grad_norm": spec.weight_gradients,
        "lyapunov_max": "lyapunov" in spec.spectra,
        "memory_horizon": spec.lag_split,
        "loss": spec.loss != "upstream",
    }
    return found | {name: NUMBER for name, wanted in there.items() if wanted}


def _network(spec: Spec) -> dict[str, Kind]:
    """What becomes of the gradient in each layer and direction."""
    shape, prefixes = spec.topology, []
    if shape.layers > 1:
        prefixes += [f"layers_rates.{layer + 1}." for layer in range(shape.layers)]
    if shape.chained:
        prefixes += [f"backward_layers_rates.{layer + 1}." for layer in range(shape.layers)]
    if shape.bidirectional:
        prefixes += [f"directions.{direction}." for direction in spec.entries]
    return {prefix + name: kind for prefix in prefixes for name, kind in COURSE.items()}


def _training(spec: Spec) -> dict[str, Kind]:
    """What a training came to."""
    if spec.train is None:
        return {}
    found, task = dict(TRAINED), spec.train.task
    if task.loss == "cross_entropy":
        found |= {f"final_accuracy.{part}": NUMBER for part in SPREAD}
    if task.symbols:
        found |= {f"final_perplexity.{part}": NUMBER for part in SPREAD}
        found |= {"first_perplexity": NUMBER}
    return {f"train.{name}": kind for name, kind in found.items()}


def _theory(spec: Spec) -> dict[str, Kind]:
    """Predictions, by what is told without computing those that take a second."""
    cell = spec.network
    slope = None if spec.topology.chained else cell.max_slope(cell.Options(**spec.options))
    textbook = {field.name: 0.0 for field in fields(Textbook)}
    cheap = replace(spec, theory="auto") if spec.theory == "full" else spec
    found = told(cheap, textbook if slope and spec.base.GATES else None)
    return {
        name: TEXT if isinstance(value, str) else NUMBER for name, value in scalars(found).items()
    }


def _columns(spec: Spec, parts: Iterable[str]) -> Iterator[str]:
    """The columns of steps.csv that hold numbers about a step."""
    layered = spec.topology.layers > 1
    for part in parts:
        if not (layered and "h_total" in part):
            yield from (f"grad_norm_{part}", f"log10_grad_norm_{part}")
    if spec.weight_gradients:
        yield "log10_weight_grad_norm"
    if "step" in spec.spectra:
        yield "sigma_max"
        if "step" not in spec.largest:
            yield "sigma_min"
    if "product" in spec.spectra:
        yield from (f"log10_product_sigma_{k + 1}" for k in range(spec.kept("product")))
        if "product" not in spec.largest:
            yield from ("product_effective_rank", "log10_product_condition")
    yield "saturation"
    if spec.step_clip is not None:
        yield "clip_scale"


def kind_of(name: str, known: Names) -> Kind | None:
    """Whether a name is a number or a word; of a rate with its interval also the name alone."""
    return NUMBER if has_interval(name, known.scalars) else known.scalars.get(name)


def fitted(name: str) -> bool:
    """Whether the interval of a name is also there for one seed: that of a fitted slope is, and
    that of what a training came to is over the seeds.
    """
    return not name.startswith("train.")


def has_interval(name: str, values: Mapping[str, Any]) -> bool:
    """Whether a name stands for a mean with its interval: growth_rate."""
    return f"{name}.mean" in values and f"{name}.low" in values
