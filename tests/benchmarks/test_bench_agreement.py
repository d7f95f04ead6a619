"""The programs that gradlab is measured against, and who says that they agree.

Claims:
- every workload's programs have the same results as gradlab's own run, at a small size;
- a result that is off by a part in a million is told, and so are NaN, another shape, no result;
- of products only what forming them leaves resolved is compared;
- the textbook program's norms are those of a product of matrices, formed by itself.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import material
from benchmarks.agreement import PRODUCT_TOLERANCE, TOLERANCE, differences
from benchmarks.programs import PROGRAMS, REFERENCE, prepared
from benchmarks.workloads import WORKLOADS, Workload, small

PAIRS = [
    (name, w)
    for w in WORKLOADS.values()
    for name, program in PROGRAMS.items()
    if program.takes(w) and program.comparable and name != REFERENCE
]


def there(needs: str) -> bool:
    return not needs or importlib.util.find_spec(needs) is not None


@pytest.mark.parametrize(("name", "w"), PAIRS, ids=[f"{w.name}-{name}" for name, w in PAIRS])
def test_programs_agree(name: str, w: Workload, tmp_path: Path) -> None:
    if not there(PROGRAMS[name].needs):
        pytest.skip(f"{PROGRAMS[name].needs} is not installed")
    sized = small(w)
    material.make(sized, tmp_path)
    reference = prepared(REFERENCE, sized, tmp_path, 1)()
    found = prepared(name, sized, tmp_path, 1)()
    each = differences(found, reference)
    assert set(each) == set(reference)
    assert max(each.values()) <= 1


def test_the_textbook_program_of_a_linear_cell(tmp_path: Path) -> None:
    """dh_t = dh W^(T - t), by repeated squaring instead of step by step."""
    w = small(WORKLOADS["W1"])
    material.make(w, tmp_path)
    given = material.read(tmp_path)
    found = prepared(REFERENCE, w, tmp_path, 1)()["dh"][0]
    W, dh = given["W_hh"][0], given["dh"][0]
    powers = [np.linalg.matrix_power(W, w.T - t) for t in range(w.T + 1)]
    expected = [np.linalg.norm(dh @ power) for power in powers]
    # twenty products of 3 x 3 matrices: 60 roundings of 1e-16, and a condition of about 10
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_a_planted_difference_is_told() -> None:
    exact = {"dh": np.array([1.0, 1e-30, 0.0])}
    assert differences(exact, exact) == {"dh": 0.0}
    assert differences({"dh": exact["dh"] * (1 + 1e-6)}, exact)["dh"] > 1
    assert differences({"dh": exact["dh"] * (1 + TOLERANCE / 2)}, exact)["dh"] < 1
    for wrong in (np.array([1.0, np.nan, 0.0]), np.array([1.0]), np.array([1.0, 1e-30, 1e-300])):
        assert differences({"dh": wrong}, exact)["dh"] == np.inf
    assert differences({"other": exact["dh"]}, exact) == {}


def test_what_is_compared_of_products() -> None:
    exact = {"product": np.array([[1.0, 1e-3, 1e-12]])}
    noise = {"product": np.array([[1.0, 1e-3, 1e-11]])}  # what forming the product leaves
    assert differences(noise, exact)["product"] <= 1
    wrong = {"product": np.array([[1.0, 1e-3 * (1 + 2 * PRODUCT_TOLERANCE), 1e-12]])}
    assert differences(wrong, exact)["product"] > 1
    fewer = {"product": exact["product"][:, :2]}
    assert differences(fewer, exact)["product"] == 0


def test_exact_zeros_agree() -> None:
    zeros = {"dh": np.zeros(3)}
    assert differences(zeros, zeros) == {"dh": 0.0}
