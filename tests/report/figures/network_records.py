"""Records of networks that are more than one recurrent layer: a real record of a small run, to
which keys and arrays are added whose values follow a formula, so that a figure can be checked
against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gradlab.record import Record

LN10 = np.log(10.0)
PATHS = ["direct", "forget", "input", "candidate"]

Change = Callable[[Record], Record]


def added(
    source: Record,
    arrays: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    summary: dict[str, Any] | None = None,
    names: dict[str, Any] | None = None,
) -> Record:
    """The record with these keys on top."""
    return replace(
        source,
        arrays=source.arrays | (arrays or {}),
        config=source.config | (config or {}),
        summary=source.summary | (summary or {}),
        names=source.names | (names or {}),
    )


ADDED = ("layer_", "backward_", "lag_", "log10_lag_", "memory_", "log10_path_", "factor_")
ADDED += ("weight_eigenvalues", "gate_histogram")


def older(source: Record) -> Record:
    """The record as it was before there were networks: none of their keys and arrays."""
    keys = ("layers", "residual", "tied", "block", "bidirectional", "encoder_decoder", "truncate")
    told = ("memory_horizon", "truncation", "factor", "loss", "directions", "layers_rates")
    told += ("backward_layers_rates",)
    theory = {k: v for k, v in source.summary["theory"].items() if k == "textbook"}
    return replace(
        source,
        arrays={k: v for k, v in source.arrays.items() if not k.startswith(ADDED)},
        config={k: v for k, v in source.config.items() if k not in keys},
        summary={k: v for k, v in source.summary.items() if k not in told} | {"theory": theory},
        names={k: v for k, v in source.names.items() if k not in ("paths", "weights")},
    )


def wobble(*shape: int, seed: int = 0) -> np.ndarray:
    """Small differences between seeds and steps, in decades."""
    return 0.12 * np.random.default_rng(seed).standard_normal(shape)


def stacked(layers: int, per_layer: float = -0.8) -> Change:
    """So many layers: a layer deeper is 10^per_layer, a step earlier 10^-0.1 of the norm."""

    def change(source: Record) -> Record:
        t, R = source["t"], len(source["seeds"])
        T = source.config["seq_len"]
        depth = layers - 1 - np.arange(layers)
        values = 0.5 - 0.1 * (T - t)[:, None] + per_layer * depth
        every = values + wobble(R, len(t), layers)
        lost = source["overflow_step"] > 0
        every[lost] = np.nan
        # the first layer's ReLUs are dead in the first steps of every seed
        every[:, t < T // 5, 0] = np.where(lost[:, None], np.nan, -np.inf)
        arrays = {"layer_log10_grad_norm_h": every, "layer_log10_weight_grad_norm": every - 0.3}
        rates = {
            f"layer {k + 1}": {"verdict": "vanishing", "growth_rate": {"mean": -0.1 * LN10}}
            for k in range(layers)
        }
        return added(source, arrays, {"layers": layers}, {"layers_rates": rates})

    return change


def bidirectional(source: Record) -> Record:
    """Both directions; the backward one loses 10^-0.05 a step."""
    t, T, R = source["t"], source.config["seq_len"], len(source["seeds"])
    at = source.config["loss"]["at"]
    entry = 1 if isinstance(at, str) else min(at)
    index = T + 1 - t
    values = 0.4 - 0.05 * (index - entry) + wobble(R, len(t))
    values[:, index < entry] = -np.inf
    arrays = {"backward_log10_grad_norm_h": values, "backward_t": index}
    rates = {
        "forward": {"verdict": "vanishing", "growth_rate": {"mean": -0.3}},
        "backward": {"verdict": "vanishing", "growth_rate": {"mean": -0.05 * LN10}},
    }
    return added(source, arrays, {"bidirectional": True}, {"directions": rates})


def lag_split(factor: float, truncate: dict[str, Any] | None = None) -> Change:
    """A_lag = factor^lag along one direction: all sums are geometric series."""

    def change(source: Record) -> Record:
        T, R = source.config["seq_len"], len(source["seeds"])
        lag = np.arange(T)
        parts = lag * np.log10(factor)
        top = parts.max()
        size = 10.0 ** (parts - top)
        whole = size.sum()
        rest = np.maximum(1 - np.cumsum(size) / whole, 0.0)
        spread = 10 ** (0.3 * wobble(R, T))
        scale = wobble(R, 1, seed=1)  # of a seed's whole gradient
        log10_whole = top + np.log10(whole) + scale[:, 0]
        arrays: dict[str, Any] = {
            "lag_split_lag": lag,
            "log10_lag_norm": parts + scale + np.log10(spread),
            "lag_remainder": rest * spread,
            "lag_cosine": np.clip(1 - 0.5 * (rest * spread) ** 2, -1, 1),
            "log10_lag_whole": log10_whole,
        }
        horizon = (arrays["lag_remainder"] <= 0.05).argmax(axis=1) + 1.0
        arrays["memory_horizon"] = horizon
        lost_seeds = source["overflow_step"] > 0
        for name, array in arrays.items():
            if name != "lag_split_lag":
                array[lost_seeds] = np.nan
        summary: dict[str, Any] = {"memory_horizon": float(np.nanmedian(horizon))}
        if truncate is not None:
            k = truncate["steps"] - 1
            lost = float(np.median(arrays["lag_remainder"][:, k]))
            summary["truncation"] = truncate | {
                "lost": lost,
                "cosine": float(np.median(arrays["lag_cosine"][:, k])),
            }
        return added(source, arrays, {"truncate": truncate}, summary)

    return change


def truncated(source: Record) -> Record:
    """The curves of a loss at the last step with a sliding window of ten steps."""
    cut = source["t"] <= source.config["seq_len"] - 10
    arrays = {}
    for name in ("log10_grad_norm_h", "log10_weight_grad_norm"):
        arrays[name] = np.where(cut, -np.inf, source[name])
    arrays["growth_rate"] = np.full(len(source["seeds"]), -np.inf)
    text = "the gradient of at least one seed is exactly zero from some step on"
    summary = {
        "growth_rate": None,
        "half_life": None,
        "log10_remaining": None,
        "verdict": "vanishing",
        "reasons": {"growth_rate": text},
    }
    cut_source = lag_split(0.8, {"steps": 10, "mode": "sliding"})(source)
    return added(cut_source, arrays, {}, summary)


def configured(**config: Any) -> Change:
    """The same numbers, of another network."""
    return lambda source: added(source, config=config)


def paths(direct: float, candidate: float) -> Change:
    """The four terms of dc_t/dc_{t-1}: constant over the steps, up to a wobble."""

    def change(source: Record) -> Record:
        t, R = source["t"], len(source["seeds"])
        typical = np.log10([direct, 0.05, 0.02, candidate])
        values = typical + 0.4 * wobble(R, len(t), len(PATHS))
        values[:, t == 1, 1:] = -np.inf
        values[:, t == 0] = np.nan
        values[source["overflow_step"] > 0] = np.nan
        return added(source, {"log10_path_norm": values}, names={"paths": PATHS})

    return change


def factors(spread: float) -> Change:
    """Factors sigmoid(spread z): around 0.5, or at both ends where spread is large."""

    def change(source: Record) -> Record:
        R = len(source["seeds"])
        z = np.random.default_rng(2).standard_normal((R, 4000)) * spread
        values = 1 / (1 + np.exp(-z))
        histogram = np.stack([np.histogram(row, 50, (0, 1))[0] for row in values])
        near_zero, near_one = float((values < 0.1).mean()), float((values > 0.9).mean())
        between = 1 - near_zero - near_one
        summary = {
            "within": 0.1,
            "near_zero": near_zero,
            "near_one": near_one,
            "between": between,
            "claim": "holds" if between < 0.1 else "does not hold",
        }
        return added(source, {"factor_histogram": histogram}, summary={"factor": summary})

    return change


def without_recurrent_matrix(source: Record) -> Record:
    """What cells have that see h_{t-1} without a matrix."""
    return added(source, names={"weights": ["weight_ih"]})


def output_layer(source: Record) -> Record:
    """A loss on the outputs of a layer of its own."""
    R = len(source["seeds"])
    norms = np.hstack([source["log10_parameter_grad_norm"], np.full((R, 2), -0.5)])
    tensors = [*source.names["tensors"], "weight_out", "bias_out"]
    loss = source.config["loss"] | {"type": "cross_entropy", "at": "all"}
    return added(
        source,
        {"log10_parameter_grad_norm": norms},
        {"loss": loss},
        {"loss": 3.21},
        {"tensors": tensors},
    )
