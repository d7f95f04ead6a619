"""The largest singular value alone, of a matrix and of running products.

Claims:
- Whatever the iteration does, a value that is accepted is right: SLACK / 2 + n (n + 1) eps / 2,
  against closed forms and against LAPACK, for equal values, nearly equal ones, rank one, zero,
  orthogonal times diagonal, complex pairs, any scale; for every matrix of random steps.
- A start that misses the largest direction, or an iteration that stops at once, gets no proof: the
  value is then LAPACK's. Each of the two proofs refuses a value that is below the largest.
- inf and NaN give NaN, and no neighbour another bit; nor does any company.
- Products: equal to 900-digit arithmetic, to `ProductState`, at any length and scale; where the
  rounding of a step would count, which the check tells in a closed form, `ProductState` takes over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gradlab.engine import largest as module
from gradlab.engine import largest_product
from gradlab.engine.largest import SLACK, STEEP, WIDEST, largest_singular_values
from gradlab.engine.largest_product import TRUST, LargestProducts, fits
from gradlab.engine.products import Diagonal, ProductState, Pull
from gradlab.nonlinearity import Array, tanh_slope
from tests.cells.reference_gradients import load

CASES = {case["name"]: case for case in load("product_sv.json")["cases"]}
STAGES = (module.STAGES, STEEP)


def proved_within(n: int) -> float:
    """The bound of the module, and as much again for LAPACK where it is the judge."""
    return SLACK / 2 + n * (n + 1) * float(np.finfo(float).eps)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def rotations(m: int, n: int, seed: int = 0) -> Array:
    return np.linalg.qr(random(m, n, n, seed=seed))[0]


def with_values(sigma: Sequence[float], m: int = 5) -> Array:
    """Matrices (m, n, n) of these singular values, with vectors of their own."""
    n = len(sigma)
    return rotations(m, n, 1) @ (np.array(sigma)[:, None] * rotations(m, n, 2))


def complex_pairs(n: int) -> Array:
    """Powers of a block of rotation by one radian: two equal values of every product."""
    A = np.zeros((6, n, n))
    block = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    for k in range(6):
        A[k, :2, :2] = np.linalg.matrix_power(block, k + 1)
        A[k, 2:, 2:] = 0.9 ** (k + 1) * np.eye(n - 2)
    return A


MATRICES: dict[str, tuple[Array, float]] = {  # the matrices, and their largest singular value
    "all equal": (3 * rotations(5, 8), 3.0),
    "identity": (np.tile(np.eye(7), (2, 1, 1)), 1.0),
    "two equal": (with_values([2, 2, 1, 0.5, 0.1, 0]), 2.0),
    "three equal": (with_values([2, 2, 2, 1, 0.1, 0]), 2.0),
    "equal to ten digits": (with_values([2, 2 - 1e-10, 2 - 2e-10, 2 - 3e-10, 1, 1]), 2.0),
    "equal to five digits": (with_values([2, 2 - 1e-5, 2 - 2e-5, 2 - 3e-5, 1, 1]), 2.0),
    "nearly equal": (with_values([1 + 0.001 * k for k in range(12, 0, -1)]), 1.012),
    "rank one": (with_values([5, 0, 0, 0, 0]), 5.0),
    "rank one of many": (random(1, 32, 1) @ random(1, 1, 32, seed=1), 0.0),  # its norm, below
    "zero": (np.zeros((3, 6, 6)), 0.0),
    "a wide range": (with_values([2.0**-k for k in range(0, 960, 40)]), 1.0),
    "rotation of pairs": (complex_pairs(6), 1.0),
    "two by two": (with_values([4, 3]), 4.0),
    "of 64": (with_values(np.linspace(1.5, 0, 64).tolist()), 1.5),
    "huge": (1e300 * with_values([7, 6, 5, 4]), 7e300),
    "tiny": (1e-300 * with_values([7, 6, 5, 4]), 7e-300),
}
A, _ = MATRICES["rank one of many"]
MATRICES["rank one of many"] = A, float(np.linalg.norm(A))


@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("name", MATRICES)
def test_against_closed_forms(name: str, stages: tuple[tuple[int, int], ...]) -> None:
    A, sigma = MATRICES[name]
    found = largest_singular_values(A, stages)
    # the matrices themselves are right to a few eps
    assert np.abs(found.sigma - sigma).max() <= 2 * proved_within(A.shape[-1]) * sigma


def test_orthogonal_times_diagonal() -> None:
    d = np.exp(2 * random(40, 24))
    found = largest_singular_values(rotations(40, 24) * d[:, None, :])
    assert np.abs(found.sigma / d.max(axis=1) - 1).max() < 2 * proved_within(24)


@pytest.mark.parametrize("n", [2, 3, 8, 32, 64])
def test_random_steps_against_lapack(n: int) -> None:
    """Saturated and not; wide and narrow gaps: every one."""
    gain = np.geomspace(0.1, 5, 30)[:, None, None]
    A = tanh_slope(3 * random(30, n, 1, seed=3)) * gain / np.sqrt(n) * random(30, n, n)
    expected = np.linalg.svd(A, compute_uv=False)[:, 0]
    for stages in STAGES:
        found = largest_singular_values(A, stages)
        assert np.abs(found.sigma / expected - 1).max() < proved_within(n)
        assert found.proved.mean() > 0.9  # a path that is never taken proves nothing here


@pytest.mark.parametrize("stages", STAGES)
def test_positive_entries_do_not_leave_the_float_range(
    stages: tuple[tuple[int, int], ...],
) -> None:
    """c ones (n, n) has one value, c n: of G the 64th power would be up to 64^128 = 2^768, and its
    square no float. Nothing warns, and there is a proof.
    """
    c = np.array([0.51, 0.75, 0.999])
    for n in (32, 64):
        found = largest_singular_values(c[:, None, None] * np.ones((3, n, n)), stages)
        assert found.proved.all()
        assert np.abs(found.sigma / (c * n) - 1).max() < proved_within(n)


def test_the_vector_attains_the_value() -> None:
    A = random(20, 16, 16)
    found = largest_singular_values(A)
    image = np.linalg.norm((A @ found.vector[:, :, None])[:, :, 0], axis=1)
    assert np.abs(np.linalg.norm(found.vector, axis=1) - 1).max() < 1e-14  # a few eps
    # |A u| >= sqrt(theta) - rounding
    assert np.abs(image / found.sigma - 1).max() < proved_within(16)


def test_what_was_seen_is_what_two_directions_make_of_it() -> None:
    """|A u|^2 is the sum over an orthonormal basis; two of its directions give less."""
    A = random(20, 6, 6)
    found = largest_singular_values(A)
    seen = np.ldexp(found.seen, found.exponent[:, None, None])
    gram = seen @ seen.swapaxes(1, 2)
    sigma = np.linalg.svd(A, compute_uv=False)
    # rows are A^T w, w orthonormal, and w_1 has the largest image
    assert np.abs(gram[:, 0, 0] / sigma[:, 0] ** 2 - 1).max() < 1e-11
    for u in random(5, 6):
        parts = (seen @ u).T
        assert (np.hypot(*parts) <= (1 + 1e-13) * np.linalg.norm(A @ u, axis=-1)).all()


@pytest.mark.parametrize("stages", [((0, 0),), ((0, 1),), ((6, 2), (0, 6))])
def test_a_start_that_misses_the_largest_direction(
    stages: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly orthogonal to it, and G diagonal: it is never found, and nothing below is proved."""
    A = np.diag([3.0, 2, 1, 1, 1, 0.5])[None]
    monkeypatch.setattr(module, "_start", lambda n: np.eye(n)[[1, 2]])
    found = largest_singular_values(A, stages)
    assert not found.proved.any()
    assert found.sigma == pytest.approx(3.0, rel=1e-15)  # LAPACK's, of a diagonal


def test_an_iteration_that_stops_early_is_not_believed() -> None:
    A = random(200, 12, 12)
    expected = np.linalg.svd(A, compute_uv=False)[:, 0]
    found = largest_singular_values(A, ((4, 2),))
    assert 0 < found.proved.sum() < 200
    assert np.abs(found.sigma / expected - 1).max() < proved_within(12)


def pair_of(G: Array, U: Array) -> object:
    return module._ritz(np.broadcast_to(U, (len(G), *U.shape)), G)


def test_both_proofs_refuse_a_value_below_the_largest() -> None:
    """Exact eigenvectors, but not those of the largest value: the residual is zero."""
    eye = np.eye(6)
    # the second is nearly of rank two, where the first proof could be taken in
    for values in ([5.0, 4, 3, 2, 1, 1], [5.0, 4.999, 1e-9, 0, 0, 0], [5.0, 5 - 1e-11, 1, 0, 0, 0]):
        G = np.diag(values)[None]
        assert not module._nothing_above(G, pair_of(G, eye[[1, 2]])).any()
        assert module._nothing_above(G, pair_of(G, eye[[0, 1]])).all()


def test_what_cannot_be_decomposed_is_cut_out_of_its_stack() -> None:
    H = np.tile(np.eye(4), (9, 1, 1))
    H[[0, 4, 8], 2, 2] = [-1, 0, -1e-3]
    expected = [k not in (0, 4, 8) for k in range(9)]
    assert module._positive_definite(H).tolist() == expected


def test_what_is_not_finite_is_nan_and_alone() -> None:
    A = random(9, 8, 8)
    whole = largest_singular_values(A).sigma
    A[2, 3, 4], A[5, 0, 0], A[6] = np.nan, np.inf, -np.inf
    found = largest_singular_values(A).sigma
    assert np.isnan(found).tolist() == [k in (2, 5, 6) for k in range(9)]
    kept = ~np.isnan(found)
    assert np.array_equal(found[kept], whole[kept])


@pytest.mark.parametrize("n", [5, 16, 32])
def test_bits_do_not_depend_on_the_company(n: int) -> None:
    """Nor on pieces: some need LAPACK, some one stage, some all."""
    A = np.concatenate([random(90, n, n), 2 * rotations(5, n), with_values([1.0] * (n - 1) + [0])])
    together = largest_singular_values(A)
    for chosen in ([0], [94, 1], list(range(17, 60)), [99, 91, 3, 2, 7]):
        alone = largest_singular_values(A[chosen])
        for mine, theirs in zip(alone, together, strict=True):
            assert np.array_equal(mine, theirs[chosen])


# products


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


def exact_of(steps: Sequence[tuple[Pull, ...]], M: int, n: int) -> Array:
    """(T + 1, M), t ascending: all values are kept."""
    state, rows = ProductState(M, n), [np.zeros(M)]
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
