"""The largest singular value of a matrix from traces of powers of A^T A.

Claims:
- A value that is accepted is right: SLACK / 2 + n (n + 1) eps / 2, against closed forms and against
  LAPACK, for equal values, nearly equal ones, rank one, zero, orthogonal times diagonal, any scale;
  for every matrix of random steps.
- The bounds hold for any matrix: what they say of an eigenvalue is never above it, and nothing
  between them is accepted. Where the powers do not tell the value is LAPACK's.
- What is met at which power follows from the second value in a closed form.
- D W, from W W^T, is the matrix that it stands for, also where W W^T leaves the range of a double.
- inf and NaN give NaN, and no neighbour another bit; nor does any company.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.engine import powers
from gradlab.engine.powers import SLACK, largest_values, largest_values_of_rows
from gradlab.nonlinearity import Array, tanh_slope
from tests.engine.matrices import MATRICES, random, rotations, with_values


def proved_within(n: int) -> float:
    """The bound of the module, and n eps for LAPACK or the matrix where that is the judge."""
    return SLACK / 2 + (n * (n + 1) / 2 + n) * float(np.finfo(float).eps)


SCALED = MATRICES | {
    "huge": (1e300 * with_values([7, 6, 5, 4]), 7e300),
    "tiny": (1e-300 * with_values([7, 6, 5, 4]), 7e-300),
    "huge and rank one": (1e300 * with_values([7, 0, 0, 0]), 7e300),
    "at the end of the range": (with_values([1, 0.5, 0.25]) * 1.7e308, 1.7e308),
    "the least number": (np.ldexp(np.eye(3), -1074)[None], 2.0**-1074),
    "tiny entries beside one": (np.diag([3.0, 1e-200, 1e-300, 0])[None], 3.0),
}


@pytest.mark.parametrize("name", SCALED)
def test_against_closed_forms(name: str) -> None:
    A, sigma = SCALED[name]
    found = largest_values(A).sigma
    # the matrices themselves are right to a few eps
    assert np.abs(found - sigma).max() <= 2 * proved_within(A.shape[-1]) * sigma


def test_orthogonal_times_diagonal() -> None:
    d = np.exp(2 * random(40, 24))
    found = largest_values(rotations(40, 24) * d[:, None, :])
    assert np.abs(found.sigma / d.max(axis=1) - 1).max() < 2 * proved_within(24)


@pytest.mark.parametrize("n", [2, 3, 8, 32, 64])
def test_random_steps_against_lapack(n: int) -> None:
    """Saturated and not; wide and narrow gaps: every one."""
    gain = np.geomspace(0.1, 5, 60)[:, None, None]
    A = tanh_slope(3 * random(60, n, 1, seed=3)) * gain / np.sqrt(n) * random(60, n, n)
    expected = np.linalg.svd(A, compute_uv=False)[:, 0]
    found = largest_values(A)
    assert np.abs(found.sigma / expected - 1).max() < proved_within(n)
    assert found.proved.mean() > 0.9  # a path that is never taken proves nothing here


@pytest.mark.parametrize("n", [32, 64])
def test_positive_entries_do_not_leave_the_float_range(n: int) -> None:
    """c ones (n, n) has one value, c n: its 1024th power would be up to 2^6144. Nothing warns, and
    there is a proof.
    """
    c = np.array([0.51, 0.75, 0.999])
    found = largest_values(c[:, None, None] * np.ones((3, n, n)))
    assert found.proved.all()
    assert np.abs(found.sigma / (c * n) - 1).max() < proved_within(n)


def power_needed(ratio: float) -> int:
    """The least power of two p >= 64 at which two values, 1 and r of G, are told apart: the bounds
    are then 1 and sqrt(1 + r^2p), so r^2p / 2 <= p SLACK.
    """
    p = 64
    while ratio ** (2 * p) / 2 > p * SLACK:
        p *= 2
    return p


@pytest.mark.parametrize("ratio", [0.5, 0.8, 0.84, 0.9, 0.93, 0.96, 0.98, 0.985, 0.995, 1.0])
def test_at_which_power_two_values_are_told_apart(
    ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sigma = (1, sqrt r): on the diagonal, so that there is no rounding but of r."""
    met = []
    bounds = powers._bounds

    def told(S: Array, p: int) -> object:
        met.append(p)
        return bounds(S, p)

    monkeypatch.setattr(powers, "_bounds", told)
    found = largest_values(np.diag([1.0, np.sqrt(ratio)])[None])
    assert np.abs(found.sigma - 1) <= SLACK / 2 + 1e-15  # a few roundings of roots and sums
    enough = ratio < 1 and power_needed(ratio) <= 1024
    assert found.proved.all() == enough
    if enough:
        assert met[-1] == power_needed(ratio)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_the_bounds_hold_whatever_the_other_values_are(n: int) -> None:
    """For values in every proportion, nothing is accepted that is not within SLACK of the largest;
    with p = 2^30 the acceptance is so wide (1 + 2^-12) that much is, and is still not wrong by
    more.
    """
    draws = np.random.default_rng(n)
    values = draws.random((3000, n)) ** draws.choice([0.01, 0.3, 1, 4, 30, 200], (3000, 1))
    values *= (0.5 + draws.random((3000, 1))) / values.max(axis=1, keepdims=True)
    S, top = values[:, :, None] * np.eye(n), values.max(axis=1)
    for p in (64, 2**30):
        lower, met, crowd = powers._bounds(S, p)
        assert (lower[crowd < powers.APART] <= (1 + 1e-15) * top[crowd < powers.APART]).all()
        assert (top[met] <= (1 + p * SLACK) * (1 + 1e-15) * lower[met]).all()
        assert met.any()  # of 200th powers, one stands alone
        assert not met[crowd >= powers.APART].any()


def test_equal_values_are_never_accepted_as_one() -> None:
    """Of m equal values the lower bound is m / 2 times too large for m > 2: APART keeps it out."""
    for m in range(2, 9):
        lower, met, crowd = powers._bounds(np.eye(m)[None], 2**40)
        assert crowd == m
        assert not met.any()
        assert lower >= 1  # what would have been taken


def test_what_the_powers_do_not_tell_is_lapacks() -> None:
    A = np.concatenate([3 * rotations(5, 8), random(5, 8, 8)])
    found = largest_values(A)
    assert found.proved.tolist() == [False] * 5 + [True] * 5
    expected = np.linalg.svd(A[:5], compute_uv=False)[:, 0]
    assert np.array_equal(found.sigma[:5], expected)


def test_what_is_not_finite_is_nan_and_alone() -> None:
    A = random(9, 8, 8)
    whole = largest_values(A).sigma
    A[2, 3, 4], A[5, 0, 0], A[6] = np.nan, np.inf, -np.inf
    found = largest_values(A).sigma
    assert np.isnan(found).tolist() == [k in (2, 5, 6) for k in range(9)]
    kept = ~np.isnan(found)
    assert np.array_equal(found[kept], whole[kept])


def test_nothing_but_zeros() -> None:
    found = largest_values(np.zeros((3, 4, 4)))
    assert found.sigma.tolist() == [0, 0, 0]
    assert found.proved.all()


@pytest.mark.parametrize("n", [5, 16, 32])
def test_bits_do_not_depend_on_the_company(n: int) -> None:
    """Nor on pieces: some need LAPACK, some one look, some all, some a scale."""
    A = np.concatenate([random(90, n, n), 2 * rotations(5, n), with_values([1.0] * (n - 1) + [0])])
    A = np.concatenate([A, 1e200 * random(2, n, n), np.zeros((1, n, n))])
    together = largest_values(A)
    for chosen in ([0], [94, 1], list(range(17, 60)), [99, 91, 3, 2, 7], [101, 0], [102, 100, 4]):
        alone = largest_values(A[chosen])
        for mine, theirs in zip(alone, together, strict=True):
            assert np.array_equal(mine, theirs[chosen])


@pytest.mark.parametrize("scale", [-900, -13, 5, 40, 700])
def test_a_power_of_two_changes_no_bit(scale: int) -> None:
    """sigma(2^k A) = 2^k sigma(A), whether the scale is taken out or not."""
    A = random(30, 12, 12)
    found = largest_values(np.ldexp(A, scale)).sigma
    assert np.array_equal(found, np.ldexp(largest_values(A).sigma, scale))


def in_float(d: Array, W: Array) -> Array:
    """The largest singular value of D(d) W by LAPACK, each with a power of two of its own."""
    J = d[..., :, None] * W
    e = np.frexp(np.abs(J).max(axis=(-1, -2)))[1]
    return np.ldexp(np.linalg.svd(np.ldexp(J, -e[..., None, None]), compute_uv=False)[..., 0], e)


@pytest.mark.parametrize("n", [2, 7, 32, 64])
def test_rows_that_are_scaled_are_the_matrix_itself(n: int) -> None:
    """Four steps of five members, three sequences: all with the members' weights, or each with its
    own. Saturated to 1e-11, and rows that are zero.
    """
    d = tanh_slope(4 * random(4, 5, 3, n))
    d[0, 0, :, 1:], d[1, 1] = 0, 0
    for W in (random(5, 1, n, n) / np.sqrt(n), random(4, 5, 1, n, n) / np.sqrt(n)):
        found, expected = largest_values_of_rows(d, W), in_float(d, W)
        assert found.shape == (4, 5, 3)
        assert np.abs(found - expected).max() <= 2 * proved_within(n) * expected.max()
        some = expected > 0
        assert np.abs(found[some] / expected[some] - 1).max() < 2 * proved_within(n)
        assert (found[~some] == 0).all()


@pytest.mark.parametrize("row", [1e-170, 1e170, 1e-20, 1e20])
@pytest.mark.parametrize("whole", [1.0, 1e-130, 1e130])
def test_rows_that_only_d_brings_together(row: float, whole: float) -> None:
    """W has rows that are tiny or huge, and d is the reverse: W W^T leaves the range of a double,
    D W does not.
    """
    W = random(6, 8, 8)
    scale = np.ones(8)
    scale[::2] = row
    found = largest_values_of_rows(np.tile(whole / scale, (6, 1)), scale[:, None] * W)
    expected = whole * np.linalg.svd(W, compute_uv=False)[:, 0]
    assert np.abs(found / expected - 1).max() < 2 * proved_within(8)


def test_rows_have_the_bits_that_they_have_alone() -> None:
    """Of a step or many, of a member or many, plain or not."""
    d, W = tanh_slope(2 * random(6, 5, 1, 9)), random(5, 1, 9, 9) / 3
    W[2], d[3, 1] = 1e-200 * W[2], 0
    W[4, 0] = rotations(1, 9)[0]
    d[5, 4] = 1  # an orthogonal matrix: LAPACK
    together = largest_values_of_rows(d, W)
    for steps, members in ([0], [0, 4]), ([5, 3], [4]), ([1, 2, 3], [1, 2, 3]):
        alone = largest_values_of_rows(d[steps][:, members], W[members])
        assert np.array_equal(alone, together[steps][:, members])


def test_rows_that_are_not_finite_are_nan_and_alone() -> None:
    d, W = tanh_slope(random(3, 4, 1, 6)), random(4, 1, 6, 6)
    whole = largest_values_of_rows(d, W)
    W[1, 0, 2, 3], d[1, 2, 0, 0], d[2, 3, 0, 5] = np.inf, np.nan, np.inf
    found = largest_values_of_rows(d, W)
    strange = np.isnan(found[..., 0])
    assert strange.tolist() == [
        [False, True, False, False],
        [False, True, True, False],
        [False, True, False, True],
    ]
    assert np.array_equal(found[~strange], whole[~strange])
