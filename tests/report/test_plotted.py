"""Plots of characters, as `gradlab show` prints them.

Claims:
- a straight line is a straight line of dots, from the lowest row at one end to the highest at the
  other; what is constant is level; zeros are gaps, and a single step is drawn;
- every line fits into 80 columns, whatever the numbers, and into fewer where there are fewer;
- the spectrum is of the exponents where there are any, else of W_hh, of which an orthogonal one is
  level; without a recurrent matrix there is none; what overflowed in some seeds is of the others;
- piped there is no colour and the dots are the same; without Unicode the curve is a line of ASCII;
- plotille is loaded by `gradlab show` alone.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import gradlab
from gradlab.record import Record
from gradlab.report import plotted, terminal
from tests.report.figures.network_records import added

SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 60, "seeds": 2}
NORMS: dict[str, Any] = {**SMALL, "spectrum": "none", "gate_histogram": False}
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # rows and columns of a character


def run(**keys: Any) -> Record:
    return gradlab.run({"cell": "rnn", **NORMS, **keys})


def dots(lines: list[str]) -> np.ndarray:
    """The field as dots, [row, column] from above."""
    field = [line.partition(" |")[2][1:].ljust(plotted.WIDTH) for line in lines[1:-2]]
    codes = [[max(ord(mark) - 0x2800, 0) for mark in line[: plotted.WIDTH]] for line in field]
    found = np.zeros((4 * len(codes), 2 * plotted.WIDTH), bool)
    for k, pair in enumerate(DOTS):
        for j, bit in enumerate(pair):
            found[k::4, j::2] = np.array(codes) & bit > 0
    return found


def curve(values: np.ndarray) -> plotted.Plot | None:
    source = run()
    return plotted.gradient(added(source, {"log10_grad_norm_h": np.stack([values] * 2)}))


@pytest.mark.parametrize("slope", [1.0, -1.0, 1e-3, -40.0])
def test_a_straight_line_is_straight(slope: float) -> None:
    plot = curve(slope * np.arange(61.0))
    assert plot is not None
    found = dots(plot.lines)
    rows, columns = np.nonzero(found)
    assert set(columns) >= set(range(2 * plotted.WIDTH))  # no gap
    a, b = np.polyfit(columns, -rows, 1)
    # a dot is at most one off: the line is rounded to rows, its ends to columns
    assert np.abs(-rows - (a * columns + b)).max() <= 1.0
    if abs(slope) < 0.01:
        assert np.ptp(rows) <= 0.06 * 4 * plotted.HEIGHT + 1  # 0.06 of a field of one decade
    else:
        assert np.sign(a) == np.sign(slope)
        assert np.ptp(rows) >= 4 * (plotted.HEIGHT - 1)


def test_zeros_are_a_gap_and_a_single_step_is_drawn() -> None:
    values = np.arange(61.0)
    values[20:40] = -np.inf
    plot = curve(values)
    assert plot is not None
    empty = ~dots(plot.lines).any(axis=0)
    width = 2 * plotted.WIDTH
    assert empty[int(0.36 * width) : int(0.62 * width)].all()
    assert not empty[: int(0.3 * width)].any()
    assert curve(np.full(61, -np.inf)) is None
    assert plotted.plots(run(seq_len=1))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 30.0])
def test_every_line_fits(scale: float) -> None:
    for keys in ({"cell": "lstm", "spectrum": {"lyapunov": True}}, {"cell": "linear"}):
        found = plotted.plots(run(**{"seq_len": 300, "weight_scale": scale, **keys}))
        assert found  # of the linear cell at 30 there is no gradient
        for plot in found:
            assert max(map(len, [plot.title, *plot.lines])) <= 80


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 200])
def test_a_terminal_of_other_width_has_whole_lines(columns: int) -> None:
    source = run(seq_len=300)
    for plot in plotted.plots(source, columns):
        assert max(map(len, plot.lines)) <= min(columns, 80)
        assert len(plot.lines) == plotted.HEIGHT + 4


def test_which_spectrum() -> None:
    exponents = plotted.spectrum(run(spectrum={"lyapunov": True}))
    assert exponents is not None
    assert exponents.title == "Lyapunov exponents, nats per step, the largest first"
    weights = plotted.spectrum(run(cell="linear", init="orthogonal", weight_scale=0.5))
    assert weights is not None
    assert weights.title == "singular values of W_hh, the largest first"
    assert len(np.flatnonzero(dots(weights.lines).any(axis=1))) == 1  # all are 0.5
    assert plotted.spectrum(run(cell="accumulator")) is None


def test_some_seeds_overflow() -> None:
    relu = {"type": "rnn", "activation": "relu"}
    keys = {"cell": relu, "weight_scale": 2.6, "seq_len": 1500, "seeds": 6}
    source = run(**keys)
    alive = int((source["overflow_step"] == 0).sum())
    assert 0 < alive < 6
    plot = plotted.gradient(source)
    assert plot is not None
    assert (f"median of {alive} seeds" if alive > 1 else "one seed") in plot.title


def shown(source: Record, encoding: str, colour: bool = False) -> str:
    """What show prints, where the stream has this encoding."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    system = "truecolor" if colour else None
    out = Console(file=file, width=80, force_terminal=colour, color_system=system, highlight=False)  # type: ignore[arg-type]
    terminal.show(source, out, plots=True)
    file.flush()
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_colour_adds_nothing_but_colour() -> None:
    source = run()
    plain, coloured = shown(source, "utf-8"), shown(source, "utf-8", colour=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    (plot, *_) = plotted.plots(source)
    for line in plot.lines:
        assert line in plain
    drawn = [line for line in plot.lines if line.strip()]
    assert all(line.strip() in coloured for line in drawn)


def test_without_unicode_it_is_one_line() -> None:
    text = shown(run(), "ascii")
    assert text.isascii()
    assert "log |dL/dh_t|  t=0 " in text


def test_without_the_plotter_it_is_one_line_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text = shown(run(), "utf-8")
    assert "log |dL/dh_t|  t=0 " in text
    assert "pip install 'gradlab-rnn[terminal]'" in text


def test_only_show_loads_the_plotter(tmp_path: Path) -> None:
    gradlab.run({"cell": "rnn", **NORMS, "figures": "none"}, out=tmp_path / "a")
    code = (
        "import sys\nfrom gradlab.cli import main\nsys.argv = ['gradlab', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('plotille' in sys.modules, 'matplotlib' in sys.modules)"
    )
    for command, loaded in ((["show"], "True False"), (["show", "--json"], "False False")):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *command, str(tmp_path / "a")],
            capture_output=True,
            encoding="utf-8",
            check=True,
            env={"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(Path(gradlab.__file__).parents[1])},
        )
        assert done.stdout.splitlines()[-1] == loaded
