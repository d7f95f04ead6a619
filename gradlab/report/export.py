"""A sweep as one file for other programs.

csv and parquet: the curves, one row for each point, seed and recorded step, the swept keys in
front. netcdf: labelled arrays with the swept keys, the seed and the lag as dimensions, for xarray
and others. parquet and netcdf need optional extras.
"""

from __future__ import annotations

import csv
import importlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.report import sweep_table

if TYPE_CHECKING:
    from gradlab.sweeps.result import SweepResult

Finished = tuple[dict[str, Any], Record]  # swept values, record


def write(result: SweepResult, form: str, out: Path | None = None) -> Path:
    """Write the finished points to a file; its path. form: csv, parquet or netcdf.

    Raises GradlabError when nothing is finished, an extra is missing, or the file cannot be
    written.
    """
    if not result.done:
        raise GradlabError(f"{str(result.folder.path)!r} has no finished points to export")
    suffix = {"csv": "csv", "parquet": "parquet", "netcdf": "nc"}[form]
    path = out if out is not None else result.folder.path / f"export.{suffix}"
    try:
        WRITERS[form](result, path)
    except OSError as error:
        raise GradlabError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def to_csv(result: SweepResult, path: Path) -> None:
    """The curves as CSV; an empty field where there is no value."""
    header = _header(result)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for rows in _rows(result, header):
            writer.writerows([_text(value) for value in row] for row in rows)


def to_parquet(result: SweepResult, path: Path) -> None:
    """The curves as Parquet, in the columns' own types."""
    arrow, parquet = _extra("pyarrow", "parquet"), _extra("pyarrow.parquet", "parquet")
    header, names = _header(result), _named_keys(result)
    types = {name: arrow.string() if name in names else arrow.float64() for name in header}
    types |= dict.fromkeys(("seed", "t", "lag"), arrow.int64())
    schema = arrow.schema(list(types.items()))
    with parquet.ParquetWriter(path, schema) as writer:
        for rows in _rows(result, header):
            columns = dict(zip(header, zip(*rows, strict=True), strict=True))
            texts = {name: [str(value) for value in columns[name]] for name in names}
            writer.write_table(arrow.table({**columns, **texts}, schema=schema))


def to_netcdf(result: SweepResult, path: Path) -> None:
    """Labelled arrays: the summary's numbers by swept key, the curves also by seed and lag.

    Keys that vary together are one dimension, named by all of them, with a coordinate for each.
    """
    xarray = _extra("xarray", "netcdf")
    for module in ("h5netcdf", "h5py"):
        _extra(module, "netcdf")
    shape = [len(values) for values in result.axes.values()]
    dimensions = [" ".join(keys) for keys in result.axes]
    columns_of = sweep_table.columns(record.summary for _, record in result.records())
    numbers = {"_".join(c): np.full(shape, np.nan) for c in columns_of if c not in _TEXTS}
    texts = {"_".join(c): np.full(shape, "", dtype=object) for c in _TEXTS}
    seeds, lags = _extent(result)
    curves: dict[str, np.ndarray] = {}
    for index, (_, record) in _indexed(result):
        at = np.unravel_index(index, shape)
        for column in columns_of:
            value = sweep_table.value(record.summary, column)
            if value is not None:
                (texts if column in _TEXTS else numbers)["_".join(column)][at] = value
        for part in record.names["parts"]:
            name = f"log10_grad_norm_{part}"
            target = curves.setdefault(name, np.full((*shape, len(seeds), len(lags)), np.nan))
            rows = np.searchsorted(seeds, record["seeds"])
            columns = np.searchsorted(lags, record.lag)
            target[at][np.ix_(rows, columns)] = record[name]
    coordinates: dict[str, Any] = {"seed": seeds, "lag": lags}
    for dimension, (keys, values) in zip(dimensions, result.axes.items(), strict=True):
        for key, column in zip(keys, zip(*values, strict=True), strict=True):
            coordinates[key] = (dimension, _labels(column))
    arrays = {name: (dimensions, a) for name, a in numbers.items()}
    arrays |= {name: (dimensions, a.astype(str)) for name, a in texts.items()}
    arrays |= {name: ([*dimensions, "seed", "lag"], a) for name, a in curves.items()}
    xarray.Dataset(arrays, coordinates).to_netcdf(path, engine="h5netcdf")


WRITERS: dict[str, Callable[[SweepResult, Path], None]] = {
    "csv": to_csv,
    "parquet": to_parquet,
    "netcdf": to_netcdf,
}
_TEXTS = (("verdict",), ("outcome",))


def _extra(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise GradlabError(f"this needs an extra: pip install 'gradlab-rnn[{extra}]'") from error


def _indexed(result: SweepResult) -> Iterator[tuple[int, Finished]]:
    """The finished points in order, with their places."""
    values = dict(enumerate(result.values()))
    for index, record in result.records():
        yield index, (values[index], record)


def _header(result: SweepResult) -> list[str]:
    """The swept keys, then every column that any of the points has."""
    columns: dict[str, None] = {}
    for _, record in result.records():
        columns |= dict.fromkeys(record.header())
    return [*itertools.chain(*result.axes), *columns]


def _rows(result: SweepResult, header: list[str]) -> Iterator[list[list[Any]]]:
    """The rows of the curves, point by point, in the order of the header; None for no value."""
    for _, (values, record) in _indexed(result):
        names, rows = record.rows()
        swept = [_plain(value) for value in values.values()]
        place = [names.index(name) if name in names else None for name in header[len(swept) :]]
        yield [[*swept, *(None if k is None else row[k] for k in place)] for row in rows]


def _named_keys(result: SweepResult) -> list[str]:
    """The swept keys whose values are not all numbers."""
    found = []
    for keys, values in result.axes.items():
        columns = zip(keys, zip(*values, strict=True), strict=True)
        found += [key for key, column in columns if _labels(column).dtype.kind == "U"]
    return found


def _extent(result: SweepResult) -> tuple[np.ndarray, np.ndarray]:
    """All seeds and all lags that occur."""
    seeds: set[int] = set()
    lags: set[int] = set()
    for _, record in result.records():
        seeds.update(record["seeds"].tolist())
        lags.update(record.lag.tolist())
    return np.array(sorted(seeds)), np.array(sorted(lags))


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else str(value)


def _labels(values: tuple[Any, ...]) -> np.ndarray:
    """Coordinates: numbers where all are, text otherwise."""
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return np.array(values) if numeric else np.array([str(v) for v in values])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".17g") if isinstance(value, float) else str(value)
