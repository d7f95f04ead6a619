"""How many directions a product has, and how far its singular values are apart.

Claims:
- From singular values: closed forms of the entropy and of the condition, at any size.
- Diagonal products have the values of their diagonal, also where their ratio is beyond a double.
- Scaled rotations have effective rank n and 0 decades.
- ReLU: with orthogonal weights the effective rank counts the units that are alive; a zero of the
  product itself is a condition of inf, one that is only below rounding is not known.
- With the largest values alone the effective rank is that of all, within the bound that is stated;
  the condition is not known.
- A zero product and a lost one have neither.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.engine.products import BITS, ProductState
from gradlab.engine.spectrum import effective_rank, log10_condition
from gradlab.nonlinearity import Array
from tests.engine.test_products import pull, pull_diagonal, random, rotation, tanh_steps


def by_shares(share: list[float]) -> float:
    p = np.array([s for s in share if s > 0]) / sum(share)
    return float(np.exp(-(p * np.log(p)).sum()))


# from singular values


def test_effective_rank_of_known_values() -> None:
    with np.errstate(divide="ignore"):
        values = np.log([[1.0, 1, 1, 1], [5, 0, 0, 0], [1, 1, 0, 0], [3, 1, 0, 0]])
    expected = [4, 1, 2, by_shares([3, 1])]
    # a few eps; with a scale of e^1e5, its rounding of 1e-11 is in every exponent
    assert np.abs(effective_rank(values) - expected).max() < 1e-14
    assert np.abs(effective_rank(values - 1e5) - expected).max() < 1e-10
    assert np.abs(effective_rank(values + 1e5) - expected).max() < 1e-10


def test_effective_rank_of_a_geometric_series() -> None:
    """sigma_k = q^k, all of them: the entropy is -ln(1 - q) - q ln q / (1 - q)."""
    q = 0.7
    expected = np.exp(-np.log(1 - q) - q * np.log(q) / (1 - q))
    # what is missing of the series is 0.7^2000: nothing
    assert abs(effective_rank(np.arange(2000) * np.log(q)) - expected) < 1e-12


def test_condition_of_known_values() -> None:
    values = np.array([[0.0, -1, -2000], [3, 3, 3], [1, 0, -np.inf]])
    expected = [2000 / np.log(10), 0, np.inf]
    assert np.allclose(log10_condition(values), expected, rtol=1e-15)


def test_without_values_there_are_no_directions() -> None:
    values = np.array([[-np.inf] * 3, [np.nan] * 3, [0.0, -1, np.nan]])
    assert np.isnan(effective_rank(values)).all()
    assert np.isnan(log10_condition(values)).all()


# of products


def test_diagonal_products() -> None:
    d = np.array([1.0, 0.5, 0.25, 1e-3])
    state = ProductState(1, 4)
    for k in range(1, 601):
        state.push(pull(np.diag(d)[::-1, ::-1] if k % 2 else np.diag(d)))
        state.push(pull_diagonal(d))
        if k in (1, 40, 600):
            found = state.spectrum()
            both, odd = k + k // 2, k - k // 2
            log = np.sort(both * np.log(d) + odd * np.log(d[::-1]))[::-1]
            # the entropy feels an error of ln sigma, eps of a logarithm of up to 6000, once
            assert abs(found.effective_rank[0] - by_shares(list(np.exp(log - log[0])))) < 1e-11
            decades = (log[0] - log[-1]) / np.log(10)
            assert abs(found.log10_condition[0] - decades) < 1e-13 * max(decades, 100)
    assert decades > 800  # no double could hold the ratio


def test_scaled_rotations() -> None:
    state = ProductState(2, 6)
    for t in range(300):
        state.push(pull(0.2 * np.stack([rotation(6, t), rotation(6, t + 999)])))
    found = state.spectrum()
    # 300 products, each of a few eps; 0.2^300 is 1e-210, and no scale is in either number
    assert np.abs(found.effective_rank - 6).max() < 1e-11
    assert np.abs(found.log10_condition).max() < 1e-12


def test_relu_counts_the_units_that_are_alive() -> None:
    alive = np.array([[1.0] * 6, [1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 1, 0]])
    state = ProductState(3, 6)
    state.push(pull(np.eye(6)[[5, 3, 1, 0, 2, 4]]))
    for _ in range(4):
        state.push(pull_diagonal(alive), pull(np.diag([1.0, -1, 1, -1, -1, 1])))
    found = state.spectrum()
    # permutations and masks: exact but for a few eps in the entropy
    assert np.abs(found.effective_rank - [6, 5, 2]).max() < 1e-13
    assert found.log10_condition.tolist() == [0, np.inf, np.inf]
    assert (state.unresolved == 0).all()


def test_dead_units_are_exact_zeros_with_any_weights() -> None:
    W = random(3, 7, 7)
    dead = np.arange(7) < np.array([0, 1, 4])[:, None]
    state = ProductState(3, 7)
    for t in range(6):
        state.push(pull_diagonal((~dead).astype(float)), pull(W + random(7, 7, seed=t)))
    assert (state.unresolved == 0).all()
    assert np.isinf(state.spectrum().log10_condition).tolist() == [False, True, True]


def test_a_zero_that_is_only_below_rounding_is_not_invented() -> None:
    d, mask = np.array([[1.0, 1, 1e-20], [1, 1, 1e-20], [1, 0.5, 0.25]]), np.ones((3, 3))
    mask[1, 1] = 0
    turned = np.array([[0.6, 0, -0.8], [0, 1, 0], [0.8, 0, 0.6]])  # mixes units 0 and 2
    state = ProductState(3, 3)
    state.push(pull(turned))
    state.push(pull_diagonal(mask), pull(d[:, :, None] * random(3, 3)))
    condition = state.spectrum().log10_condition
    assert state.unresolved.tolist() == [1, 1, 0]
    # one zero, hidden; one exact and one hidden; none
    assert np.isnan(condition[0])
    assert condition[1] == np.inf
    assert np.isfinite(condition[2])
    # the hidden value has a share of 1e-20
    two = np.linalg.svd(random(3, 3)[:2], compute_uv=False)
    assert abs(state.spectrum().effective_rank[0] - by_shares(list(two))) < 1e-12


@pytest.mark.parametrize("keep", [1, 4])
def test_the_largest_alone_have_the_effective_rank_of_all(keep: int) -> None:
    n = 24
    full, some = ProductState(2, n), ProductState(2, n, keep)
    bound = n * 2.0**-BITS * (1 + BITS * np.log(2))
    for d, W in reversed(tanh_steps(n, 120, 1.5, members=2)):
        for state in (full, some):
            state.push(pull_diagonal(d), pull(W))
        whole, found = full.spectrum(), some.spectrum()
        assert np.abs(found.effective_rank / whole.effective_rank - 1).max() < bound
        assert np.isnan(found.log10_condition).all()
    assert some.rank.max() < n


def test_keeping_all_by_number_is_keeping_all() -> None:
    full, named = ProductState(1, 3), ProductState(1, 3, 3)
    for state in (full, named):
        state.push(pull(random(3, 3)))
    a, b = full.spectrum(), named.spectrum()
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_zero_product_and_a_lost_one_have_neither() -> None:
    A: Array = np.stack([np.zeros((3, 3)), np.eye(3), np.eye(3)])
    A[1, 0, 0] = np.nan
    state = ProductState(3, 3)
    state.push(pull(A))
    found = state.spectrum()
    assert np.isnan(found.effective_rank).tolist() == [True, True, False]
    assert np.isnan(found.log10_condition).tolist() == [True, True, False]


def test_what_was_forgotten_and_is_next_leaves_it_unknown() -> None:
    state = ProductState(1, 8, keep=2)
    state.push(pull_diagonal(np.ldexp(1.0, -20 * np.arange(8))))
    state.push(pull_diagonal(np.array([1.0, 0, 0, 0, 0, 1, 1, 1])))
    assert np.isnan(state.spectrum().effective_rank).all()
