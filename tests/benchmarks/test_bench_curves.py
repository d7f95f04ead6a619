"""The cost curves.

Claims:
- the fitted exponent of an exact power law is its exponent, and the lower sizes do not count;
- every point of every curve is a config that gradlab takes, and changes nothing but its size;
- a curve is measured in processes of their own, its picture and its table are made.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import curves
from benchmarks.curves import CURVES, Curve, Point, config, fit
from gradlab.config import from_mapping, sweep_from_mapping


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_of_a_power_law(power: float) -> None:
    sizes = np.array([2.0, 10.0, 30.0, 100.0, 500.0])
    costs = 3.0 * sizes**power
    # logarithms of numbers up to 1e7: a few roundings of 1e-16 times 16
    assert slope(sizes, costs) == pytest.approx(power, abs=1e-13)
    costs[:2] = 7.0  # what it costs to be there
    assert slope(sizes, costs) == pytest.approx(power, abs=1e-13)


def slope(sizes: np.ndarray, costs: np.ndarray) -> float:
    found = fit(sizes, costs)
    assert found is not None
    assert found[1] == pytest.approx(costs[-3:], rel=1e-12)  # exponentials of logarithms up to 16
    return found[0]


def test_what_is_no_power_law() -> None:
    """Memory that falls where states are no longer all kept."""
    assert fit([1, 2, 4, 8, 16], [1, 2, 4, 1, 2]) is None


@pytest.mark.parametrize("curve", CURVES.values(), ids=list(CURVES))
def test_the_configs_of_a_curve(curve: Curve) -> None:
    each = [config(curve, size) for size in curve.sizes]
    assert list(curve.sizes) == sorted(set(curve.sizes))
    for size, given in zip(curve.sizes, each, strict=True):
        if curve.key == "points":
            assert sweep_from_mapping(given).size == size
            continue
        assert getattr(from_mapping(given).config, curve.key) == size
        assert {**given, curve.key: 0} == {**each[0], curve.key: 0}


def test_measuring_a_curve() -> None:
    """A hundred times the steps take more than twice the time and need more memory."""
    few = (("checkpoint", "none"), ("seeds", 1))
    curve = Curve("steps T", "seq_len", (20, 2000), 1, few)
    first, last = curves.measured(curve, runs=1, most=2)
    assert (first.size, last.size) == (20, 2000)
    assert last.seconds > 2 * first.seconds
    # at least all states and gates of every step: 8 sequences, 32 units, 2 + 4 numbers of 8 bytes
    assert last.memory > 2000 * 8 * 32 * 6 * 8


def test_the_picture_and_the_table(tmp_path: Path) -> None:
    sizes = (10, 100, 1000)
    found = {name: [Point(n, 0.1 * n, 2.0**20 * n**0.5) for n in sizes] for name in CURVES}
    curves.draw(found, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    rows = curves.table(found).splitlines()
    assert len(rows) == 2 + len(CURVES)
    for row, curve in zip(rows[2:], CURVES.values(), strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[:4] == [curve.title, f"{curve.work:g}", "1.00", "0.50"]
        assert cells[4] == "10: 1 s, 3.16 MiB"
