"""Predictions beside what was measured, as the rows of a table; made from the summary alone."""

from __future__ import annotations

import math
from typing import Any

from gradlab.record import Record
from gradlab.report import network
from gradlab.report.words import plain, signed

Row = tuple[str, str, str, str]  # quantity, predicted, measured, theory

NAMES = {
    "textbook": "textbook bound",
    "random_matrix": "random matrix",
    "mean_field": "mean field",
    "deep": "fresh weights",
    "dynamic_mean_field": "dynamic mean field",
}


def rows(record: Record) -> list[Row]:
    """A row for every prediction that has a number."""
    theory = record.summary["theory"]
    found: list[Row] = []
    for key, name in NAMES.items():
        told = theory.get(key)
        if told is None:
            continue
        if key == "random_matrix":
            found += [(*row, name) for row in _matrix(record, told)]
        elif key == "textbook":
            found += [(*_bound(record, told), name)] if told["bound_per_step"] > 0 else []
        else:
            found += [(*row, name) for row in _rates(record, told)]
    return found


def notes(record: Record) -> tuple[str, ...]:
    """Why there is no prediction, and where those that there are do not hold."""
    theory = record.summary["theory"]
    reason = theory.get("reason")
    found = [f"no prediction of the rate: {reason}"] if reason else []
    for key, name in NAMES.items():
        found += [f"{name}: {caveat}" for caveat in theory.get(key, {}).get("caveats", [])]
    return tuple(found)


def _measured_rate(record: Record) -> str:
    """Of one dependency; a sum over several, or what a clip left, is none."""
    rate = record.summary["growth_rate"]
    alone = not network.sums(record) and not (record["clip_scale"] < 1).any()
    return signed(rate["mean"]) if rate and alone else "-"


def _bound(record: Record, told: dict[str, Any]) -> tuple[str, str, str]:
    return "growth rate, at most", signed(math.log(told["bound_per_step"])), _measured_rate(record)


def _matrix(record: Record, told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The largest singular value and the radius of a matrix; measured, the mean over gates."""
    largest, radius = told["sigma_max"], told["spectral_radius"]
    gates = record.summary["sigma_max_by_gate"] or {}
    of = "W_hh" if len(gates) <= 1 else "one part of W_hh"
    spread = f" +- {plain(largest['std'])}" if largest["std"] else ""
    ends = dict.fromkeys(plain(radius[end]) for end in ("low", "high"))
    found = [
        (f"sigma_max of {of}", f"{plain(largest['mean'])}{spread}", "sigma_max_by_gate"),
        (f"spectral radius of {of}", " to ".join(ends), "spectral_radius_by_gate"),
    ]
    return [(name, value, _mean(record.summary[key])) for name, value, key in found]


def _mean(by_gate: dict[str, float | None] | None) -> str:
    known = [value for value in (by_gate or {}).values() if value is not None]
    return plain(math.fsum(known) / len(known)) if known else "-"


def _rates(record: Record, told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The growth rate, and the weight_scale at which it is 0."""
    rate, edge = _measured_rate(record), "weight_scale at the edge"
    at_rest = told.get("critical_weight_scale_at_rest") if told.get("q_h") == 0 else None
    values = [
        ("growth rate, infinite width", signed(told["growth_rate"]), rate),
        (f"growth rate, H = {told.get('H')}", signed(told.get("growth_rate_at_width")), rate),
        (edge, plain(told.get("critical_weight_scale")), "-"),
        (edge, plain(at_rest), "-"),
    ]
    return [row for row in values if row[1] != "-"]
