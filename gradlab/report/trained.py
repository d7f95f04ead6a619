"""What training did, in words: trained weights beside ones drawn anew, and how far the edge is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.record import Record
from gradlab.report import network
from gradlab.report.words import plain, power

if TYPE_CHECKING:
    from gradlab.report.figures.ensemble import Curve

FRESH = "fresh_log10_grad_norm_h"


def applies(record: Record) -> bool:
    """Whether the record has the comparison."""
    return "trained" in record.summary


def curve(record: Record) -> Curve | None:
    """The norms with weights drawn anew; None where there are none."""
    if FRESH not in record.arrays:
        return None
    from gradlab.report.figures.ensemble import over_members

    found = over_members(record["t"], record[FRESH])
    return found if np.isfinite(found.median).any() else None


def sentences(record: Record) -> list[str]:
    """What training did; of trained weights alone where they were not compared."""
    if not network.from_file(record):
        return []
    alone = not network.sums(record)  # what is left of a sum says nothing
    lines = [_horizon(record)] if alone else []
    if applies(record):
        told = record.summary["trained"]
        lines += [_beside(record, told["fresh"])] if alone else []
        lines.append(_edge(told))
    return [line for line in lines if line]


def _horizon(record: Record) -> str:
    """Where 1 % is left, or 100 times as much."""
    summary, verdict = record.summary, record.summary["verdict"]
    horizon, steps = summary["horizon"], summary["distance"]
    if verdict == "vanishing" and horizon is None:
        whole = f"more than 1 % of the gradient is left {steps} {network.unit(record, steps)} back"
        return "" if summary["log10_remaining"] is None else f"Reach: {whole}."
    if horizon is None or verdict not in ("vanishing", "exploding"):
        return ""
    left = "1 % of the gradient is left" if verdict == "vanishing" else "it is 100 times as large"
    return f"Reach: {left} {plain(horizon)} {network.unit(record, horizon)} back."


def _beside(record: Record, fresh: dict[str, Any]) -> str:
    """The factor between what trained and what fresh weights leave, at the far end."""
    steps = record.summary["distance"]
    far = f"a gradient {steps} {network.unit(record, steps)} back"
    scale = "freshly drawn weights of the same scale"
    own, other = record.summary["log10_remaining"], fresh["log10_remaining"]
    if fresh["outcome"] == "overflow":
        return f"Trained: with {scale} the states overflow."
    if own is not None and other is not None:
        return f"Trained: {far} is {power(own - other)} times what {scale} leave."
    if own is not None:
        return f"Trained: {far} is {power(own)} of it; {scale} leave nothing in some seed."
    return ""


def _edge(told: dict[str, Any]) -> str:
    edge = told["edge"]
    if edge is None:
        return f"No weight_scale was found that brings it to the edge: {told['edge_reason']}."
    ends = plain(edge["low"]), plain(edge["high"])
    known = edge["low"] is not None and ends[0] != ends[1]  # seeds that agree leave nothing open
    between = f" ({ends[0]} to {ends[1]})" if known else ""
    return f"weight_scale {plain(edge['weight_scale'])}{between} would bring it to the edge."
