"""`gradlab compare`: results held against the first.

Claims:
- the differences of the configs are the keys that differ, no more, and their values;
- of a linear cell with W = g Q the growth rate is ln g and what is left after k steps g^k: the
  numbers, the table by lag and the curves of the comparison are those;
- the spread of a difference is the root of the sum of the squares; a result against itself differs
  by nothing, and order changes the sign alone;
- what means another thing for another verdict has no difference;
- the same cells in the terminal (80 columns), in Markdown and HTML; JSON holds every digit;
- a point of a sweep is a result; what cannot be compared is refused, with nothing written.
"""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_folders import run, sweep

import gradlab
from gradlab.record import Record
from gradlab.report import markdown
from gradlab.report.beside import Compared, differing, overlaid, quantities, shown
from gradlab.report.beside.quantities import QUANTITIES
from gradlab.report.terminal import console
from tests.cli.commands import command, refused

LENGTH = 20
EXACT: dict[str, Any] = {"cell": "linear", "init": "orthogonal", "inputs": "zeros"}
EXACT |= {"hidden_size": 4, "batch_size": 2, "seq_len": LENGTH, "seeds": 3}


def record(**config: Any) -> Record:
    return gradlab.run({**EXACT, "spectrum": "none", **config})


def beside(*records: Record) -> list[Compared]:
    return [Compared("ABCDEFGH"[k], f"results/r{k}", one) for k, one in enumerate(records)]


def quantity(name: str) -> quantities.Quantity:
    (found,) = [one for one in QUANTITIES if ".".join(one.path) == name]
    return found


# ---------------------------------------------------------------- configs


def test_the_keys_that_differ_and_no_others() -> None:
    first = record()
    second = record(weight_scale=0.5, seeds=[4, 7], clip=2.0, name="other", figures="none")
    assert differing.differing(beside(first, second)) == {
        "weight_scale": [1.0, 0.5],
        "seeds": [[0, 1, 2], [4, 7]],
        "clip.threshold": [None, 2.0],
        "clip.by": [None, "global_norm"],
    }
    rows = differing.table(beside(first, second)).rows
    assert ("seeds", "0 .. 2", "4, 7") in rows and ("clip.threshold", "-", "2.0") in rows


def test_the_same_config_differs_in_nothing() -> None:
    same = beside(record(), record(name="another name"))
    assert differing.differing(same) == {}
    assert differing.SAME in shown.as_markdown(same) and differing.SAME in shown.as_html(same)


def test_one_of_three_is_enough() -> None:
    found = differing.differing(beside(record(), record(), record(batch_size=5)))
    assert found == {"batch_size": [2, 2, 5]}


def test_different_versions_are_said() -> None:
    old = replace(record(), version="0.0.9")
    (line,) = differing.versions(beside(record(), old))
    assert "B 0.0.9" in line
    assert differing.versions(beside(old, old)) == []


# ---------------------------------------------------------------- numbers

SCALES = (0.5, 0.9, 1.1)


@pytest.fixture(scope="module")
def exact() -> list[Compared]:
    return beside(*(record(weight_scale=g) for g in SCALES))


def test_closed_forms(exact: list[Compared]) -> None:
    """ln g per step, g^T left; 1e-12: T steps of products with orthogonal matrices round 1e-15
    each, and the slope is over T of them."""
    first, *others = exact
    for other, g in zip(others, SCALES[1:], strict=True):
        off = quantities.difference(first, other, quantity("growth_rate.mean"))
        assert off == pytest.approx(math.log(g / SCALES[0]), abs=1e-12)
        left = quantities.difference(first, other, quantity("log10_remaining"))
        assert left == pytest.approx(LENGTH * math.log10(g / SCALES[0]), abs=1e-12)
        sigma = quantities.difference(first, other, quantity("sigma_max"))
        assert sigma == pytest.approx(g - SCALES[0], abs=1e-12)


def test_what_is_left_by_lag_is_a_power_of_g(exact: list[Compared]) -> None:
    for one, g in zip(exact, SCALES, strict=True):
        curve = overlaid.left(one)
        assert curve.t.tolist() == list(range(LENGTH + 1))
        for values in (curve.median, curve.low, curve.high):
            assert values == pytest.approx(curve.t * math.log10(g), abs=1e-12)
    for lag, *cells in overlaid.table(exact).rows:
        for cell, g in zip(cells, SCALES, strict=True):
            assert float(cell) == pytest.approx(g ** int(lag), rel=0.06)  # two digits from 1e-4 on
    assert overlaid.table(exact).rows[-1][0] == f"{LENGTH}"


def test_lengths_may_differ() -> None:
    both = beside(record(weight_scale=0.5), record(weight_scale=0.5, seq_len=8))
    rows = {row[0]: row[1:] for row in overlaid.table(both).rows}
    assert rows["8"][0] == rows["8"][1] == "0.00391"  # 2^-8 = 0.00390625
    assert rows["20"][1] == "-" != rows["20"][0]
    assert sorted(map(int, rows)) == [1, 2, 5, 8, 10, 20]


def test_order_changes_the_sign_alone_and_itself_is_nothing() -> None:
    one, other = beside(gradlab.run({**EXACT, "cell": "rnn", "inputs": "normal"}), record())
    for wanted in QUANTITIES:
        there, back = (
            quantities.difference(one, other, wanted),
            quantities.difference(other, one, wanted),
        )
        assert there == (None if back is None else -back)
        assert quantities.difference(one, one, wanted) in (None, 0.0)
    assert quantities.half_width(one, other) == quantities.half_width(other, one)


def test_spreads_add_in_squares() -> None:
    """Half widths 0.03 and 0.04 make 0.05: 3, 4, 5."""
    first, second = (_with_rate(mean, half) for mean, half in ((0.1, 0.03), (0.2, 0.04)))
    both = beside(first, second)
    assert quantities.half_width(*both) == pytest.approx(0.05, rel=1e-12)  # a few roundings
    (table,) = quantities.tables(both)
    (row,) = [row for row in table.rows if row[0].startswith("growth rate, nats")]
    assert row[1:] == ("+0.1 +- 0.03", "+0.2 +- 0.04", "+0.1 +- 0.05")
    assert "tell" not in quantities.sentences(both)[0]
    near = beside(first, _with_rate(0.14, 0.04))
    assert "do not tell them apart" in quantities.sentences(near)[0]


def _with_rate(mean: float, half: float) -> Record:
    rate = {"mean": mean, "std": half, "low": mean - half, "high": mean + half}
    source = record()
    return replace(source, summary=source.summary | {"growth_rate": rate})


def test_a_horizon_of_growth_is_not_held_against_one_of_decay() -> None:
    down, up = beside(record(weight_scale=0.5), record(weight_scale=2.0))
    wanted = quantity("horizon")
    assert quantities.value(down, wanted) is not None is not quantities.value(up, wanted)
    assert quantities.difference(down, up, wanted) is None


def test_results_without_a_gradient() -> None:
    """An overflow, and weights of zero: there are no numbers, and no exception."""
    lost = gradlab.run({**EXACT, "weight_scale": 1e300, "inputs": "normal"})
    dead = record(init="zeros")
    compared = beside(lost, dead, record())
    assert not overlaid.applies(beside(lost))
    assert "no gradient" in overlaid.rendered(compared, "svg").decode()
    for made in (shown.as_html(compared), shown.as_markdown(compared)):
        assert "OVERFLOW" in made
    json.dumps(shown.as_data(compared), allow_nan=False)
    shown.in_terminal(beside(lost, lost), console(io.StringIO()))


# ---------------------------------------------------------------- renderings


@pytest.mark.parametrize("count", [2, 3, 8])
def test_eighty_columns_and_the_same_cells_everywhere(count: int) -> None:
    compared = beside(*(record(weight_scale=0.5 + 0.25 * k) for k in range(count)))
    out = io.StringIO()
    shown.in_terminal(compared, console(out))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    markup, page = shown.as_markdown(compared), shown.as_html(compared)
    every = [differing.table(compared), *quantities.tables(compared), overlaid.table(compared)]
    for table in every:
        for row in table.rows:
            assert "| " + " | ".join(map(markdown.escape, row)) + " |" in markup
            cells = "".join(f"<td>{cell}</td>" for cell in row[1:])
            assert f'<th scope="row">{row[0]}</th>{cells}' in page
            words = r"\s+".join(map(re.escape, " ".join(row).split()))
            assert count > 3 or re.search(words, out.getvalue())  # eight columns wrap
    heads = [head for table in every[1:-1] for head in table.header[1:]]
    letters = [one.letter for one in compared]
    assert heads == [*letters, *(f"{letter} - A" for letter in letters[1:])]


def test_curves_share_one_scale() -> None:
    """Of 2^-k and 4^-k the lowest block is only in the second, and the first falls half as far."""
    out = io.StringIO()
    shown.in_terminal(beside(record(weight_scale=0.5), record(weight_scale=0.25)), console(out))
    lines = [line for line in out.getvalue().splitlines() if re.match(r"[AB]  \S+$", line)]
    a, b = (line[3:] for line in lines[-2:])
    marks = sorted(set(a) | set(b), key="_.-:=+*#▁▂▃▄▅▆▇█".index)
    assert len(a) == len(b) == LENGTH + 1
    assert a[0] == b[0] == marks[-1] and b[-1] == marks[0]
    assert marks.index(a[-1]) in (3, 4)  # of eight heights, the middle


def test_the_figure_is_the_same_each_time_and_no_mathematics() -> None:
    odd = [replace(one, label=r"$\frac{$ &<x>") for one in beside(record(), record())]
    for form in ("png", "svg", "pdf"):
        assert overlaid.rendered(odd, form, 50) == overlaid.rendered(odd, form, 50)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside")
    run(folder / "a", **EXACT | {"figures": "none"}, weight_scale=0.5)
    run(folder / "b", **EXACT | {"figures": "none"}, weight_scale=2.0)
    sweep(folder / "s", figures="none")
    return folder


def test_json_holds_every_digit(root: Path) -> None:
    found = json.loads(command("compare", root / "a", root / "b", "--json").stdout)
    rates = [
        json.loads((root / n / "summary.json").read_text("utf-8"))["growth_rate"]["mean"]
        for n in "ab"
    ]
    assert found["numbers"]["growth_rate.mean"]["values"] == rates
    assert found["numbers"]["growth_rate.mean"]["differences"] == [None, rates[1] - rates[0]]
    assert found["config"] == {"weight_scale": [0.5, 2.0]}
    assert [one["verdict"] for one in found["results"]] == ["vanishing", "exploding"]


def test_forms_and_files(root: Path, tmp_path: Path) -> None:
    both = (root / "a", root / "b")
    assert command("compare", *both).stdout.startswith("A  ")
    printed = command("compare", *both, "--html").stdout
    for suffix in (".md", ".html", ".json", ".png", ".svg", ".pdf"):
        done = command("compare", *both, "-o", tmp_path / f"out{suffix}")
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / f"out{suffix}").stat().st_size > 100
    assert (tmp_path / "out.html").read_text("utf-8") == printed
    assert "](<out.png>)" in (tmp_path / "out.md").read_text("utf-8")
    assert "](<" not in command("compare", *both, "--markdown").stdout


def test_a_point_of_a_sweep_is_a_result(root: Path) -> None:
    points = [f"{root / 's'}@weight_scale={g},seq_len=9" for g in (0.5, 3)]
    found = json.loads(command("compare", *points, "--json").stdout)
    assert found["config"] == {"weight_scale": [0.5, 3.0]}
    alone = gradlab.load(root / "s").record(weight_scale=3.0, seq_len=9)  # type: ignore[union-attr]
    assert found["results"][1]["identity"] == alone.identity


def test_what_cannot_be_compared_is_refused(root: Path, tmp_path: Path) -> None:
    a, s = root / "a", root / "s"
    refused(command("compare", a), "1 result given; compare takes 2 to 8")
    refused(command("compare", *[a] * 9), "9 results given")
    refused(command("compare", a, root / "nowhere"), "there is no results folder")
    refused(command("compare", a, s), f"{s}@weight_scale=...,seq_len=...")
    refused(command("compare", a, f"{s}@weight_scale=7"), "no point has weight_scale=7")
    refused(command("compare", a, f"{s}@weight_scale"), "a point of a sweep is KEY=VALUE,...")
    refused(command("compare", a, a, "--json", "--html"), "give one of")
    refused(command("compare", a, a, "-o", tmp_path / "x.gif"), "ends in one of: .md")
    assert list(tmp_path.iterdir()) == []


def test_median_over_seeds_is_that_of_ratios() -> None:
    """Seeds whose gradients begin at other norms: what is left is known of each seed by itself."""
    source = gradlab.run({**EXACT, "cell": "rnn", "inputs": "normal", "loss": "mse", "seeds": 5})
    curve = overlaid.left(beside(source)[0])
    norms = source["grad_norm_h"]
    expected = np.median(norms / norms[:, [-1]], axis=0)[::-1]
    assert len(np.unique(norms[:, -1])) == 5
    assert 10**curve.median == pytest.approx(expected, rel=1e-12)  # a logarithm and back
