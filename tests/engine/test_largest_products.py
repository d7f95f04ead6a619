"""The largest singular value alone, of running products.

Claims:
- Equal to 900-digit arithmetic, to `ProductState`, at any length and scale; where the rounding of a
  step would count, which the check tells in a closed form, `ProductState` takes over.
- Vectors of the block before are a start and no more: whatever is put in their place, the values
  are right.
- No member's bits depend on the company, nor on how many steps are looked at together.
- A product that becomes zero, or not finite, says so, and changes no bit of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gradlab.engine import largest_product
from gradlab.engine.largest import WIDEST, Start
from gradlab.engine.largest_product import BLOCK, TRUST, LargestProducts, fits
from gradlab.engine.products import Diagonal, ProductState, Pull
from gradlab.nonlinearity import Array, tanh_slope
from tests.cells.reference_gradients import load
from tests.engine.matrices import random, rotations

CASES = {case["name"]: case for case in load("product_sv.json")["cases"]}


def pull(A: Array) -> Pull:
    return lambda X: A.swapaxes(-1, -2) @ X


def tanh_pulls(
    n: int, T: int, g: Array, members: int, seed: int = 0
) -> list[tuple[Diagonal, Pull]]:
    """Of T steps of h = tanh(W h + input), from the first to the last."""
    W = g[:, None, None] / np.sqrt(n) * random(members, n, n, seed=seed)
    h, steps = random(members, n, 1, seed=seed + 1), []
    for u in 0.5 * random(T, members, n, 1, seed=seed + 2):
        a = W @ h + u
        h = np.tanh(a)
        steps.append((Diagonal(tanh_slope(a)[..., 0]), pull(W)))
    return steps


def largest_of(steps: Sequence[tuple[Pull, ...]], M: int, n: int) -> LargestProducts:
    T = len(steps)
    found = LargestProducts(np.arange(T + 1), M, n, 1, T)
    for t in range(T, 0, -1):
        found.push(t, *steps[t - 1])
    found.complete()
    return found


def exact_of(steps: Sequence[tuple[Pull, ...]], M: int, n: int, keep: int | None = None) -> Array:
    """(T + 1, M), t ascending. keep: how many values; by default all."""
    state, rows = ProductState(M, n, keep), [np.zeros(M)]
    for pulls in steps[::-1]:
        state.push(*pulls)
        rows.append(state.log_sigma()[:, 0])
    return np.array(rows[::-1])


@pytest.mark.parametrize("name", CASES)
def test_products_against_900_digits(name: str) -> None:
    case = CASES[name]
    steps = [(pull(np.array(J)[None]),) for J in case["jacobians"]]
    found = largest_of(steps, 1, case["n"]).log_sigma[:, 0, 0, 0]
    expected = np.array(case["ln_sv"], float)[:, 0]
    # (1 .. 100) eps kappa(J) in exact arithmetic of J rounded; kappa is up to 1e6
    assert np.abs(found[:-1][::-1] - expected).max() < 1e-9
    assert found[-1] == 0


@pytest.mark.parametrize("n", [2, 16, 32])
def test_products_of_random_steps(n: int) -> None:
    gains = np.geomspace(0.2, 3, 12)
    steps = tanh_pulls(n, 60, gains, 12)
    found = largest_of(steps, 12, n)
    # what a step of condition 1e4 costs `ProductState`; TRUST costs less
    assert np.abs(found.log_sigma[..., 0, 0] - exact_of(steps, 12, n)).max() < 1e-10
    assert not found._astray().any(axis=0).all()  # some member went the short way to its end


def test_products_over_thousands_of_digits() -> None:
    steps = tanh_pulls(8, 1500, np.array([0.05, 40.0]), 2)
    linear = [steps[k][1:] for k in range(1500)]  # of W alone: 40 / sqrt(8) to the 1500th
    for each in (steps, linear):
        found = largest_of(each, 2, 8).log_sigma[..., 0, 0]
        exact = exact_of(each, 2, 8)
        assert np.abs(exact).max() > 2500  # e^2500 is no double
        assert np.abs(found - exact).max() < 1e-9  # 1500 steps of eps kappa, which is 1e-14


def inverse_pairs(n: int, T: int) -> list[tuple[Pull]]:
    """A product that shrinks to 1 again: rounding of its largest direction counts fully."""
    d = np.logspace(0, -6, n)
    A = [np.linalg.qr(random(n, n, seed=t))[0] * d @ rotations(1, n, t + 9)[0] for t in range(T)]
    return [(pull(B[None]),) for pair in zip(A, map(np.linalg.inv, A), strict=True) for B in pair]


def test_products_that_cancel() -> None:
    steps = inverse_pairs(6, 6)
    found = largest_of(steps, 1, 6)
    # eps kappa of a pair: 1e-10, for either method
    assert np.abs(found.log_sigma[:, 0, 0, 0] - exact_of(steps, 1, 6)[:, 0]).max() < 1e-9


@pytest.mark.parametrize("bits", [5, 15, 60])
def test_a_largest_direction_that_is_killed(bits: int) -> None:
    """P_1 = diag(1, 2^-bits, ...), and the next step leaves nothing of what was largest: u is e_2,
    and |u^T P_1| / |P_1| = 2^-bits says how far the rounding of |P_1| would count.
    """
    first, kill = np.diag(np.ldexp(1.0, [0, -bits, -bits - 1])), np.diag([0.0, 1, 1])
    found = largest_of([(pull(kill[None]),), (pull(first[None]),)], 1, 3)
    assert found._astray()[:, 0].tolist() == [False, 2.0**bits > TRUST]
    # no rounding here: powers of two
    assert found.log_sigma[0, 0, 0, 0] == pytest.approx(-bits * np.log(2), rel=1e-15)


def test_what_is_astray_is_taken_from_the_exact_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some values of some members, and of the others the bits stay."""
    steps = tanh_pulls(10, 30, np.array([0.5, 1.5, 4.0]), 3)
    trusted = largest_of(steps, 3, 10).log_sigma[..., 0, 0]
    monkeypatch.setattr(largest_product, "TRUST", 3.0)
    found = largest_of(steps, 3, 10)
    astray = found._astray()
    assert 0 < astray.sum() < astray.size
    at, doubt = found.log_sigma[:-1, :, 0, 0][::-1], astray
    state = ProductState(3, 10, 1)
    for k, pulls in enumerate(steps[::-1]):
        state.push(*pulls)
        assert np.array_equal(at[k][doubt[k]], state.log_sigma()[doubt[k], 0])
    assert np.array_equal(at[~doubt], trusted[:-1][::-1][~doubt])


def test_a_step_of_zero_or_beyond_a_double_is_judged_by_the_exact_method() -> None:
    n, good = 4, random(4, 4, 4)
    strange = good.copy()
    strange[1], strange[2] = 0, 1e-200
    strange[3, 0, 0] = np.nan
    steps = [(pull(good),), (pull(strange),), (pull(good),)]
    found = largest_of(steps, 4, n).log_sigma[..., 0, 0]
    exact = exact_of(steps, 4, n)
    assert np.isneginf(found[:2, 1]).all()
    assert np.isnan(found[:2, 3]).all()
    assert np.array_equal(found[:2, 1:], exact[:2, 1:], equal_nan=True)
    assert np.abs(found[:, 0] - exact[:, 0]).max() < 1e-12  # kappa of random 4 x 4 is below 100


def test_products_have_the_bits_that_they_have_alone() -> None:
    M, n, T = 7, 12, 50
    gains = np.geomspace(0.2, 4, M)
    together = largest_of(tanh_pulls(n, T, gains, M), M, n)
    W = gains[:, None, None] / np.sqrt(n) * random(M, n, n)

    def of(chosen: list[int]) -> LargestProducts:
        steps = []
        for diagonal, _ in tanh_pulls(n, T, gains, M):
            steps.append((Diagonal(diagonal._d[chosen, :, 0]), pull(W[chosen])))
        return largest_of(steps, len(chosen), n)

    for chosen in ([0], [6, 2], [1, 3, 4, 5]):
        alone = of(chosen)
        assert np.array_equal(alone.log_sigma, together.log_sigma[:, chosen])


STARTS = {
    "at random": lambda U: np.broadcast_to(np.linalg.qr(random(U.shape[2], 2))[0].T, U.shape),
    "the wrong way round": lambda U: U[:, ::-1],
    "orthogonal to the largest": lambda U: orthogonal(U),
    "not normal": lambda U: 1e3 * U,
    "nothing": lambda U: 0 * U,
}


def orthogonal(U: Array) -> Array:
    """Two directions of each that the two of U (m, 2, n) have nothing of."""
    return np.linalg.qr(U.swapaxes(1, 2), mode="complete")[0][:, :, 2:4].swapaxes(1, 2)


@pytest.mark.parametrize("name", STARTS)
def test_a_wrong_start_costs_time_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all members, and said to be known, though hardly any product of a few steps is of rank
    two.
    """
    steps = tanh_pulls(10, 50, np.geomspace(0.3, 4, 5), 5)
    right = exact_of(steps, 5, 10)
    wrong = lambda U, known: Start(STARTS[name](U), np.ones(len(U), bool))  # noqa: E731
    monkeypatch.setattr(largest_product, "Start", wrong)
    found = largest_of(steps, 5, 10).log_sigma[..., 0, 0]
    # what a step of condition 1e4 costs `ProductState`; TRUST costs less
    assert np.abs(found - right).max() < 1e-10


@pytest.mark.parametrize("batch", [1, 4, 12, 10**9])
def test_no_bit_depends_on_how_many_steps_are_looked_at_together(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tanh_pulls(12, 3 * BLOCK + 3, np.geomspace(0.3, 4, 4), 4)
    usual = largest_of(steps, 4, 12).log_sigma
    monkeypatch.setattr(largest_product, "BATCH", batch)
    assert np.array_equal(largest_of(steps, 4, 12).log_sigma, usual)


@pytest.mark.parametrize("at", [1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_a_product_that_ends_within_a_block(at: int) -> None:
    """After so many steps one member is zero, one not finite, one of rank one. Zero is not known
    where directions have been forgotten, but no number is told.
    """
    M, n, T = 4, 5, 3 * BLOCK
    steps = tanh_pulls(n, T, np.ones(M), M)
    A = np.tile(np.eye(n), (M, 1, 1))
    A[1], A[2, 0, 0], A[3, 1:] = 0, np.nan, 0
    strange = list(steps)
    strange[T - at] = (*steps[T - at], pull(A))
    found = largest_of(strange, M, n).log_sigma[..., 0, 0]
    one, gone = exact_of(strange, M, n, 1), slice(T - at + 1)
    assert not np.isfinite(found[gone, 1:3]).any()
    assert np.array_equal(found[gone, 1:3], one[gone, 1:3], equal_nan=True)
    assert np.array_equal(found[:, 0], largest_of(steps, M, n).log_sigma[:, 0, 0, 0])
    # what a step of condition 1e4 costs `ProductState`; TRUST costs less
    assert np.abs(found[:, 3] - exact_of(strange, M, n)[:, 3]).max() < 1e-10


def test_products_whose_two_largest_values_stay_equal() -> None:
    """Rotations of a plane, and what is left halves at every step: no gap opens, and ln sigma is 0,
    with and without a spread within the plane.
    """
    n, T = 6, 40
    block = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    A = np.stack([np.eye(n) / 2] * 2)
    A[:, :2, :2] = block
    Q = rotations(1, n, 3)[0]
    steps = [(pull(Q @ A @ Q.T),)] * T
    found = largest_of(steps, 2, n).log_sigma[..., 0, 0]
    assert np.abs(found).max() < 1e-12  # T roundings of n eps


def test_members_that_are_not_wanted_cost_no_value() -> None:
    steps = tanh_pulls(6, 20, np.array([1.0, 2.0, 3.0]), 3)
    only = np.array([False, True, False])
    whole, some = ProductState(3, 6, 1), ProductState(3, 6, 1, only=only)
    for pulls in steps[::-1]:
        whole.push(*pulls)
        some.push(*pulls)
    assert some.rank.tolist()[::2] == [0, 0]
    assert np.array_equal(some.log_sigma()[1], whole.log_sigma()[1])


def test_rows_and_sequences() -> None:
    """Two sequences of three members, at some of the steps."""
    M, n, T = 6, 5, 12
    steps = tanh_pulls(n, T, np.linspace(0.5, 3, M), M)
    rows = np.array([0, 3, 7, 12])
    found = LargestProducts(rows, 3, n, 2, T)
    for t in range(T, 0, -1):
        found.push(t, *steps[t - 1])
    found.complete()
    every = largest_of(steps, M, n).log_sigma[rows, :, 0, 0]
    assert np.array_equal(found.log_sigma[..., 0], every.reshape(4, 2, 3).swapaxes(1, 2))


def test_where_the_short_way_is_taken() -> None:
    assert fits(2, 1)
    assert fits(WIDEST, largest_product.LONGEST)
    assert not fits(1, 10)
    assert not fits(WIDEST + 1, 10)
    assert not fits(8, largest_product.LONGEST + 1)
