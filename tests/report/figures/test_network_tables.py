"""Tables and words about layers, directions, lags, truncation, losses and factors.

Claims:
- norms by tensor are medians over seeds; the output layer's weights have their remark;
- the table by lag holds the record's medians at the lags that there are;
- what a summary has is told, in the page as on the terminal, and nothing where it has none;
- every kind of network fits into eighty columns.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from figure_records import CASES, NETWORKS, overflowed, record
from network_records import older

from gradlab.report import lags, markdown, words
from gradlab.report.tables import (
    OWN_STEP,
    details,
    experiment,
    lag_split,
    norms_by_lag,
    norms_by_tensor,
    numbers,
    rates,
)
from gradlab.report.terminal import console, show


def shown(case: str) -> str:
    file = io.StringIO()
    show(record(case), console(file))
    return file.getvalue()


def test_norms_by_tensor_are_medians() -> None:
    source = record("lstm")
    table = norms_by_tensor(source)
    assert table.header == ("tensor", "|dL/d(tensor)|", "min", "max")
    assert [row[0] for row in table.rows] == source.names["tensors"]
    norms = 10.0 ** source["log10_parameter_grad_norm"]
    for k, row in enumerate(table.rows):
        told = [float(cell) for cell in row[1:]]
        column = norms[:, k]
        expected = [np.median(column), column.min(), column.max()]
        assert told == pytest.approx(expected, rel=0.006)
    assert table.notes == ()
    assert len(norms_by_tensor(record("one seed")).header) == 2
    assert norms_by_tensor(record("output layer")).notes == (OWN_STEP,)


def test_the_split_by_lag() -> None:
    source = record("short memory")
    table = lag_split(source)
    assert table.header[1] == "part/whole"
    assert [row[0] for row in table.rows] == ["0", "1", "2", "5", "10", "20", "29"]
    for row in table.rows:
        k = int(row[0])
        part = 10 ** np.median(lags.relative(source)[:, k])
        assert float(row[1]) == pytest.approx(part, rel=0.06)  # two digits of small ones
        rest = np.median(source["lag_remainder"][:, k])
        assert float(row[2]) == pytest.approx(rest, rel=0.006, abs=1e-12)
        assert float(row[3]) == pytest.approx(np.median(source["lag_cosine"][:, k]), rel=0.006)
    assert lag_split(record("truncated")).header[1] == "part/whole"
    assert lag_split(older(record("rnn"))).rows == ()


def test_rates_by_layer_and_direction() -> None:
    source = record("three layers")
    rows = rates(source, "layers_rates", "layer").rows
    assert rows[0] == ("layer 1", "vanishing", "-0.23")
    assert [row[0] for row in rates(record("both directions"), "directions", "direction").rows] == [
        "forward",
        "backward",
    ]
    lost = {"backward": {"verdict": "undecided", "growth_rate": None}}
    odd = replace(source, summary=source.summary | {"directions": lost})
    assert rates(odd, "directions", "direction").rows == (("backward", "undecided", "-"),)


def test_rates_of_layers_that_read_both_ways() -> None:
    tables = {table.title: table for table in details(record("layers both ways"))}
    assert tables["Growth rate by direction, last layer"].rows[0][0] == "forward"
    for of in ("forward", "backward"):
        table = tables[f"Growth rate by layer, {of} direction"]
        assert [row[0] for row in table.rows] == ["1", "2"]
        assert table.rows[0][1:] == ("undecided", "-")  # from both ends
        assert table.rows[1][2] != "-"
        assert "several steps" in table.notes[0]
    source = record("layers both ways from the middle")
    table = rates(source, "layers_rates", "layer")
    assert all(row[2] != "-" for row in table.rows)
    assert table.notes == ()


TOLD = {
    "layers both ways": "(forward direction, last layer): ",
    "short memory": "memory: 95 % of dL/dW_hh comes from the 9 steps up to the loss",
    "memory of a step": "memory: 95 % of dL/dW_hh comes from the step of the loss itself",
    "no recurrent matrix": "memory: 95 % of dL/dW_ih comes from the 6 steps up to the loss",
    "truncated": "truncation (sliding, 10 steps): loses 10 % of dL/dW_hh;",
    "chunks": "truncation (chunked, 7 steps): loses 48 % of dL/dW_hh;",
    "factors between": "the texts' claim, basically 0 or 1, does not hold",
    "factors at the ends": "the texts' claim, basically 0 or 1, holds",
    "output layer": "loss (cross entropy): 3.21",
    "both directions": "vanishing (forward direction): ",
    "deep net": "the gradient halves every 0.932 layers; after 30 layers",
}


@pytest.mark.parametrize("case", TOLD)
def test_what_there_is_is_told_on_the_page_and_on_the_terminal(case: str) -> None:
    assert TOLD[case] in " ".join(shown(case).split())
    page = markdown.report(record(case), case, [])
    assert markdown.escape(TOLD[case]) in page
    for table in details(record(case)):
        assert markdown.render(table) in page
        assert table.title in shown(case)


def test_numbers_of_what_there_is() -> None:
    rows = dict(numbers(record("truncated")).rows)
    assert rows["truncation loses of dL/dW_hh, in norm"] == "10 %"
    assert rows["memory horizon (95 % of dL/dW_hh), steps"] == "14"
    rows = dict(numbers(record("factors at the ends")).rows)
    assert rows["the claim that they are basically 0 or 1"] == "holds"
    assert dict(numbers(record("output layer")).rows)["loss"] == "3.21"
    assert "half-life, layers" in dict(numbers(record("deep net")).rows)
    plain = dict(numbers(older(record("rnn"))).rows)
    assert not any(word in key for key in plain for word in ("memory", "truncation", "loss", "0.1"))


def test_nothing_is_told_of_what_there_is_not() -> None:
    for case in CASES:
        source = older(record(case))
        assert words.findings(source) == []
        titles = [table.title.split(",")[0] for table in details(source)]
        assert [title for title in titles if title != "Theory"] == ["Gradient norms by tensor"]
    assert [table.title.split(",")[0] for table in details(overflowed())] == ["Theory"]


def test_the_experiment_names_the_network() -> None:
    assert experiment(record("three layers")).startswith("lstm, 3 layers, H=6 ")
    assert ", residual blocks of 2, own weights at every step, " in experiment(
        record("deep net that learns")
    )
    assert ", encoder 20 + decoder 10 steps, " in experiment(record("encoder, decoder"))
    assert ", truncated after 10 steps (sliding), " in experiment(record("truncated"))
    assert norms_by_lag(record("deep net")).header[0] == "layers back"


@pytest.mark.parametrize("case", NETWORKS)
def test_every_network_fits_into_eighty_columns(case: str) -> None:
    assert max(map(len, shown(case).splitlines())) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (1e-7, "1.0e-5 %"),
        (0.00594, "0.6 %"),
        (0.0096, "1 %"),
        (0.124, "12 %"),
        (1.3, "130 %"),
        (2.5e7, "2.5e+7 times"),
    ],
)
def test_shares_are_short(value: float, text: str) -> None:
    assert words.share(value) == text
