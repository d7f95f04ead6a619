"""The result in sentences that a learner understands."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from gradlab.record import Record
from gradlab.report import lags, network, told_precision

NOTHING = 1e-12  # nats per step: rounding, and no growth


def headline(record: Record) -> str:
    """The verdict with its rate, in one sentence; of which direction, where there are two."""
    told = _headline(record)
    return f"with the last weights, {told}" if "train" in record.summary else told


def _headline(record: Record) -> str:
    summary = record.summary
    verdict, rate = summary["verdict"], summary["growth_rate"]
    if summary["outcome"] == "overflow" and rate is None:
        step = summary["overflow_step"]
        return f"OVERFLOW at t={step}: the states grew beyond float range; no gradient"
    if network.bidirectional(record):
        last = ", last layer" if network.chained(record) else ""
        verdict += f" (forward direction{last})"
    if rate is None:
        return f"{verdict}: {summary['reasons']['growth_rate']}"
    if network.sums(record):
        per = f"nats per {network.unit(record)}"
        terms = f"a sum of {len(network.loss_steps(record))} loss terms"
        return f"{terms}, {verdict}: growth rate {signed(rate['mean'])} {per}"
    return f"{verdict}: {_course(record)}"


def _course(record: Record) -> str:
    """How the gradient fares on its way."""
    summary = record.summary
    steps = summary.get("distance", travelled(record))
    verdict, rate, left = summary["verdict"], summary["growth_rate"], summary["log10_remaining"]
    unit, units = network.unit(record), network.unit(record, 2)
    if verdict == "vanishing":
        what = f"the gradient halves every {plain(summary['half_life'])} {units}"
        return f"{what}; after {steps} {units} {power(left)} of it is left"
    if verdict == "exploding":
        what = f"the gradient doubles every {plain(summary['doubling_time'])} {units}"
        return f"{what}; after {steps} {units} it is {power(left)} times as large"
    if verdict == "preserved":
        factor = power(rate["mean"] * steps / math.log(10))
        return f"{signed(rate['mean'])} nats per {unit}, over {steps} {units} a factor of {factor}"
    more = "more seeds or a deeper net" if unit == "layer" else "more seeds or a longer sequence"
    low, high = rate["low"], rate["high"]
    return f"growth between {signed(low)} and {signed(high)} nats per {unit}; {more} would tell"


def reasons(record: Record) -> list[str]:
    """Why: the weights, the factors that the cell puts on them, the textbook's conditions."""
    summary = record.summary
    lines = []
    if summary["sigma_max"] is not None:
        lines.append(_weights(record))
    lines.append(_factors(record))
    lines.append(_theory(record))
    textbook = summary["theory"].get("textbook")
    if textbook is not None:
        lines.append(_textbook(textbook, summary["verdict"], _sets_differ(record)))
    return [line for line in lines if line]


def _weights(record: Record) -> str:
    summary = record.summary
    text = f"W_hh: sigma_max {plain(summary['sigma_max'])}"
    if summary["spectral_radius"] is not None:
        text += f", spectral radius {plain(summary['spectral_radius'])}"
    several = largest_of(record)
    return text + (f" (the largest of {several})." if several else ".")


def largest_of(record: Record) -> str:
    """Of which blocks sigma_max is the largest: of gates, of sets of weights; '' for one matrix."""
    names = list(record.summary["sigma_max_by_gate"])
    gates = list(dict.fromkeys(_bare(name) for name in names))
    told = f"the gates {', '.join(gates)}" if len(gates) > 1 else ""
    if not network.tied(record):
        return f"{told} of all layers" if told else "all layers"
    sets = len(names) // max(len(gates), 1)
    if sets <= 1:
        return told
    return f"{told} of {sets} sets of weights" if told else f"{sets} matrices"


def _bare(name: str) -> str:
    """A gate without its layer, block or phase: i for i_l0, r for encoder.r."""
    return re.sub(r"^(encoder|decoder)\.|_[lb]\d+$", "", name)


def _factors(record: Record) -> str:
    """Mean phi' for a single nonlinearity, mean gates for a gated cell."""
    gates = record.summary["gates"]
    if not gates or any(gate["mean"] is None for gate in gates.values()):
        return ""
    saturated = sum(gate["saturation"] for gate in gates.values()) / len(gates)
    share = f"{saturated:.0%} of the units saturated"
    if len({_bare(name) for name in gates}) == 1:
        slopes = [gate["slope"] for gate in gates.values()]
        if min(slopes) == 1:
            return "Activation: phi' is at its maximum everywhere."
        over = " (over the layers)" if len(slopes) > 1 else ""
        return f"Activation: phi' is on average {_range(slopes)} of its maximum{over}; {share}."
    means: dict[str, list[float]] = {}
    for name, gate in gates.items():
        means.setdefault(_bare(name), []).append(gate["mean"])
    told = ", ".join(f"{name} {_range(values)}" for name, values in means.items())
    over = " (over the layers)" if len(gates) > len(means) else ""
    return f"Gates: mean values {told}{over}; {share}."


def _range(values: list[float]) -> str:
    """0.50, or 0.69 to 0.73."""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _sets_differ(record: Record) -> bool:
    """Whether sigma_max is another in another seed."""
    largest = record["weight_singular_values"].max(axis=(1, 2))
    return plain(float(np.min(largest))) != plain(float(np.max(largest)))


def _textbook(textbook: dict[str, Any], verdict: str, differ: bool) -> str:
    bound, seeds = textbook["bound_per_step"], textbook["seeds"]
    if textbook["sufficient_for_vanishing"] == seeds:
        return f"Textbook: gamma sigma_max = {plain(bound)} < 1: sufficient for vanishing."
    if textbook["necessary_for_exploding"] == seeds:
        text = f"Textbook: gamma sigma_max = {plain(bound)} {'(the largest seed) ' * differ}> 1: "
        text += "necessary for exploding, "
        here = ": here it does not." if verdict in ("vanishing", "preserved") else "."
        return f"{text}not sufficient{here}"
    held = textbook["sufficient_for_vanishing"]
    return f"Textbook: gamma sigma_max < 1 (sufficient for vanishing) in {held} of {seeds} seeds."


def _theory(record: Record) -> str:
    """The predicted growth rate; nothing where there is none, or where it was not computed."""
    theory, unit = record.summary["theory"], network.unit(record)
    names = {"mean_field": "Mean field", "deep": "Fresh weights, mean field"}
    names |= {"dynamic_mean_field": "Dynamic mean field"}
    for key, name in names.items():
        told = theory.get(key) or {}
        if told.get("growth_rate") is None:
            continue
        rate, at_width = told["growth_rate"], told.get("growth_rate_at_width")
        text = f"{name}: {signed(rate)} nats per {unit}"
        if at_width == rate:
            return f"{text}."
        also = "" if at_width is None else f", {signed(at_width)} at H = {told['H']}"
        return f"{text} at infinite width{also}."
    return ""


def clipping(record: Record) -> str | None:
    """What clipping did to the gradient of a run; None where there was none."""
    clip = record.summary["clip"]
    if clip is None or "train" in record.summary:  # of a training it is told over all updates
        return None
    threshold, by = plain(clip["threshold"]), clip["by"].replace("_", " ")
    if clip["acted"] is None or (clip["log10_norm"] is None and by != "step norm"):
        return f"clip ({by}, threshold {threshold}): there is no gradient to clip"
    if by == "step norm":
        return f"clip ({by}, threshold {threshold}): acted at {clip['acted']:.0%} of the steps"
    norm = power(clip["log10_norm"]) if clip["norm"] is None else plain(clip["norm"])
    if not clip["acted"]:
        return f"clip ({by}, threshold {threshold}): gradient norm {norm}, left as it is"
    acted = "" if clip["acted"] == 1 else f" (in {clip['acted']:.0%} of the seeds)"
    after = plain(clip["clipped_norm"])
    return f"clip ({by}, threshold {threshold}): gradient norm {norm} scaled to {after}{acted}"


def findings(record: Record) -> list[str]:
    """What else was measured, where it was: memory, truncation, the factor of a cell, the loss."""
    summary, of = record.summary, f"dL/d{network.weights(record)}"
    lines = []
    if set(summary["theory"]) == {"reason"}:  # beside a prediction it stands below the table
        lines.append(f"theory: no prediction of the rate: {summary['theory']['reason']}")
    if record.config.get("weight_gradients") == "none":
        lines.append("gradients of the weights: left out (weight_gradients: none)")
    memory = lags.told(record, of, travelled(record))
    if memory is not None:
        lines.append(f"memory: {memory}")
    cut = summary.get("truncation")
    if cut is not None and cut["lost"] is not None:
        what = f"truncation ({cut['mode']}, {cut['steps']} steps): loses {share(cut['lost'])}"
        lines.append(f"{what} of {of}; cosine with the whole {plain(cut['cosine'])}")
    factor = summary.get("factor")
    if factor:
        ends = f"{share(factor['near_zero'])} near 0, {share(factor['near_one'])} near 1"
        lines.append(f"factor tanh'(v) f: {ends}, {share(factor['between'])} between;")
        lines[-1] += f" the texts' claim, basically 0 or 1, {factor['claim']}"
    loss = summary.get("loss")
    if loss is not None:
        kind = record.config["loss"]["type"].replace("_", " ")
        lines.append(f"loss ({kind}): {plain(loss)}")
    return [*lines, *told_precision.sentences(record)]


def travelled(record: Record) -> int:
    """How many steps the gradient travels: from the last step where it enters."""
    at = record.config["loss"]["at"]
    return int(record.config["seq_len"] if isinstance(at, str) else max(at))


def rate_text(nats: float | None) -> str:
    """A growth rate with its sign; 0 where nothing but rounding is left."""
    return "0" if nats is not None and abs(nats) <= NOTHING else signed(nats)


def power(log10: float | None) -> str:
    """10**log10 for reading: 0.93, 204, 1.3e-13, 2.0e+493."""
    if log10 is None or math.isinf(log10):
        return "0" if log10 is None or log10 < 0 else "beyond all bounds"
    if abs(log10) < 4:
        return plain(10**log10)
    exponent = math.floor(log10)
    mantissa = f"{10 ** (log10 - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa}e{exponent:+d}"


def plain(value: float | None) -> str:
    """Three significant digits, or all before the point."""
    if value is None:
        return "-"
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"


def signed(value: float | None) -> str:
    """Three significant digits with a sign."""
    return "-" if value is None else f"{value:+.3g}"


def share(value: float) -> str:
    """A part of a whole in per cent: 12 %, 0.3 %, 2.1e-5 %; in times from ten times on."""
    if value >= 10:
        return f"{power(math.log10(value))} times"
    percent = 100 * value
    if percent == 0 or percent >= 0.95:
        return f"{percent:.0f} %"
    return f"{percent:.1g} %" if percent >= 1e-3 else f"{power(math.log10(percent))} %"
