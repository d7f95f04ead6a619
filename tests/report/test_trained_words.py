"""What training did, in words and in a table.

Claims:
- one unit, W = w: the gradient at distance T is w^T of it, that of a twin with v is v^T; the factor
  in the sentence is (w/v)^T, the reach 2 ln 10 / |ln w|, the edge 1/w;
- each outcome has its sentence, and what is not known is not told;
- the table of the gates is the mean over layers as the summary has it, of gated cells of a file;
- terminal and report.md say the same.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.comparison import twin
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member
from gradlab.engine.recording import SATURATED
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.report import markdown, trained
from gradlab.report.tables import details, gates
from gradlab.report.terminal import console, show
from gradlab.report.words import plain, power
from tests.weights.state_dicts import Made

T = 12
SMALL: dict[str, Any] = {"seq_len": T, "batch_size": 2, "spectrum": "none", "seeds": 2}


def config(folder: Path, arrays: dict[str, Any], **more: Any) -> dict[str, Any]:
    np.savez(folder / "w.npz", **arrays)
    init = {"file": str(folder / "w.npz"), **more.pop("init", {})}
    return {**SMALL, "init": init, **more}


def one_unit(folder: Path, w: float, **more: Any) -> dict[str, Any]:
    arrays = {"weight_hh": np.array([[w]]), "weight_ih": np.ones((1, 1))}
    return config(folder, arrays, cell="linear", **more)


def said(settings: dict[str, Any]) -> list[str]:
    return trained.sentences(gradlab.run(settings))


@pytest.mark.parametrize("w", [0.3, 0.9, 1.0, 2.5])
def test_the_numbers_of_one_unit(w: float, tmp_path: Path) -> None:
    settings = one_unit(tmp_path, w, seeds=1)
    spec = twin(settle(from_mapping(settings).config)[1])
    v = float(Drawing([Member(0, spec, 0)]).weights(0)["weight_hh"].squeeze())
    factor = power(T * math.log10(w / abs(v)))
    far = f"Trained: a gradient {T} steps back is {factor} times what"
    wanted = [
        f"{far} freshly drawn weights of the same scale leave.",
        f"weight_scale {plain(1 / w)} would bring it to the edge.",
    ]
    lines = said(settings)
    assert lines[-2:] == wanted
    reach = plain(2 * math.log(10) / abs(math.log(w))) if w != 1 else ""
    assert (
        lines[:-2]
        == {
            0.3: [f"Reach: 1 % of the gradient is left {reach} steps back."],
            0.9: [f"Reach: more than 1 % of the gradient is left {T} steps back."],  # 0.9^12 = 0.28
            1.0: [],
            2.5: [f"Reach: it is 100 times as large {reach} steps back."],
        }[w]
    )


def test_a_step_is_one(tmp_path: Path) -> None:
    """W = 0: nothing is left one step back."""
    lines = said(one_unit(tmp_path, 0.0))
    assert lines[0] == "Reach: 1 % of the gradient is left 1 step back."
    assert lines[1].startswith("No weight_scale was found that brings it to the edge: the growth")
    assert len(lines) == 2  # zero in relation to zero is no number


def test_what_leaves_float_range_is_told(tmp_path: Path) -> None:
    lines = said(one_unit(tmp_path, 1e200))
    assert lines[0] == "Trained: with freshly drawn weights of the same scale the states overflow."


def test_fresh_weights_that_leave_nothing(tmp_path: Path) -> None:
    """h_1 = 1, h_2 = relu(w + 1): a draw below -1, one of three at std 3, ends the unit."""
    arrays = {"weight_hh": np.full((1, 1), 3.0), "weight_ih": np.zeros((1, 1)),
              "bias_ih": np.ones(1)}  # fmt: skip
    lines = said(config(tmp_path, arrays, cell={"type": "rnn", "activation": "relu"}, seeds=8))
    wanted = f"Trained: a gradient {T} steps back is {power(T * math.log10(3))} of it; freshly "
    assert lines[1] == wanted + "drawn weights of the same scale leave nothing in some seed."


def test_a_sum_over_several_steps_has_no_reach(tmp_path: Path) -> None:
    (line,) = said(one_unit(tmp_path, 0.5, loss={"at": "all"}))
    assert "several steps" in line


def test_without_comparison_the_reach_alone(tmp_path: Path) -> None:
    (line,) = said(one_unit(tmp_path, 0.3, init={"compare": False}))
    assert line.startswith("Reach: 1 %")
    assert said({**SMALL, "cell": "linear", "hidden_size": 2}) == []


def test_seeds_that_differ_leave_the_edge_open(tmp_path: Path) -> None:
    record = gradlab.run(config(tmp_path, Made("gru", 4, 3).arrays(), seeds=3))
    edge = record.summary["trained"]["edge"]
    ends = f"({plain(edge['low'])} to {plain(edge['high'])})"
    line = trained.sentences(record)[-1]
    assert line == f"weight_scale {plain(edge['weight_scale'])} {ends} would bring it to the edge."


@pytest.mark.parametrize("made", [Made("lstm", 4, 3), Made("gru", 4, 3, layers=2)], ids=str)
def test_the_table_of_the_gates(made: Made, tmp_path: Path) -> None:
    settings = config(tmp_path, made.arrays())
    record = gradlab.run(settings)
    table = gates(record)
    names = {"lstm": "ifgo", "gru": "rzn"}[made.kind]
    wanted = [f"{gate}_l{k}" if made.layers > 1 else gate for k in range(made.layers)
              for gate in names]  # fmt: skip
    assert [row[0] for row in table.rows] == wanted
    for name, value, slope, saturated in table.rows:
        index = wanted.index(name)
        # (R, N, readings): the same means, taken here over all at once
        assert value == plain(float(record["gate_mean"][:, 1:, index].mean()))
        assert slope == plain(float(record["gate_slope"][:, 1:, index].mean()))
        share = float(record["gate_saturation"][:, 1:, index].mean())
        shown = float(saturated.removesuffix(" %"))
        assert shown == pytest.approx(100 * share, abs=0.5)  # told in whole per cents, or finer
    assert str(SATURATED) in table.notes[0]


def test_where_there_are_no_gates_there_is_no_table(tmp_path: Path) -> None:
    for made in (Made("rnn", 4, 3), Made("rnn", 4, 3, layers=2)):
        assert gates(gradlab.run(config(tmp_path, made.arrays()))).rows == ()
    assert gates(gradlab.run({**SMALL, "cell": "lstm", "hidden_size": 3})).rows == ()


def test_terminal_and_report_say_it(tmp_path: Path) -> None:
    record: Record = gradlab.run(config(tmp_path, Made("lstm", 4, 3).arrays()))
    out = io.StringIO()
    show(record, console(out))
    text = markdown.report(record, "w", ())
    assert len(trained.sentences(record)) >= 2
    for sentence in trained.sentences(record):
        assert sentence in " ".join(out.getvalue().split())  # it is as wide as a terminal
        assert markdown.escape(sentence) in text
    table = details(record)[0]
    assert table.title in out.getvalue()
    assert table.title in text
