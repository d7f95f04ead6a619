"""What theory predicts for a run, read from its summary; any entry of it may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Rate(NamedTuple):
    """A growth rate in nats per step, and which theory it is of."""

    value: float
    name: str


def entry(summary: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """One theory: textbook, random_matrix, mean_field, dynamic_mean_field, deep."""
    found: dict[str, Any] | None = (summary.get("theory") or {}).get(name)
    return found


def growth_rate(summary: Mapping[str, Any]) -> Rate | None:
    """The most special theory that has a rate: of fresh weights in every layer, of gated cells in
    two-time mean field, of the mean field at this width, else at large width.
    """
    for name, key, words in (
        ("deep", "growth_rate", "mean field of a deep net"),
        ("dynamic_mean_field", "growth_rate", "two-time mean field"),
        ("mean_field", "growth_rate_at_width", "mean field at this H"),
        ("mean_field", "growth_rate", "mean field"),
    ):
        value = (entry(summary, name) or {}).get(key)
        if value is not None:
            return Rate(float(value), words)
    return None
