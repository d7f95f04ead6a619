"""The files of a result: what each holds, read back by others than who wrote them.

Claims:
- the folder holds the documented files and none else;
- steps.csv has the documented columns; every number in it reads back to the same bits as the array
  that it comes from, and what does not exist is an empty field;
- every array has the documented shape, in the documented order of axes, for every cell;
- record_every keeps every n-th step, the first and the last;
- summary.json is strict JSON: what is not finite is null and has a reason;
- gradlab.load gives back the record, bit for bit;
- a record that is torn anywhere, foreign, empty, pickled or of a newer schema is refused in one
  line, and nothing in it is executed.
"""

from __future__ import annotations

import csv
import io
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import record as record_module
from gradlab.cells import CELLS
from gradlab.errors import GradlabError
from gradlab.record import SCHEMA, NewerSchemaError, Record

H, I, B, T, SEEDS = 4, 3, 2, 11, [7, 3, 5]
SIZES: dict[str, Any] = {
    "hidden_size": H,
    "input_size": I,
    "batch_size": B,
    "seq_len": T,
    "seeds": SEEDS,
}
SPECTRUM = {"values": 2, "sequences": 2}
STEP_CLIP = {"threshold": 1.0, "by": "step_norm"}
every_cell = pytest.mark.parametrize("cell", CELLS)


def sizes(cell: str) -> dict[str, Any]:
    """SIZES, with inputs as wide as the state for the cell that adds them to it."""
    return SIZES | ({"input_size": H} if cell == "lstm_simple" else {})


@cache
def computed(cell: str) -> Record:
    config = {"cell": cell, **sizes(cell), "spectrum": SPECTRUM, "clip": STEP_CLIP}
    return gradlab.run(config)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    gradlab.run({"cell": "rnn", **SIZES, "figures": "none"}, out=tmp_path / "x")
    return tmp_path / "x"


# ---------------------------------------------------------------- the folder and steps.csv


def test_the_folder_holds_what_is_documented(small: Path) -> None:
    names = {"config.yaml", "record.npz", "steps.csv", "summary.json", "provenance.json"}
    assert {path.name for path in small.iterdir()} == names | {"report.md"}


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_figures_come_in_the_format_that_was_asked_for(form: str, tmp_path: Path) -> None:
    figures = {"formats": [form], "dpi": 50}
    gradlab.run({"cell": "rnn", **SIZES, "figures": figures}, out=tmp_path / "x")
    begins = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}[form]
    names = ("gradient_norms", "singular_values", "jacobian_spectrum", "weight_spectrum")
    names += ("weight_gradient", "lag_split", "product_singular_values", "lyapunov_spectrum")
    names += ("seed_spread", "weight_eigenvalues", "gate_histograms")
    for name in names:
        assert (tmp_path / "x" / f"{name}.{form}").read_bytes().startswith(begins)
    assert len(list((tmp_path / "x").glob("*.*"))) == len(names) + 6


def columns(cell: str) -> list[str]:
    """DESIGN's order: norms of the parts, the weights' share, singular values of steps and of
    products, saturation.
    """
    parts = ["h", "c", "c_total"] if "c" in CELLS[cell].STATE else ["h"]
    norms = [name for p in parts for name in (f"grad_norm_{p}", f"log10_grad_norm_{p}")]
    products = [f"log10_product_sigma_{k + 1}" for k in range(H * len(CELLS[cell].STATE))]
    products += ["product_effective_rank", "log10_product_condition"]
    middle = ["log10_weight_grad_norm", "sigma_max", "sigma_min"]
    return ["seed", "t", "lag", *norms, *middle, *products, "saturation"]


@every_cell
def test_the_columns_of_steps_csv(cell: str, tmp_path: Path) -> None:
    gradlab.run({"cell": cell, **sizes(cell), "figures": "none"}, out=tmp_path / "x")
    found = rows(tmp_path / "x" / "steps.csv")
    assert list(found[0]) == columns(cell)
    where = [(int(r["seed"]), int(r["t"]), int(r["lag"])) for r in found]
    assert where == [(seed, t, T - t) for seed in SEEDS for t in range(T + 1)]


def test_every_number_reads_back_to_the_same_bits(small: Path) -> None:
    result, found = gradlab.load(small), rows(small / "steps.csv")
    table = {
        "grad_norm_h": result["grad_norm_h"],
        "log10_grad_norm_h": result["log10_grad_norm_h"],
        "log10_weight_grad_norm": result["log10_weight_grad_norm"],
        "sigma_max": result["step_singular_values"].max(axis=(2, 3)),
        "sigma_min": result["step_sigma_min"].min(axis=2),
        "saturation": result["gate_saturation"].mean(axis=2),
    }
    for name, array in table.items():
        read = np.array([float(row[name] or "nan") for row in found]).reshape(array.shape)
        np.testing.assert_array_equal(read, array, err_msg=name)


def test_what_does_not_exist_is_an_empty_field(tmp_path: Path) -> None:
    # 10^(150 * lag): beyond float range from lag 3 on; and below it with 10^-150
    for scale, sign in ((1e150, 1), (1e-150, -1)):
        config = {"cell": "linear", **SIZES, "init": "identity", "inputs": "zeros"}
        config |= {"weight_scale": scale, "figures": "none", "seq_len": 5}
        gradlab.run(config, out=tmp_path / f"{sign}")
        found = rows(tmp_path / f"{sign}" / "steps.csv")
        for row in found:
            exists = int(row["lag"]) <= 2
            assert (row["grad_norm_h"] != "") == exists
            expected = sign * 150 * int(row["lag"]) + math.log10(math.sqrt(H * B))
            assert float(row["log10_grad_norm_h"]) == pytest.approx(expected, rel=1e-12)
            assert (row["sigma_max"] == "") == (row["t"] == "0")  # there is no J_0
            assert "nan" not in row.values() and "inf" not in row.values()


def test_an_exact_zero_is_minus_infinity(tmp_path: Path) -> None:
    config = {"cell": "linear", **SIZES, "init": "zeros", "figures": "none"}
    gradlab.run(config, out=tmp_path / "x")
    for row in rows(tmp_path / "x" / "steps.csv"):
        if row["lag"] != "0":
            assert (row["grad_norm_h"], row["log10_grad_norm_h"]) == ("0", "-inf")


@pytest.mark.parametrize("every", [1, 2, 5, 11, 100])
def test_every_nth_step_is_kept_and_the_first_and_last(every: int) -> None:
    config = {"cell": "lstm", **SIZES}
    whole, thin = gradlab.run(config), gradlab.run({**config, "record_every": every})
    steps = sorted({0, *range(T, -1, -every)})
    assert thin["t"].tolist() == steps
    for name, array in whole.arrays.items():
        if name in ("growth_rate", "growth_rate_error"):  # fitted to the steps that are kept
            continue
        if array.ndim >= 2 and array.shape[1] == T + 1:
            array = array[:, steps]
        elif name == "t":
            array = array[steps]
        np.testing.assert_array_equal(thin[name], array, err_msg=name)


def test_a_long_run_keeps_at_most_ten_thousand_rows_a_seed() -> None:
    config = {"cell": "linear", "hidden_size": 1, "batch_size": 1, "inputs": "zeros", "seeds": 1}
    t = gradlab.run({**config, "seq_len": 25_000, "spectrum": "none"})["t"]
    assert len(t) <= 10_001
    assert (t[0], t[-1]) == (0, 25_000)
    assert set(np.diff(t)[1:]) == {3}  # the smallest n that will do


# ---------------------------------------------------------------- arrays and their shapes


def test_documented_rows() -> None:
    assert set(documented()) >= {"seeds", "grad_norm_PART", "step_singular_values", "clip_rate"}


def documented() -> dict[str, tuple[str, ...]]:
    """Array name -> letters of its shape, from the table in the module's own words."""
    shapes: dict[str, tuple[str, ...]] = {}
    for line in (record_module.__doc__ or "").splitlines():
        if not line.startswith("| ") or line.startswith(("| array", "| ---")):
            continue
        names, shape = (cell.strip() for cell in line.split("|")[1:3])
        given = [tuple(s.strip("() ,").split(", ")) for s in shape.split("), (")]
        split = names.split(", ")
        for k, name in enumerate(split):
            full = split[0].rsplit("_", 1)[0] + name if name.startswith("_") else name
            letters = given[min(k, len(given) - 1)]
            shapes[full] = tuple(x for x in letters if x)
    return shapes


@every_cell
def test_every_array_has_the_documented_shape(cell: str) -> None:
    result = computed(cell)
    letters = {
        "R": len(SEEDS),
        "N": T + 1,
        "H": H,
        "sequences": SPECTRUM["sequences"],
        "values": SPECTRUM["values"],
        "D": H * len(CELLS[cell].STATE),
        "tensors": len(result.names["tensors"]),
        "paths": len(result.names["paths"]),
        "50": 50,
        "102": 102,
    }
    shapes = documented()
    for part in ("h", "c", "c_total"):
        for name in ("grad_norm_PART", "log10_grad_norm_PART"):
            shapes[name.replace("PART", part)] = shapes[name]
    for name, array in result.arrays.items():
        # gates of the recurrent matrix, or what was read of each step
        gates = (
            CELLS[cell].GATES
            if name.startswith(("weight_s", "weight_e"))
            else result.names["gates"]
        )
        expected = tuple({**letters, "gates": len(gates)}[letter] for letter in shapes[name])
        assert array.shape == expected, name


@every_cell
def test_the_axes_are_in_the_documented_order(cell: str) -> None:
    """What a shape cannot tell: each index along an axis is what it is said to be."""
    result = computed(cell)
    np.testing.assert_array_equal(result["seeds"], SEEDS)
    np.testing.assert_array_equal(result["t"], np.arange(T + 1))
    values = result["step_singular_values"]
    assert np.isnan(values[:, 0]).all()  # J_0
    assert (np.diff(values[:, 1:], axis=-1) <= 0).all()  # the largest first
    assert (result["step_sigma_min"][:, 1:] <= values[:, 1:, :, -1]).all()
    if CELLS[cell].GATES:
        weights = result["weight_singular_values"]
        assert (np.diff(weights, axis=-1) <= 0).all()
        # no eigenvalue is beyond the largest singular value
        assert (result["weight_spectral_radius"] <= weights.max(axis=-1) * (1 + 1e-12)).all()
    # the tensors' norms make up the whole: an identity, to rounding
    squares = 10.0 ** (2 * result["log10_parameter_grad_norm"])
    np.testing.assert_allclose(np.sqrt(squares.sum(axis=1)), result["clip_norm"], rtol=1e-12)


def test_a_missing_array_is_told_with_those_that_there_are() -> None:
    with pytest.raises(KeyError, match=r"no array 'norms'; there are: .*grad_norm_h"):
        computed("rnn")["norms"]


# ---------------------------------------------------------------- JSON


def strict(text: str) -> Any:
    """JSON without NaN and Infinity, which are none."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


CASES: dict[str, dict[str, Any]] = {
    "plain": {"cell": "lstm"},
    "clipped": {"cell": "gru", "clip": 0.1},
    "clipped by value": {"cell": "rnn", "clip": {"threshold": 0.1, "by": "value"}},
    "step clip": {"cell": "rnn", "clip": STEP_CLIP},
    "dead": {"cell": {"type": "rnn", "activation": "relu"}, "init": {"bias": -50.0}},
    "overflow": {"cell": "linear", "weight_scale": 1e200, "clip": 1.0},
    "one seed": {"cell": "rnn", "seeds": [0]},
    "one step": {"cell": "rnn", "seq_len": 1, "seeds": [0]},
    "one row": {"cell": "rnn", "seq_len": 1, "record_every": 1, "loss": {"at": [1]}},
    "no norms": {"cell": "linear", "spectrum": "none", "weight_scale": 0.0},
    "beyond floats": {"cell": "linear", "weight_scale": 1e30, "inputs": "zeros", "clip": 1.0},
}
KEYS = {
    *("schema", "verdict", "growth_rate", "half_life", "doubling_time", "horizon", "sigma_max"),
    *("spectral_radius", "clip", "theory", "outcome", "caveats"),
}


@pytest.mark.fault("record: NaN and infinities in results", "null with a reason in JSON")
@pytest.mark.parametrize("case", CASES)
def test_every_file_of_json_is_strict_and_whole(case: str, tmp_path: Path) -> None:
    config = {**SIZES, **CASES[case], "figures": "none"}
    gradlab.run(config, out=tmp_path / "x")
    summary = strict((tmp_path / "x" / "summary.json").read_text(encoding="utf-8"))
    assert summary.keys() >= KEYS
    assert summary["schema"] == SCHEMA
    assert strict((tmp_path / "x" / "provenance.json").read_text(encoding="utf-8"))["numpy"]
    if summary["growth_rate"] is None:
        assert summary["reasons"]["growth_rate"]
        assert summary["half_life"] is None and summary["doubling_time"] is None
    assert strict(json.dumps(gradlab.load(tmp_path / "x").summary)) == {
        key: value for key, value in summary.items() if key not in ("schema", "gradlab", "identity")
    }


# ---------------------------------------------------------------- reading back


@every_cell
def test_load_gives_back_the_record(cell: str, tmp_path: Path) -> None:
    config = {"cell": cell, **sizes(cell), "figures": "none"}
    first = gradlab.run(config, out=tmp_path / "x")
    second = gradlab.load(tmp_path / "x")
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name])
    for name in ("config", "summary", "names", "identity", "version"):
        assert getattr(first, name) == getattr(second, name)
    assert second.to_bytes() == (tmp_path / "x" / "record.npz").read_bytes()


@pytest.mark.fault("record: torn anywhere", "one line")
def test_a_torn_record_is_refused_wherever_it_is_torn(small: Path) -> None:
    whole = (small / "record.npz").read_bytes()
    for length in [0, 1, 4, *range(0, len(whole), len(whole) // 40), len(whole) - 1]:
        with pytest.raises(GradlabError, match="torn or not a gradlab record"):
            Record.from_bytes(whole[:length])


@pytest.mark.fault("record: a flipped bit", "refused, or nothing has changed")
def test_a_flipped_bit_is_refused_or_changes_nothing(small: Path) -> None:
    whole = (small / "record.npz").read_bytes()
    original = Record.from_bytes(whole)
    told = []
    for at in range(3, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        try:
            read = Record.from_bytes(bytes(flipped))
        except GradlabError as error:
            told.append(str(error))
        else:  # a bit of the zip that nobody reads, a date say
            assert read.summary == original.summary
            for name, array in read.arrays.items():
                np.testing.assert_array_equal(array, original[name])
    assert len(told) > 30
    assert not any("\n" in line for line in told)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


class Trap:
    """Opens a door when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("something in a file was executed",))


META = {"schema": SCHEMA, "version": "0", "identity": "", "config": {}, "summary": {}}
FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "no metadata": npz(a=np.ones(2)),
    "metadata is no JSON": npz(metadata=np.array("{")),
    "metadata is a list": npz(metadata=np.array("[]")),
    "metadata is a number": npz(metadata=np.array("3")),
    "no schema": npz(metadata=np.array("{}")),
    "schema is a word": npz(metadata=np.array(json.dumps({**META, "schema": "x"}))),
    "schema is none": npz(metadata=np.array(json.dumps({**META, "schema": None}))),
    "no names": npz(metadata=np.array(json.dumps(META))),
    "a pickle": npz(metadata=np.array([Trap()], dtype=object)),
}


@pytest.mark.fault("record: foreign, empty, a pickle", "one line; nothing is executed")
@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_record_is_refused_in_one_line(case: str, small: Path) -> None:
    (small / "record.npz").write_bytes(FOREIGN[case])
    with pytest.raises(GradlabError, match=r"record\.npz is torn or not a gradlab record") as told:
        gradlab.load(small)
    assert "\n" not in str(told.value)


def with_schema(path: Path, schema: int) -> None:
    """The same record as if another gradlab had written it."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    metadata = json.loads(str(arrays.pop("metadata"))) | {"schema": schema}
    path.write_bytes(npz(metadata=np.array(json.dumps(metadata)), **arrays))


@pytest.mark.fault("record: of a newer schema", "neither read nor replaced; both versions told")
def test_a_newer_schema_is_neither_read_nor_replaced(small: Path) -> None:
    with_schema(small / "record.npz", SCHEMA)
    gradlab.load(small)  # the change itself does no harm
    with_schema(small / "record.npz", SCHEMA + 1)
    before = (small / "record.npz").read_bytes()
    with pytest.raises(NewerSchemaError, match=f"schema {SCHEMA + 1}, this gradlab knows up to"):
        gradlab.load(small)
    for config in (SIZES, {**SIZES, "seq_len": 3}):
        with pytest.raises(NewerSchemaError):
            gradlab.run({"cell": "rnn", **config, "figures": "none"}, out=small)
    assert (small / "record.npz").read_bytes() == before


@pytest.mark.fault("record: torn, and `run`", "computed again")
def test_a_torn_result_is_computed_again(small: Path) -> None:
    whole = (small / "record.npz").read_bytes()
    (small / "record.npz").write_bytes(whole[:100])
    gradlab.run({"cell": "rnn", **SIZES, "figures": "none"}, out=small)
    assert (small / "record.npz").read_bytes() == whole


def test_load_names_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match="there is no results folder"):
        gradlab.load(tmp_path / "nowhere")
    with pytest.raises(GradlabError, match=r"holds no record\.npz"):
        gradlab.load(tmp_path)
