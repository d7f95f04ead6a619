"""Product singular values: every value, at every distance.

Claims:
- The oracles are right: against closed forms, and against each other.
- All ln sigma at all t of six cases, and which of them are zero, as 900-digit arithmetic has them.
- Cases made to break it: zeros, dependent columns in any place, entries of 1e300, gradings that
  turn round, products that cancel, a defective block.
- Saturated tanh (g = 20, steps of condition 1e20 and beyond): right when D and W are pushed apart.
- A diagonal that is multiplied out with W: as right as if both were pushed apart, a factor JOIN off
  at most; and one QR a step, where the two apart take two.
- A range of 10^4600 at 64 units: equal to the oracle on the same state.
- The largest values alone are the same values, and what was forgotten is not reported as zero.
- Members of different rank, or lost, or in any company, have the values that they have alone, to
  the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gradlab.engine import products
from gradlab.engine.graded import factor
from gradlab.engine.products import JOIN, Diagonal, ProductState, Pull
from gradlab.nonlinearity import Array, tanh_slope
from gradlab.verify.decimals import decimal_log_sigma
from gradlab.verify.jacobi import jacobi_log_sigma, jacobi_products
from tests.cells.reference_gradients import load

CASES = {case["name"]: case for case in load("product_sv.json")["cases"]}


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def rotation(n: int, seed: int = 0) -> Array:
    return np.linalg.qr(random(n, n, seed=seed))[0]


def pushed(state: ProductState, jacobians: Sequence[Array]) -> Array:
    """ln sigma after each step, from the last Jacobian to the first: (T, M, K). J is (M, n, n) or
    (n, n), or the two factors (d, W).
    """
    rows = []
    for J in reversed(jacobians):
        if isinstance(J, tuple):
            state.push(pull_diagonal(J[0]), pull(J[1]))
        else:
            state.push(pull(J))
        rows.append(state.log_sigma())
    return np.array(rows)


def pull(A: Array) -> Pull:
    """X -> A^T X for a matrix (n, n) or (M, n, n)."""
    return lambda X: A.swapaxes(-1, -2) @ X


def pull_diagonal(d: Array) -> Pull:
    """X -> D(d) X for d (n,) or (M, n)."""
    return Diagonal(np.atleast_2d(d))


def worst(found: Array, expected: Array) -> float:
    """Largest difference; zeros must be in the same places."""
    assert np.array_equal(np.isneginf(found), np.isneginf(expected)), (found, expected)
    finite = np.isfinite(expected)
    return float(np.abs(found[finite] - expected[finite]).max(initial=0.0))


def tanh_steps(n: int, T: int, g: float, members: int = 1, seed: int = 0) -> list[tuple]:
    """(phi', W) of T steps of h = tanh(W h + input), W of gain g: (M, n), (M, n, n)."""
    W = g / np.sqrt(n) * random(members, n, n, seed=seed)
    h, steps = random(members, n, 1, seed=seed + 1), []
    drive = 0.3 * random(T, members, n, 1, seed=seed + 2)
    for u in drive:
        a = W @ h + u
        h = np.tanh(a)
        steps.append((tanh_slope(a)[..., 0], W))
    return steps


def joined(steps: Sequence[tuple]) -> list[Array]:
    return [d[..., None] * W for d, W in steps]


# the oracles


def test_jacobi_on_columns_that_are_orthogonal_already() -> None:
    e = np.array([40, 3000, -9000, 7, -2])
    sizes = np.array([0.7, 1.3, 0.9, 1.0, 0.0])
    expected = -np.sort(-(np.log(sizes[:4]) + e[:4] * np.log(2)))
    found = jacobi_log_sigma(rotation(6)[:, :5] * sizes, e)
    # one rounding of a column's norm, and of a logarithm of up to 6000: 1e-12
    assert np.abs(found[:4] - expected).max() < 2e-12
    assert found[4] == -np.inf


def test_jacobi_against_decimal_on_graded_columns() -> None:
    e = np.array([0, -60, -61, -150, -400])
    G = random(5, 5)
    expected = decimal_log_sigma([G, np.ldexp(1.0, e)], 400)
    # the condition of G is below 100, times a few eps; logarithms of up to 300
    assert worst(jacobi_log_sigma(G, e), np.array(expected)) < 1e-12


def test_decimal_against_a_closed_form() -> None:
    """[[a, b], [0, c]]: sigma_1 sigma_2 = ac, sigma_1^2 + sigma_2^2 = a^2 + b^2 + c^2."""
    a, b, c = 3.0, 4.0, 1e-150
    found = decimal_log_sigma([np.array([[a, b], [0, c]])], 700)
    # c^2 is 1e-300 beside a^2 + b^2: the closed form has no other error
    assert worst(np.array(found), np.array([np.log(5), np.log(a * c / 5)])) < 1e-13


def test_jacobi_on_a_product_against_decimal() -> None:
    steps = joined(tanh_steps(4, 20, 2.0))
    jacobians = [J[0] for J in reversed(steps)]
    for k, found in enumerate(jacobi_products(jacobians), 1):
        # the condition of a step is below 1e5 here, times a few eps
        assert worst(found, np.array(decimal_log_sigma(jacobians[:k], 400))) < 1e-10
    assert found[0] - found[-1] > 20 * np.log(10)  # where a product multiplied out has no digit


def test_jacobi_on_a_product_of_odd_width() -> None:
    jacobians = [random(3, 3, seed=k) for k in range(9)]
    for k, found in enumerate(jacobi_products(jacobians), 1):
        # conditions below 100, times a few eps
        assert worst(found, np.array(decimal_log_sigma(jacobians[:k], 200))) < 1e-12


def test_the_oracles_agree_with_numpy_where_that_is_right() -> None:
    A = random(9, 9)
    expected = np.log(np.linalg.svd(A, compute_uv=False))
    # condition below 100: absolute errors of eps |A| are relative errors of 1e-14
    assert worst(jacobi_log_sigma(A, np.zeros(9)), expected) < 1e-13
    assert worst(np.array(decimal_log_sigma([A], 80)), expected) < 1e-13


# against 900 digits


@pytest.mark.parametrize("name", CASES)
def test_all_values_at_all_steps(name: str) -> None:
    case = CASES[name]
    jacobians = np.array(case["jacobians"])
    found = pushed(ProductState(1, case["n"]), list(jacobians))[:, 0]
    expected = np.array(case["ln_sv"], float)
    # measured 1e-14 to 1.3e-11: (1 .. 100) eps kappa(J), kappa up to 1e6
    assert worst(found, expected) < 1e-9


def nilpotent(n: int, T: int) -> list[Array]:
    return [np.diag(random(n - 1, seed=t), 1) for t in range(T)]


def alternating(n: int, T: int) -> list[Array]:
    return [random(n, n, seed=t) * (1e300 if t % 2 else 1e-200) for t in range(T)]


def inverse_pairs(n: int, T: int) -> list[Array]:
    d = np.logspace(0, -6, n)
    A = [rotation(n, t) * d @ rotation(n, t + 99) for t in range(T)]
    return [B for pair in zip(A, map(np.linalg.inv, A), strict=True) for B in pair]


def tied_rows(n: int, T: int) -> list[Array]:
    """Unit 1 is a copy of unit 0: the second column of J^T repeats the first."""
    jacobians = [random(n, n, seed=t) for t in range(T)]
    for J in jacobians:
        J[1] = J[0]
    return jacobians


D5 = np.logspace(0, -40, 5)
STRANGE: dict[str, tuple[list[Array], int]] = {  # Jacobians, and the digits of the truth
    "nilpotent": (nilpotent(5, 7), 200),
    "half way to nilpotent": (nilpotent(5, 3), 200),
    "a step of zero": ([random(4, 4), np.zeros((4, 4)), random(4, 4)], 100),
    "identity": ([np.eye(5)] * 6, 100),
    "entries of 1e300 and 1e-200": (alternating(5, 40), 400),
    "permutation and decay": ([np.roll(np.diag(D5), 1, axis=0)] * 13, 1500),
    "D, then its inverse": ([np.diag(D5), np.diag(1 / D5)] * 6, 400),
    "graded, then the other way": ([random(5, 5) * D5] * 3 + [random(5, 5) * D5[::-1]] * 3, 1500),
    "columns graded": ([random(5, 5, seed=t) * D5 for t in range(6)], 1500),
    "A and its inverse": (inverse_pairs(5, 8), 400),
    "tied units": (tied_rows(5, 6), 200),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_products(name: str) -> None:
    jacobians, digits = STRANGE[name]
    found = pushed(ProductState(1, len(jacobians[0])), jacobians)[:, 0]
    for k in {1, 2, len(jacobians)}:
        expected = np.array(decimal_log_sigma(jacobians[::-1][:k], digits))
        # eps kappa(J) is 1e-10 for the pairs of condition 1e6; nothing else is above 1e-11
        assert worst(found[k - 1], expected) < 1e-9


def test_a_defective_block() -> None:
    jacobians = [0.99 * np.eye(6) + np.eye(6, k=1)] * 200
    found = pushed(ProductState(1, 6), jacobians)[-1, 0]
    # a change of 1e-16 in every J moves the truth by 1.8e-8 itself
    assert worst(found, np.array(decimal_log_sigma(jacobians, 200))) < 2e-8


def test_one_unit_two_thousand_steps() -> None:
    w = np.exp(3 * random(2000))
    found = pushed(ProductState(1, 1), list(w.reshape(-1, 1, 1)))[:, 0, 0]
    # a sum of 2000 logarithms of size 3: eps of a sum of up to 400, 2000 times over at the worst
    assert np.abs(found - np.cumsum(np.log(w[::-1]))).max() < 1e-10


def test_scaled_rotations_have_equal_values() -> None:
    g, T = 0.7, 300
    found = pushed(ProductState(2, 6), [g * np.stack([rotation(6, 1), rotation(6, 2)])] * T)
    # about eps a step, and the rounding of a logarithm of 100
    assert np.abs(found - np.log(g) * np.arange(1, T + 1)[:, None, None]).max() < 1e-12


# saturation


@pytest.mark.parametrize(("g", "T", "digits"), [(3, 40, 1200), (6, 25, 1600), (20, 8, 2000)])
def test_saturated_steps_as_two_factors(g: float, T: int, digits: int) -> None:
    steps = tanh_steps(5, T, g)
    state = ProductState(1, 5)
    found = pushed(state, steps)[:, 0]
    for k in (1, 5, T):
        factors = [A[0] for step in steps[::-1][:k] for A in step]
        # the condition of D does not enter; that of W is below 1e3
        assert worst(found[k - 1], np.array(decimal_log_sigma(factors, digits))) < 1e-9
    assert state.unresolved == 0


def test_a_diagonal_over_the_range_of_a_double() -> None:
    d = np.array([1.0, 1e-90, 1e-170, 1e-300])
    steps = [(d[None, np.roll(np.arange(4), k)], random(1, 4, 4, seed=k)) for k in range(3)]
    found = pushed(ProductState(1, 4), steps)[:, 0]
    for k in (1, 2, 3):
        factors = [A[0] for step in steps[::-1][:k] for A in step]
        # only the W count, of condition below 100
        assert worst(found[k - 1], np.array(decimal_log_sigma(factors, 2000))) < 1e-9


def test_a_saturated_step_as_one_factor_says_what_it_cannot_resolve() -> None:
    d = np.array([1.0, 1.0, 1e-20])
    state = ProductState(1, 3)
    W = random(3, 3)
    state.push(pull(rotation(3)))
    state.push(pull(d[:, None] * W))
    assert np.isneginf(state.log_sigma()[0]).tolist() == [False, False, True]
    assert state.unresolved == 1
    apart = ProductState(1, 3)
    apart.push(pull(rotation(3)))
    apart.push(pull_diagonal(d), pull(W))
    assert np.isfinite(apart.log_sigma()).all()
    assert apart.unresolved == 0


def test_a_moderate_diagonal_joined_with_its_matrix() -> None:
    """d at the limit: the largest spread that is multiplied out."""
    n, T = 6, 12
    steps = []
    for t in range(T):
        d = np.geomspace(1.0, 1 / JOIN, n)[None, np.random.default_rng(t).permutation(n)]
        steps.append((d, rotation(n, seed=t)[None]))
    assert all(Diagonal(d).moderate().all() for d, _ in steps)
    found = pushed(ProductState(1, n), steps)[:, 0]
    for k in (1, 4, T):
        factors = [A[0] for step in steps[::-1][:k] for A in step]
        # kappa(D W) = JOIN = 128, so (1 .. 100) eps kappa = 3e-14 .. 3e-12
        assert worst(found[k - 1], np.array(decimal_log_sigma(factors, 400))) < 3e-12


def test_which_diagonals_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    d = np.array([[1.0, 1 / JOIN], [1.0, 0.99 / JOIN], [1.0, 0.0], [0.0, 0.0], [-1.0, 0.5]])
    assert Diagonal(d).moderate().tolist() == [True, False, False, False, True]
    factored: list[int] = []

    def counted(B: Array, e: Array) -> object:
        factored.append(len(B))
        return factor(B, e)

    monkeypatch.setattr(products, "factor", counted)
    ProductState(5, 2).push(pull_diagonal(d), pull(random(5, 2, 2)))
    # two members once, three twice
    assert sorted(factored) == [2, 3, 3]


# large ranges


def test_a_range_of_thousands_of_digits() -> None:
    H, T = 64, 1000
    steps = tanh_steps(H, T, 3.0)
    state = ProductState(1, H)
    for k, (d, W) in enumerate(reversed(steps), 1):
        state.push(pull_diagonal(d), pull(W))
        if k in (1, 7, 50, 200, 500, T):
            found = state.log_sigma()[0]
            expected = jacobi_log_sigma(state._L[0], state._e[0])
            # the same state: only the singular values of a graded triangle are compared
            assert worst(found, expected) < 1e-9
    assert found[0] - found[-1] > 4500 * np.log(10)


def test_a_range_beyond_a_double_at_a_small_size() -> None:
    steps = tanh_steps(12, 300, 3.0)
    state = ProductState(1, 12)
    found = pushed(state, steps)[-1, 0]
    assert found[0] - found[-1] > 400 * np.log(10)
    # logarithms of 3000 and more: their rounding alone is 1e-12
    assert worst(found, jacobi_log_sigma(state._L[0], state._e[0])) < 1e-11


# the largest alone


@pytest.mark.parametrize("keep", [1, 5])
def test_the_largest_values_alone(keep: int) -> None:
    steps = tanh_steps(24, 150, 1.5, members=2)
    full = pushed(ProductState(2, 24), steps)
    state = ProductState(2, 24, keep)
    found = pushed(state, steps)
    # what is forgotten is 2^-30 below, its effect the square of that: 1e-18
    assert worst(found, full[..., :keep]) < 1e-9
    assert state._X.shape[2] < 24


def test_what_was_forgotten_is_unknown_and_not_zero() -> None:
    state = ProductState(1, 8, keep=2)
    state.push(pull_diagonal(np.ldexp(1.0, -20 * np.arange(8))))
    assert state.rank == 4
    state.push(
        pull_diagonal(np.array([1.0, 0, 0, 0, 0, 1, 1, 1]))
    )  # 3 of the 4 die; one of the rest is next
    found = state.log_sigma()[0]
    assert found[0] == 0
    assert np.isnan(found[1])


# members


def relu_members(T: int, n: int = 8, members: int = 5) -> list[tuple]:
    """0/1 slopes that kill more units in some members than in others."""
    W = random(members, n, n)
    dead = np.arange(n) < np.arange(members)[:, None] + 1
    masks = (random(T, members, n) > -1.2) & ~dead
    return [(mask.astype(float), W) for mask in masks]


def test_ranks_of_each_member_are_its_own() -> None:
    steps = relu_members(12)
    state = ProductState(5, 8)
    found = pushed(state, steps)
    for m in range(5):
        for k in (1, 3, 12):
            factors = [A[m] for step in steps[::-1][:k] for A in step]
            expected = np.array(decimal_log_sigma(factors, 200))
            assert worst(found[k - 1, m], expected) < 1e-9  # kappa(W) is below 1e4
    assert len(set(state.rank)) > 2


@pytest.mark.parametrize("keep", [None, 3])
def test_bits_do_not_depend_on_the_company(keep: int | None) -> None:
    steps = relu_members(12)[:8] + tanh_steps(8, 20, 2.0, members=5)
    together = pushed(ProductState(5, 8, keep), steps)
    ways = {tuple(Diagonal(d).moderate()) for d, _ in steps}
    assert any(0 < sum(way) < 5 for way in ways)  # joined in some members and not in others
    for chosen in ([0], [4], [3, 1], [2, 0, 4]):
        own = [(d[chosen], W[chosen]) for d, W in steps]
        alone = pushed(ProductState(len(chosen), 8, keep), own)
        assert np.array_equal(alone, together[:, chosen], equal_nan=True)


def test_a_lost_member_is_lost_alone() -> None:
    steps = joined(tanh_steps(6, 20, 1.5, members=3))
    whole = pushed(ProductState(3, 6), steps)
    steps[9] = steps[9].copy()
    steps[9][1, 2, 3] = np.inf
    state = ProductState(3, 6)
    found = pushed(state, steps)
    assert state.lost.tolist() == [False, True, False]
    assert np.isfinite(found[:10, 1]).all()
    assert np.isnan(found[10:, 1]).all()
    assert np.array_equal(found[:, [0, 2]], whole[:, [0, 2]])


def test_overflow_within_a_step_loses_the_member() -> None:
    state = ProductState(2, 3)
    state.push(pull(np.stack([np.full((3, 3), 1e308), np.eye(3)])))
    state.push(pull(np.stack([np.full((3, 3), 1e308), np.eye(3)])))
    assert np.isfinite(state.log_sigma()[1]).all()


# the factorisation


@pytest.mark.parametrize("spread", [0, 3, 20])
def test_factor_gives_back_the_matrix(spread: int) -> None:
    B, e = random(3, 6, 4), -spread * np.arange(4) * np.ones((3, 1), np.int64)
    Q, T, out, columns, dependent = factor(B, e)
    back = Q @ (np.ldexp(1.0, out)[:, :, None] * T)
    there = np.take_along_axis(B * np.ldexp(1.0, e)[:, None, :], columns[:, None, :], 2)
    size = np.abs(there).max(axis=1, keepdims=True)
    assert np.abs((back - there) / size).max() < 1e-14  # a few eps of each column
    assert not dependent.any()
    assert (np.diff(out) <= 0).all()
