"""Tables: their content is built once here and rendered as text, Markdown, or on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report.words import plain, power, signed, travelled

if TYPE_CHECKING:
    from gradlab.sweeps.result import SweepResult

LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Table:
    """A header and rows of finished cells. The first column is text, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def norms_by_lag(record: Record) -> Table:
    """Gradient norms at a few lags: the median over seeds, and what is left of the gradient."""
    last = travelled(record)
    lags = np.unique([lag for lag in (*LAGS, last) if lag <= last])
    if last > LAGS[-1]:
        lags = np.unique(np.append(lags, np.geomspace(LAGS[-1], last, 3).astype(int)))
    rows = {int(np.argmin(np.abs(record["t"] - (last - lag)))) for lag in lags}
    parts = record.names["parts"]
    over_seeds: dict[str, Callable[[Array], Array]] = {"left": np.median}
    if len(record["seeds"]) > 1:
        over_seeds |= {"min": np.min, "max": np.max}
    header = ("steps back", *(f"|dL/d{part}|" for part in parts), *over_seeds)
    curves = {part: record[f"log10_grad_norm_{part}"] for part in parts}
    with np.errstate(invalid="ignore"):  # -inf - -inf: nothing left of nothing
        ratio = curves["h"] - curves["h"][:, [int(np.argmin(np.abs(record["t"] - last)))]]
    body = []
    for row in sorted(rows, reverse=True):
        cells = [f"{last - int(record['t'][row])}"]
        cells += [_log(np.median(curves[part][:, row])) for part in parts]
        cells += [_log(float(f(ratio[:, row]))) for f in over_seeds.values()]
        body.append(tuple(cells))
    title = "Gradient norms" + (
        ", median over seeds; what is left of them" if len(over_seeds) > 1 else ""
    )
    return Table(title, header, tuple(body))


def _log(log10: float) -> str:
    if np.isnan(log10):
        return "-"
    return "0" if np.isneginf(log10) else power(float(log10))


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def numbers(record: Record) -> Table:
    """The summary's numbers, one a row."""
    summary, rate = record.summary, record.summary["growth_rate"] or {}
    rows = [
        ("growth rate, nats per step", signed(rate.get("mean"))),
        (
            "its 95 % interval",
            f"{signed(rate.get('low'))} to {signed(rate.get('high'))}" if rate else "-",
        ),
        ("half-life, steps", plain(summary["half_life"])),
        ("doubling time, steps", plain(summary["doubling_time"])),
        ("horizon (1 % left, or 100 times as much), steps", plain(summary["horizon"])),
        ("sigma_max of W_hh", plain(summary["sigma_max"])),
        ("spectral radius of W_hh", plain(summary["spectral_radius"])),
        ("gradient norm over all parameters", _log(_or_nan(summary["log10_parameter_grad_norm"]))),
    ]
    return Table("Numbers", ("", "value"), tuple(row for row in rows if row[1] != "-"))


def overview(found: Mapping[str, Record | SweepResult]) -> Table:
    """Stored results, one a row; of a sweep how many of its points are done."""
    rows = []
    for name, record in found.items():
        if not isinstance(record, Record):
            done = f"{record.done}/{record.size}"
            rows.append((name, "sweep", "", "", "", done, ""))
            continue
        config, rate = record.config, record.summary["growth_rate"] or {}
        sizes = (config["cell"]["type"], f"{config['hidden_size']}", f"{config['seq_len']}")
        rate_text = signed(rate.get("mean"))
        rows.append((name, *sizes, f"{len(config['seeds'])}", record.summary["verdict"], rate_text))
    header = ("result", "cell", "H", "T", "seeds", "verdict or done", "nats/step")
    return Table("Results", header, tuple(rows))


def experiment(record: Record) -> str:
    """The experiment in one line."""
    config = record.config
    cell = config["cell"]
    kind = " ".join([str(v) for k, v in cell.items() if k != "type"] + [cell["type"]])
    letters = {"H": "hidden_size", "I": "input_size", "B": "batch_size", "T": "seq_len"}
    sizes = " ".join(f"{letter}={config[key]}" for letter, key in letters.items())
    seeds = len(config["seeds"])
    scale = f"weight_scale={config['weight_scale']:g}"
    return f"{kind}, {sizes}, {scale}, {seeds} seed{'s' * (seeds != 1)}"
