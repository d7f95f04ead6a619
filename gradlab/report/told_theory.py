"""What theory predicts for a run, read from its summary; any entry of it may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradlab.analysis.random_matrix import INDEPENDENT
from gradlab.record import Record

NAMES = {
    "deep": "mean field, fresh weights",
    "dynamic_mean_field": "dynamic mean field",
    "mean_field": "mean field",
}


class Rate(NamedTuple):
    """A growth rate in nats per step, and which theory at which width it is of."""

    value: float
    name: str


def entry(summary: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """One theory: textbook, random_matrix, mean_field, dynamic_mean_field, deep."""
    found: dict[str, Any] | None = (summary.get("theory") or {}).get(name)
    return found


def independent(record: Record) -> dict[str, Any] | None:
    """random_matrix, where it is of independent entries: not of an orthogonal W."""
    found = entry(record.summary, "random_matrix")
    return found if record.config["init"]["recurrent"] in INDEPENDENT else None


def growth_rate(summary: Mapping[str, Any]) -> Rate | None:
    """That of the one theory that is about the run: at the net's own width where that is known."""
    for key, name in NAMES.items():
        told = entry(summary, key) or {}
        if told.get("growth_rate_at_width") is not None:
            return Rate(float(told["growth_rate_at_width"]), f"{name}, H = {told['H']}")
        if told.get("growth_rate") is not None:
            return Rate(float(told["growth_rate"]), f"{name}, H → ∞")
    return None
