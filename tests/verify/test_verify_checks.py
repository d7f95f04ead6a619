"""The checks of gradlab verify pass. That each of them can fail is in test_verify_planted.

Claims:
- every check passes here, with a worst error that is a number;
- a numerical error that is raised, and a NaN, is a failed check, and the checks after it go on;
- the cases are what they are said to be: saturated, over thousands of decades, rescaled; the
  textbook's numbers are those of the reference; a user's own cell is among those tried.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gradlab.cells import CELLS, rnn
from gradlab.engine.backward import sweep
from gradlab.engine.loss import Injection
from gradlab.errors import GradlabError
from gradlab.runner import run
from gradlab.verify import CHECKS, checks, norms, spectra, textbook, verify
from gradlab.verify.derivatives import OWN, tried
from gradlab.verify.runs import ALL_SPECTRA, local_derivatives, planned, trajectory

REFERENCE = Path(__file__).resolve().parents[1] / "reference/textbook_norms.json"
Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_passes(name: str) -> None:
    (result,) = verify([name])
    assert result.passed and result.error == ""
    assert 0 <= result.worst < math.inf


# what a check may end with


@pytest.mark.parametrize(
    "error",
    [
        np.linalg.LinAlgError("SVD did not converge"),
        FloatingPointError("overflow"),
        GradlabError("init goes beyond the range of float64"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_numerical_error_is_a_failed_check(error: Exception, monkeypatch: Patch) -> None:
    def raising() -> float:
        raise error

    monkeypatch.setitem(checks.CHECKS, "step", CHECKS["step"]._replace(worst=raising))
    failed, other = verify(["step", "vjp"])
    assert not failed.passed and math.isnan(failed.worst)
    assert failed.error == f"{type(error).__name__}: {error}"
    assert other.passed


def test_what_is_not_finite_has_failed(monkeypatch: Patch) -> None:
    monkeypatch.setitem(checks.CHECKS, "step", CHECKS["step"]._replace(worst=lambda: math.nan))
    assert not next(verify(["step"])).passed
    monkeypatch.setattr(rnn, "jacobian", lambda p, loc: np.full((2, 5, 5), np.nan))
    assert not next(verify(["vjp"])).passed


def test_an_unknown_check_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        next(verify(["nothing"]))


# the cases


def test_the_textbook_is_that_of_the_reference() -> None:
    for case in json.loads(REFERENCE.read_text("utf-8"))["cases"]:
        assert textbook.NORMS[case["scale"]] == tuple(map(float, case["norms_mpmath"]))
        assert (case["N"], case["T"], case["seed"]) == (textbook.BATCH, textbook.STEPS, 3)


def test_the_products_span_thousands_of_decades() -> None:
    found = run(planned(**spectra.WIDE, batch_size=1, seeds=1, spectrum=ALL_SPECTRA))
    first = found["log10_product_singular_values"][0, 0, 0]
    assert first[0] - first[-1] > 1000


def test_the_saturated_case_is_saturated() -> None:
    spec = planned(**spectra.SATURATED, batch_size=1, seeds=2)
    slopes = local_derivatives(trajectory(spec)).slope[:, 1]
    smallest = slopes.min(axis=(1, 2))
    assert np.median(smallest) < 1e-15 and smallest.min() < 1e-30
    # the digits hold twice the range of the product, at its widest
    decades = -np.log10(smallest / slopes.max(axis=(1, 2))).sum() + len(slopes) * 2
    assert 2 * decades < spectra.DIGITS


def test_the_plain_loop_is_held_against_exponents_that_moved() -> None:
    shrinking, growing, _ = norms.plain_runs()
    for way, sign in ((shrinking, -1), (growing, 1)):
        loss = Injection(np.ones((1, 7, 3)), frozenset({way.T}))
        exponents = [block.delta.exponent for block in sweep(way, loss)]
        assert (sign * np.concatenate(exponents)).max() > 256
        sizes = np.abs(norms.plain_deltas(way, loss))
        assert np.isfinite(sizes).all() and sizes[sizes > 0].min() > 1e-300


def test_the_long_run_leaves_float_range_on_both_sides() -> None:
    assert norms.FAR * np.log10(norms.GAINS[0]) < -5000
    assert norms.FAR * np.log10(norms.GAINS[1]) > 5000


def test_a_cell_of_a_users_own_is_tried() -> None:
    assert set(tried()) == {*CELLS, OWN.name}
    assert "jacobian" in getattr(tried()[OWN.name], "DERIVATIVES", {})
