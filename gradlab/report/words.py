"""The result in sentences that a learner understands."""

from __future__ import annotations

import math
from typing import Any

from gradlab.record import Record


def headline(record: Record) -> str:
    """The verdict with its rate, in one sentence."""
    summary, steps = record.summary, travelled(record)
    verdict, rate = summary["verdict"], summary["growth_rate"]
    left = summary["log10_remaining"]
    if summary["outcome"] == "overflow" and rate is None:
        step = summary["overflow_step"]
        return f"OVERFLOW at t={step}: the states grew beyond float range; no gradient"
    if rate is None:
        return f"{verdict}: {summary['reasons']['growth_rate']}"
    if verdict == "vanishing":
        what = f"the gradient halves every {plain(summary['half_life'])} steps"
        return f"{verdict}: {what}; after {steps} steps {power(left)} of it is left"
    if verdict == "exploding":
        what = f"the gradient doubles every {plain(summary['doubling_time'])} steps"
        return f"{verdict}: {what}; after {steps} steps it is {power(left)} times as large"
    if verdict == "preserved":
        factor = power(rate["mean"] * steps / math.log(10))
        return (
            f"{verdict}: {signed(rate['mean'])} nats per step, "
            f"over {steps} steps a factor of {factor}"
        )
    low, high = rate["low"], rate["high"]
    return (
        f"{verdict}: growth between {signed(low)} and {signed(high)} nats per step; "
        "more seeds or a longer sequence would tell"
    )


def reasons(record: Record) -> list[str]:
    """Why: the weights, the factors that the cell puts on them, the textbook's conditions."""
    summary = record.summary
    lines = []
    if summary["sigma_max"] is not None:
        lines.append(_weights(summary))
    lines.append(_factors(record))
    textbook = summary["theory"].get("textbook")
    if textbook is not None:
        lines.append(_textbook(textbook, summary["verdict"]))
    return [line for line in lines if line]


def _weights(summary: dict[str, Any]) -> str:
    sigma, radius = plain(summary["sigma_max"]), plain(summary["spectral_radius"])
    text = f"W_hh: sigma_max {sigma}, spectral radius {radius}"
    by_gate = summary["sigma_max_by_gate"]
    if len(by_gate) > 1:
        text += " (the largest of the gates " + ", ".join(by_gate) + ")"
    return text + "."


def _factors(record: Record) -> str:
    """Mean phi' for a single nonlinearity, mean gates for a gated cell."""
    gates = record.summary["gates"]
    if not gates or any(gate["mean"] is None for gate in gates.values()):
        return ""
    saturated = sum(gate["saturation"] for gate in gates.values()) / len(gates)
    share = f"{saturated:.0%} of the units saturated"
    if len(gates) == 1:
        (gate,) = gates.values()
        if gate["slope"] == 1:
            return "Activation: phi' is at its maximum everywhere."
        return f"Activation: phi' is on average {gate['slope']:.2f} of its maximum; {share}."
    means = ", ".join(f"{name} {gate['mean']:.2f}" for name, gate in gates.items())
    return f"Gates: mean values {means}; {share}."


def _textbook(textbook: dict[str, Any], verdict: str) -> str:
    bound, seeds = textbook["bound_per_step"], textbook["seeds"]
    if textbook["sufficient_for_vanishing"] == seeds:
        return f"Textbook: gamma sigma_max = {plain(bound)} < 1: sufficient for vanishing."
    if textbook["necessary_for_exploding"] == seeds:
        text = f"Textbook: gamma sigma_max = {plain(bound)} > 1: necessary for exploding, "
        here = ": here it does not." if verdict in ("vanishing", "preserved") else "."
        return f"{text}not sufficient{here}"
    held = textbook["sufficient_for_vanishing"]
    return f"Textbook: gamma sigma_max < 1 (sufficient for vanishing) in {held} of {seeds} seeds."


def clipping(record: Record) -> str | None:
    """What clipping did to the gradient; None where there was none."""
    clip = record.summary["clip"]
    if clip is None:
        return None
    threshold, by = plain(clip["threshold"]), clip["by"].replace("_", " ")
    if clip["log10_norm"] is None:
        return f"clip ({by}, threshold {threshold}): there is no gradient to clip"
    if by == "step norm":
        return f"clip ({by}, threshold {threshold}): acted at {clip['acted']:.0%} of the steps"
    norm = power(clip["log10_norm"]) if clip["norm"] is None else plain(clip["norm"])
    if not clip["acted"]:
        return f"clip ({by}, threshold {threshold}): gradient norm {norm}, left as it is"
    acted = "" if clip["acted"] == 1 else f" (in {clip['acted']:.0%} of the seeds)"
    after = plain(clip["clipped_norm"])
    return f"clip ({by}, threshold {threshold}): gradient norm {norm} scaled to {after}{acted}"


def travelled(record: Record) -> int:
    """How many steps the gradient travels: from the last step where it enters."""
    at = record.config["loss"]["at"]
    return int(record.config["seq_len"] if isinstance(at, str) else max(at))


def power(log10: float | None) -> str:
    """10**log10 for reading: 0.93, 204, 1.3e-13, 2.0e+493."""
    if log10 is None:
        return "0"
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
