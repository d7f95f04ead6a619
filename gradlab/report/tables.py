"""Tables: their content is built once here and rendered as text, Markdown, or on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.report import lags, network, theory_rows, training
from gradlab.report.words import plain, power, share, signed, travelled

if TYPE_CHECKING:
    from gradlab.sweeps.result import SweepResult

LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
BOTH_ENDS = "below the last layer the gradient comes from several steps: a slope says nothing"
OWN_STEP = "weight_out: every term of dL/dV comes from its own step: no long dependency"


@dataclass(frozen=True)
class Table:
    """A header and rows of finished cells. The first column is text, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()  # what has to be known to read it


def norms_by_lag(record: Record) -> Table:
    """Gradient norms at a few lags: the median over seeds, and what is left of the gradient."""
    last = travelled(record)
    rows = {int(np.argmin(np.abs(record["t"] - (last - lag)))) for lag in _few(last)}
    parts = record.names["parts"]
    over_seeds: dict[str, Callable[[Array], Array]] = {"left": np.median}
    if len(record["seeds"]) > 1:
        over_seeds |= {"min": np.min, "max": np.max}
    header = (f"{network.unit(record, 2)} back", *(_norm_of(part) for part in parts), *over_seeds)
    curves = {part: record[f"log10_grad_norm_{part}"] for part in parts}
    with np.errstate(invalid="ignore"):  # -inf - -inf: nothing left of nothing
        ratio = curves["h"] - curves["h"][:, [int(np.argmin(np.abs(record["t"] - last)))]]
    body = []
    for row in sorted(rows, reverse=True):
        cells = [f"{last - int(record['t'][row])}"]
        cells += [_log(np.median(curves[part][:, row])) for part in parts]
        cells += [_log(float(f(ratio[:, row]))) for f in over_seeds.values()]
        body.append(tuple(cells))
    title = " ".join(["Gradient norms", *network.front(record)]) + (
        ", median over seeds; what is left of them" if len(over_seeds) > 1 else ""
    )
    return Table(title, header, tuple(body))


def _norm_of(part: str) -> str:
    """|dL/dc|, or |dL/dc| total: in two words, for a narrow terminal to break between them."""
    bare = part.removesuffix("_total")
    return f"|dL/d{bare}|" + " total" * (bare != part)


def _few(last: int) -> list[int]:
    """Lags that are told, the last included."""
    found = [lag for lag in (*LAGS, last) if lag <= last]
    if last > LAGS[-1]:
        found += np.geomspace(LAGS[-1], last, 3).astype(int).tolist()
    return sorted(set(found))


def details(record: Record) -> list[Table]:
    """What there is beside the norms by lag: gates, norms by tensor, theory, the lag split, and
    rates by layer and direction.
    """
    tables = [Table(title, head, tuple(rows)) for title, head, rows in training.tables(record)]
    tables += [gates(record), norms_by_tensor(record), theory(record), lag_split(record)]
    tables += [rates(record, "directions", "direction"), rates(record, "layers_rates", "layer")]
    tables.append(rates(record, "backward_layers_rates", "layer"))
    return [table for table in tables if table.rows]


def gates(record: Record) -> Table:
    """Of trained weights: what the gates of a cell do; no rows for one nonlinearity, or others."""
    found = record.summary["gates"] if network.from_file(record) else {}
    rows = [
        (name, plain(one["mean"]), plain(one["slope"]), _share(one["saturation"]))
        for name, one in found.items()
        if len(found) > network.layers(record)
    ]
    title = "Gates, means over units, steps and seeds"
    # 0.1: SATURATED of gradlab.engine.recording, which the report may not import
    notes = ("phi' over its largest value; saturated: units where that is below 0.1",)
    return Table(title, ("gate", "value", "phi'", "saturated"), tuple(rows), notes)


def theory(record: Record) -> Table:
    """What theory predicts, beside what was measured."""
    header = ("prediction", "value", "measured", "theory")
    title = f"Theory, rates in nats per {network.unit(record)}"
    return Table(title, header, tuple(theory_rows.rows(record)), theory_rows.notes(record))


def norms_by_tensor(record: Record) -> Table:
    """The gradient's norm for every tensor of the parameters; no rows where it is unknown."""
    names, alive = record.names["tensors"], record["overflow_step"] == 0
    norms = record.arrays.get("log10_parameter_grad_norm", np.empty((len(alive), 0)))[alive]
    over_seeds: dict[str, Callable[[Array], Array]] = {"|dL/d(tensor)|": np.median}
    if len(norms) > 1:
        over_seeds |= {"min": np.min, "max": np.max}
    rows = [
        (name, *(_log(float(f(norms[:, k]))) for f in over_seeds.values()))
        for k, name in enumerate(names if len(norms) else [])
    ]
    title = "Gradient norms by tensor" + (", median over seeds" if len(norms) > 1 else "")
    notes = (OWN_STEP,) if "weight_out" in names else ()
    return Table(title, ("tensor", *over_seeds), tuple(rows), notes)


def lag_split(record: Record) -> Table:
    """The gradient of the weights by lag: a part's norm, what is missing, the cosine so far."""
    of = f"dL/d{network.weights(record)}"
    title = f"{of} by lag" + (", median over seeds" if len(record["seeds"]) > 1 else "")
    header = ("steps before the loss", "part/whole", "still missing", "cosine so far")
    rows = []
    if lags.applies(record):
        lag = record["lag_split_lag"]
        alive = np.isfinite(record["log10_lag_norm"]).any(axis=1)
        parts, rest = lags.relative(record)[alive], record["lag_remainder"][alive]
        cosine = record["lag_cosine"][alive]
        at = {int(np.argmin(np.abs(lag - few))) for few in _few(int(lag[-1]))}
        rows = [
            (
                f"{lag[k]}",
                _log(float(np.median(parts[:, k]))),
                _number(rest[:, k]),
                _number(cosine[:, k]),
            )
            for k in sorted(at)
        ]
    return Table(title, header, tuple(rows), ("norms of parts do not add up",))


def rates(record: Record, key: str, what: str) -> Table:
    """Verdict and growth rate by layer or direction, where the summary has them."""
    found = record.summary.get(key) or {}
    header = (what, "verdict", f"nats/{network.unit(record)}")
    rows = []
    for name, told in found.items():
        rate = told["growth_rate"]
        rows.append((name, told["verdict"], signed(rate["mean"] if rate else None)))
    title = f"Growth rate by {what}"
    notes: tuple[str, ...] = ()
    if network.chained(record):
        of = "backward" if key.startswith("backward") else "forward"
        title += ", last layer" if what == "direction" else f", {of} direction"
        notes = (BOTH_ENDS,) if any(row[-1] == "-" for row in rows[:-1]) else ()
    return Table(title, header, tuple(rows), notes)


def _number(values: Array) -> str:
    """The median over seeds; a dash where it is not a number."""
    median = float(np.median(values))
    return plain(median) if np.isfinite(median) else "-"


def _log(log10: float) -> str:
    if np.isnan(log10):
        return "-"
    return "0" if np.isneginf(log10) else power(float(log10))


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def numbers(record: Record) -> Table:
    """The summary's numbers, one a row."""
    summary, rate = record.summary, record.summary["growth_rate"] or {}
    unit, units = network.unit(record), network.unit(record, 2)
    rows = [
        (f"growth rate, nats per {unit}", signed(rate.get("mean"))),
        (
            "its 95 % interval",
            f"{signed(rate.get('low'))} to {signed(rate.get('high'))}" if rate else "-",
        ),
        (f"half-life, {units}", plain(summary["half_life"])),
        (f"doubling time, {units}", plain(summary["doubling_time"])),
        (f"horizon (1 % left, or 100 times as much), {units}", plain(summary["horizon"])),
        ("sigma_max of W_hh", plain(summary["sigma_max"])),
        ("spectral radius of W_hh", plain(summary["spectral_radius"])),
        ("largest Lyapunov exponent, nats per step", signed(summary.get("lyapunov_max"))),
        ("gradient norm over all parameters", _log(_or_nan(summary["log10_parameter_grad_norm"]))),
        *_more_numbers(record),
    ]
    return Table("Numbers", ("", "value"), tuple(row for row in rows if row[1] != "-"))


def _more_numbers(record: Record) -> list[tuple[str, str]]:
    """What only some networks have: memory, truncation, a loss, the factor of a cell."""
    summary, cut = record.summary, record.summary.get("truncation") or {}
    of, horizon = f"dL/d{network.weights(record)}", lags.horizon(record)
    rows = [
        (f"memory horizon (95 % of {of}), steps", plain(horizon)),
        (f"truncation loses of {of}, in norm", _share(cut.get("lost"))),
        ("cosine of the truncated and the whole gradient", plain(cut.get("cosine"))),
        ("loss", plain(summary.get("loss"))),
    ]
    factor = summary.get("factor")
    if factor:
        rows += [
            (f"factors tanh'(v) f below {factor['within']:g}", _share(factor["near_zero"])),
            (f"factors tanh'(v) f above {1 - factor['within']:g}", _share(factor["near_one"])),
            ("factors tanh'(v) f between", _share(factor["between"])),
            ("the claim that they are basically 0 or 1", factor["claim"]),
        ]
    return rows


def _share(value: float | None) -> str:
    return "-" if value is None else share(value)


def overview(
    found: Mapping[str, Record | SweepResult], begun: Mapping[str, int | None] | None = None
) -> Table:
    """Stored results, one a row; of a sweep how many of its points are done, of a training its
    loss at the end. begun: trainings that have not ended, by the update after which they go on.
    """
    rows = []
    for name, record in found.items():
        if not isinstance(record, Record):
            done = f"{record.done}/{record.size}"
            rows.append((name, "sweep", "", "", "", done, ""))
            continue
        config, rate = record.config, record.summary["growth_rate"] or {}
        sizes = (config["cell"]["type"], f"{config['hidden_size']}", f"{config['seq_len']}")
        found_out = record.summary["verdict"]
        if "train" in record.summary:
            loss = record.summary["train"]["final_loss_median"]
            found_out = "loss not finite" if loss is None else f"loss {plain(loss)}"
        seeds = f"{len(config['seeds'])}"
        rows.append((name, *sizes, seeds, found_out, signed(rate.get("mean"))))
    for name, update in (begun or {}).items():
        where = "unfinished" if update is None else f"after update {update}"
        rows.append((name, "training", "", "", "", where, ""))
    header = ("result", "cell", "H", "T", "seeds", "verdict, loss, done", "nats/step")
    return Table("Results", header, tuple(rows))


def experiment(record: Record) -> str:
    """The experiment in one line."""
    config = record.config
    cell = config["cell"]
    options = {name: value for name, value in cell.items() if name not in ("type", "sha256")}
    words = [str(value) for value in options.values() if not isinstance(value, list)]
    lists = [f"({k} {' '.join(v) or 'none'})" for k, v in options.items() if isinstance(v, list)]
    kind = " ".join([*words, cell["type"], *lists])
    letters = {"H": "hidden_size", "I": "input_size", "B": "batch_size", "T": "seq_len"}
    sizes = " ".join(f"{letter}={config[key]}" for letter, key in letters.items())
    seeds = len(config["seeds"])
    scale = f"weight_scale={config['weight_scale']:g}"
    told = [kind, *network.kind(record), sizes, scale, f"{seeds} seed{'s' * (seeds != 1)}"]
    return ", ".join(told)
