"""weight_gradients: none leaves the gradients of the weights out, and nothing else.

Claims:
- for every cell, network, loss, clip and truncation the record with `none` is the one with `all`,
  bit for bit, without exactly those arrays that are made of gradients of weights; so are steps.csv
  and the summary, where what is absent is null with its reason;
- these gradients are not even computed: nothing asks a cell for their terms;
- nobody who asks for them is left without an answer: clipping, training, the split by lag and
  expectations are refused in one line that names the key; nothing is written;
- a clip of every step needs none, and acts as it does; the float32 run compares what there is;
- tables, sentences, figures and pages of such a record are made, and tell no such number;
- points with and without lie in one sweep; a run of them is another experiment;
- the estimate of memory is smaller where weights take most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import gradlab
from gradlab.cells import CELLS
from gradlab.cells import rnn as rnn_cell
from gradlab.cli import app
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.expectations.possible import refuse_impossible
from gradlab.footprint import footprint
from gradlab.plan import settle
from gradlab.report.tables import details, numbers
from gradlab.report.words import clipping, findings

SMALL: dict[str, Any] = {"cell": "rnn", "hidden_size": 4, "input_size": 4, "seq_len": 8}
SMALL |= {"batch_size": 3, "seeds": 2, "figures": "none"}
NONE = {"weight_gradients": "none"}
STEPS = {"threshold": 1e-2, "by": "step_norm"}
RUNS: dict[str, dict[str, Any]] = {
    **{cell: {"cell": cell} for cell in CELLS},
    "layers": {"cell": "lstm", "layers": 2},
    "both ways, layers": {"cell": "gru", "layers": 2, "bidirectional": True},
    "phases": {"encoder_decoder": {"encoder": 3, "decoder": 5}},
    "deep": {"tied": False},
    "block": {"residual": True, "block": 2},
    "sliding": {"truncate": 3, "loss": {"type": "mse", "at": "all"}},
    "chunks": {"truncate": {"steps": 3, "mode": "chunked"}},
    "classes": {"loss": {"type": "cross_entropy"}},
    "clipped steps": {"clip": STEPS},
    "float32": {"dtype": "float32"},
    "checkpoints": {"checkpoint": 4, "loss": {"at": [3, 8]}},
    "some rows": {"record_every": 3},
}
# what record.py says is made of gradients of weights
OF_WEIGHTS = ("weight_grad_norm", "parameter_grad_norm", "clip_norm", "clip_rate", "clipped_norm")
OF_WEIGHTS += ("lag_", "memory_horizon", "truncation_")


def ran(**changes: Any) -> gradlab.Record:
    return gradlab.run({**SMALL, **changes})


@pytest.mark.parametrize("name", RUNS)
def test_all_else_is_the_same_to_the_bit(name: str) -> None:
    whole, lean = ran(**RUNS[name]), ran(**RUNS[name], **NONE)
    gone = {array for array in whole.arrays if any(part in array for part in OF_WEIGHTS)}
    assert set(lean.arrays) == set(whole.arrays) - gone
    for array, values in lean.arrays.items():
        np.testing.assert_array_equal(values, whole[array], strict=True, err_msg=array)
    assert lean.header() == [column for column in whole.header() if "weight_grad" not in column]
    assert lean.names == whole.names | {"tensors": []}
    told = dict(whole.summary) | {"log10_parameter_grad_norm": None, "memory_horizon": None}
    no = "weight_gradients is none"
    missing = {"log10_parameter_grad_norm": no, "memory_horizon": no}
    if told["truncation"] is not None:
        told["truncation"] |= {"lost": None, "cosine": None}
        missing |= {"truncation": no}
    if told["clip"] is not None:
        told["clip"] |= {"norm": None, "log10_norm": None}
    if "precision" in told:
        kept = {k: v for k, v in told["precision"].items() if "_grad_norm" not in k}
        # fewer norms are compared: as many digits of them are right, or more
        kept["trusted_digits"] = lean.summary["precision"]["trusted_digits"]
        assert kept["trusted_digits"] >= told["precision"]["trusted_digits"]
        told["precision"] = kept
    assert lean.summary == told | {"reasons": told["reasons"] | missing}


def test_no_term_of_a_gradient_is_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("the terms of a gradient are asked for")

    monkeypatch.setattr(rnn_cell, "shares", asked)
    monkeypatch.setattr("gradlab.engine.loss._output_gradients", asked)
    loss = {"type": "mse", "at": "all"}
    spec = settle(from_mapping({**SMALL, **NONE, "loss": loss, "truncate": 2}).config)[1]
    monkeypatch.setattr(
        "gradlab.memory._tried", lambda *_: (4, 12, 8, 4, 0, 0)
    )  # it tries them out
    assert gradlab.runner.run(spec)["grad_norm_h"].shape == (2, 9)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"clip": 1.0}, "clip by global_norm is of these gradients: remove clip or weight_gradients"),
    ({"clip": {"threshold": 1.0, "by": "value"}}, "clip by value is of these gradients"),
    ({"train": {"task": "adding"}}, "weights cannot learn without: remove weight_gradients"),
    ({"lag_split": "all"}, "lag_split is a split of weight_gradients, which are none"),
]


@pytest.mark.parametrize(("changes", "line"), REFUSED)
def test_who_needs_them_is_refused(changes: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(GradlabError) as caught:
        gradlab.run({**SMALL, **NONE, **changes}, out=tmp_path / "out")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


EXPECTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"log10_parameter_grad_norm": 1}),
    ({}, {"memory_horizon": 1}),
    ({}, {"log10_weight_grad_norm": {"lag": 2, "min": 1}}),
    ({"truncate": 2}, {"truncation.lost": 1}),
    ({"clip": STEPS}, {"clip.log10_norm": 1}),
    ({"dtype": "float32"}, {"precision.weight_grad_norm.largest": 1}),
]


@pytest.mark.parametrize(("changes", "expect"), EXPECTED)
def test_who_expects_one_is_told_the_key(changes: dict[str, Any], expect: dict[str, Any]) -> None:
    config, spec = settle(from_mapping({**SMALL, **changes, **NONE, "expect": expect}).config)
    with pytest.raises(GradlabError) as caught:
        refuse_impossible(config.expect, spec)
    name = next(iter(expect))
    line = f"this run has no '{name}': weight_gradients is none; set it to all"
    assert line in str(caught.value)
    config, spec = settle(from_mapping({**SMALL, **changes, "expect": expect}).config)
    refuse_impossible(config.expect, spec)


def test_what_is_not_there_for_another_reason_is_told_as_ever() -> None:
    config, spec = settle(from_mapping({**SMALL, **NONE, "expect": {"clip.rate": 1}}).config)
    with pytest.raises(GradlabError, match="it has no clip"):
        refuse_impossible(config.expect, spec)


def test_tables_and_sentences_tell_what_there_is() -> None:
    record = ran(**NONE, clip=STEPS, truncate={"steps": 3, "mode": "chunked"})
    cells = [
        cell for table in [*details(record), numbers(record)] for row in table.rows for cell in row
    ]
    assert not any("parameter" in cell or "W_hh)" in cell or "nan" in cell for cell in cells)
    acted = clipping(record)
    assert acted is not None and "acted at" in acted  # not that there were no gradient
    assert not any("truncation" in line or "memory" in line for line in findings(record))
    # where a reader would look for them: that they were left out, and by which key
    left_out = "gradients of the weights: left out (weight_gradients: none)"
    assert left_out in findings(record)
    assert left_out not in findings(ran(truncate={"steps": 3, "mode": "chunked"}))


def test_folder_page_and_comparison(tmp_path: Path) -> None:
    def command(*words: str | Path) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.output

    config = tmp_path / "a.yaml"
    config.write_text(
        "cell: rnn\nhidden_size: 4\nseq_len: 8\nbatch_size: 3\nseeds: 2\nfigures: {dpi: 50}\n",
        encoding="utf-8",
    )
    whole, lean = tmp_path / "whole", tmp_path / "lean"
    command("run", config, "--out", whole)
    command("run", config, "weight_gradients=none", "--out", lean)
    command("report", lean, "--html")
    command("show", lean)
    drawn = {path.name for path in whole.glob("*.png")}
    assert drawn - {path.name for path in lean.glob("*.png")} == {
        "weight_gradient.png",
        "lag_split.png",
    }
    assert "parameter gradient" in command("compare", whole, lean)
    again = tmp_path / "again"
    command("run", lean / "config.yaml", "--out", again)
    assert (again / "record.npz").read_bytes() == (lean / "record.npz").read_bytes()


def test_points_with_and_without_in_one_sweep(tmp_path: Path) -> None:
    sweep = {**SMALL, "sweep": {"weight_gradients": ["all", "none"], "seq_len": [6, 8]}}
    found = gradlab.sweep(sweep, out=tmp_path / "s")
    records = [record for _, record in sorted(found.records(), key=lambda each: each[0])]
    assert [("clip_norm" in record.arrays) for record in records] == [True, True, False, False]
    for whole, lean in zip(records[:2], records[2:], strict=True):
        assert whole.identity != lean.identity
        np.testing.assert_array_equal(lean["grad_norm_h"], whole["grad_norm_h"])


def test_memory_is_spared() -> None:
    """Weights of 64 MiB: the gradients, and a term that is added to them, are as large again."""
    wide = {**SMALL, "cell": "lstm", "hidden_size": 1024, "input_size": 1024, "seeds": 1}
    whole, lean = (settle(from_mapping({**wide, **more}).config)[1] for more in ({}, NONE))
    assert footprint(lean, 1).bytes < 0.8 * footprint(whole, 1).bytes
