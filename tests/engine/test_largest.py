"""The largest singular value of a matrix with its vector, proved.

Claims:
- Whatever the iteration does, a value that is accepted is right: SLACK / 2 + n (n + 1) eps / 2,
  against closed forms and against LAPACK, for equal values, nearly equal ones, rank one, zero,
  orthogonal times diagonal, complex pairs; for every matrix of random steps and products.
- A start that misses the largest direction, or an iteration that stops at once, gets no proof: the
  value is then LAPACK's. So does one that is said to be known and is not. Each of the two proofs
  refuses a value that is below the largest.
- From a start that is nearly right no power of G is made.
- No neighbour changes a bit.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.engine import largest as module
from gradlab.engine.graded import binary, power
from gradlab.engine.largest import SLACK, Start, largest_singular_values
from gradlab.nonlinearity import Array, tanh_slope
from tests.engine.matrices import MATRICES, random, rotations, with_values


def unit(A: Array) -> tuple[Array, Array]:
    """A (m, n, n) with the largest entry of each in [1/2, 1), and the powers of two taken out."""
    scale = power(binary(np.abs(A).max(axis=(1, 2))))
    return A / scale[:, None, None], scale


def proved_within(n: int) -> float:
    """The bound of the module, and as much again for LAPACK where it is the judge."""
    return SLACK / 2 + n * (n + 1) * float(np.finfo(float).eps)


@pytest.mark.parametrize("name", MATRICES)
def test_against_closed_forms(name: str) -> None:
    A, sigma = MATRICES[name]
    A, scale = unit(A)
    found = largest_singular_values(A)
    # the matrices themselves are right to a few eps
    assert np.abs(found.sigma * scale - sigma).max() <= 2 * proved_within(A.shape[-1]) * sigma


def test_orthogonal_times_diagonal() -> None:
    d = np.exp(2 * random(40, 24))
    A, scale = unit(rotations(40, 24) * d[:, None, :])
    found = largest_singular_values(A).sigma * scale
    assert np.abs(found / d.max(axis=1) - 1).max() < 2 * proved_within(24)


def products(n: int, T: int = 12) -> Array:
    """Steps and their products (10 T, n, n), of ten networks saturated and not: wide and narrow
    gaps.
    """
    gain = np.geomspace(0.1, 5, 10)[:, None, None] / np.sqrt(n)
    found = [np.broadcast_to(np.eye(n), (10, n, n))]
    for t in range(T):
        step = tanh_slope(3 * random(10, n, 1, seed=t)) * gain * random(10, n, n, seed=t + 1)
        found.append(unit(found[-1] @ step)[0])
    return np.concatenate(found[1:])


@pytest.mark.parametrize("n", [2, 3, 8, 32, 64])
def test_random_products_against_lapack(n: int) -> None:
    """From any start, of which some are said to be known and are not: every one."""
    A = products(n)
    expected = np.linalg.svd(A, compute_uv=False)[:, 0]
    U = np.linalg.qr(random(len(A), n, 2, seed=5))[0].swapaxes(1, 2)
    for start in (None, Start(U, np.ones(len(A), bool)), Start(U, np.arange(len(A)) % 3 == 0)):
        found = largest_singular_values(A, start)
        assert np.abs(found.sigma / expected - 1).max() < proved_within(n)
        assert found.proved.mean() > 0.9  # a path that is never taken proves nothing here


def test_positive_entries_do_not_leave_the_float_range() -> None:
    """c ones (n, n) has one value, c n: of G the 256th power would be up to 64^512 = 2^3072.
    Nothing warns, and there is a proof.
    """
    c = np.array([0.51, 0.75, 0.999])
    for n in (32, 64):
        found = largest_singular_values(c[:, None, None] * np.ones((3, n, n)))
        assert found.proved.all()
        assert np.abs(found.sigma / (c * n) - 1).max() < proved_within(n)


def test_the_vectors_attain_the_value() -> None:
    A = unit(random(20, 16, 16))[0]
    found = largest_singular_values(A)
    image = np.linalg.norm((A @ found.U[:, 0, :, None])[:, :, 0], axis=1)
    gram = found.U @ found.U.swapaxes(1, 2)
    assert np.abs(gram - np.eye(2)).max() < 1e-14  # a few eps
    # |A u| >= sqrt(theta) - rounding
    assert np.abs(image / found.sigma - 1).max() < proved_within(16)


def test_what_was_seen_is_what_two_directions_make_of_it() -> None:
    """|A u|^2 is the sum over an orthonormal basis; two of its directions give less, and what the
    two have missed is what is left of |A|_F^2.
    """
    A = unit(random(20, 6, 6))[0]
    found = largest_singular_values(A)
    total = np.linalg.norm(A, axis=(1, 2))
    seen = found.seen * total[:, None, None]
    gram = seen @ seen.swapaxes(1, 2)
    sigma = np.linalg.svd(A, compute_uv=False)
    # rows are A^T w, w orthonormal, and w_1 has the largest image
    assert np.abs(gram[:, 0, 0] / sigma[:, 0] ** 2 - 1).max() < 1e-11
    missed = 1 - (np.linalg.norm(A @ found.U.swapaxes(1, 2), axis=(1, 2)) / total) ** 2
    assert np.abs(found.missed - missed).max() < 1e-14  # a few eps: sums of squares
    for u in random(5, 6):
        parts = (seen @ u).T
        assert (np.hypot(*parts) <= (1 + 1e-13) * np.linalg.norm(A @ u, axis=-1)).all()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("stages", [((0, 0),), ((0, 1),), module.STAGES])
@pytest.mark.parametrize("values", [[3, 2, 1, 1, 1, 0.5], [3, 3 - 1e-9, 0, 0, 0, 0]])
def test_a_start_that_misses_the_largest_direction(
    values: list[float], stages: tuple[tuple[int, int], ...], known: bool
) -> None:
    """Exactly orthogonal to it, and G diagonal: it is never found, and nothing below is proved,
    though the second matrix is of rank two, and what is found of it is nearly right.
    """
    A = np.diag(values)[None] / 4
    start = Start(np.eye(6)[None, [1, 3]], np.array([known]))
    found = largest_singular_values(A, start, stages)
    assert not found.proved.any()
    assert found.sigma == pytest.approx(0.75, rel=1e-15)  # LAPACK's, of a diagonal


@pytest.mark.parametrize("second", [0.999, 0.9, 0.5, 1e-3, 1e-9, 0.0])
def test_a_start_that_nearly_misses_the_largest_direction(second: float) -> None:
    """By every angle: what is proved is right, and what is not is LAPACK's."""
    angles = 10.0 ** -np.arange(18)
    A = np.tile(np.diag([1, second, second / 2, second / 3, 0]) * 0.75, (18, 1, 1))
    U = np.zeros((18, 2, 5))
    U[:, 0, 0], U[:, 0, 2], U[:, 1, 1] = np.sin(angles), np.cos(angles), 1
    Q = rotations(18, 5)
    found = largest_singular_values(
        Q @ A @ Q.swapaxes(1, 2), Start(U @ Q.swapaxes(1, 2), angles > 0)
    )
    assert np.abs(found.sigma / 0.75 - 1).max() < 2 * proved_within(5)  # A is right to a few eps


def test_an_iteration_that_stops_early_is_not_believed() -> None:
    A = unit(random(200, 12, 12))[0]
    expected = np.linalg.svd(A, compute_uv=False)[:, 0]
    found = largest_singular_values(A, None, ((4, 2),))
    assert 0 < found.proved.sum() < 200
    assert np.abs(found.sigma / expected - 1).max() < proved_within(12)


@pytest.mark.parametrize("exact", [True, False])
def test_from_a_known_start_no_power_is_made(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of products of rank two and a little, from their vectors, or from those with an error of a
    thousandth, of which KNOWN = 3 steps leave 1e-3 (1e-2)^6: r_1 is to be below 3e-7.
    """
    A = unit(with_values([4, 2, 0.04, 0.02, 0.01, 0]))[0]
    sigma, V = np.linalg.svd(A)[1:]
    U = V[:, :2] if exact else np.linalg.qr((V[:, :2] + 1e-3 * V[:, 2:4]).swapaxes(1, 2))[0]
    U = U if exact else U.swapaxes(1, 2)
    monkeypatch.delattr(module, "_by_powers")
    found = largest_singular_values(A, Start(U, np.ones(5, bool)))
    assert found.proved.all()
    assert np.abs(found.sigma / sigma[:, 0] - 1).max() < proved_within(6)


def pair_of(G: Array, U: Array) -> module._Pair:
    rows = np.broadcast_to(U, (len(G), *U.shape))
    return module._ritz(rows, rows @ G)


def test_both_proofs_refuse_a_value_below_the_largest() -> None:
    """Exact eigenvectors, but not those of the largest value: the residual is zero."""
    eye = np.eye(6)
    # the second is nearly of rank two, where the first proof could be taken in
    for values in ([5.0, 4, 3, 2, 1, 1], [5.0, 4.999, 1e-9, 0, 0, 0], [5.0, 5 - 1e-11, 1, 0, 0, 0]):
        G, total = np.diag(values)[None], np.array([sum(values)])
        missing, right = pair_of(G, eye[[1, 2]]), pair_of(G, eye[[0, 1]])
        assert not module._nothing_above(G, missing, total).any()
        assert module._nothing_above(G, right, total).all()
        assert not module._by_residuals(missing, total, 6)[0].any()
        # without G where what is left is less than the largest
        assert module._by_residuals(right, total, 6)[0].all() == (sum(values[2:]) < 5)


@pytest.mark.parametrize("below", [0.2, 1e-3, 1e-6])
def test_the_first_proof_is_as_sharp_as_it_says(below: float) -> None:
    """Of G = diag(1, d, 0, ...) and u = (cos a, 0, sin a): theta = cos^2 a, r_1^2 = cos^2 a
    sin^2 a, and what was missed is sin^2 a. So it allows sin^2 a up to about SLACK and no more.
    """
    G, total = np.diag([1, below, 0, 0])[None], np.array([1 + below])
    for square, proved in ((SLACK / 2 * (1 - below), True), (SLACK * 1.01, False)):
        U = np.array([[np.sqrt(1 - square), 0, np.sqrt(square), 0], [0, 1, 0, 0]])
        pair = module._Pair(U[None], U[None] @ G, np.array([[1 - square, below]]))
        assert module._by_residuals(pair, total, 4)[0].all() == proved


def test_what_cannot_be_decomposed_is_cut_out_of_its_stack() -> None:
    H = np.tile(np.eye(4), (9, 1, 1))
    H[[0, 4, 8], 2, 2] = [-1, 0, -1e-3]
    expected = [k not in (0, 4, 8) for k in range(9)]
    assert module._positive_definite(H).tolist() == expected


@pytest.mark.parametrize("n", [5, 16, 32])
def test_bits_do_not_depend_on_the_company(n: int) -> None:
    """Nor on pieces: some need LAPACK, some one stage, some all, some none."""
    A = np.concatenate([products(n, 9), 2 * rotations(5, n), with_values([1.0] * (n - 1) + [0])])
    A = unit(np.concatenate([A, np.zeros((1, n, n)), with_values([1.0] + [0] * (n - 1))]))[0]
    V = np.linalg.svd(A)[2][:, :2]
    start = Start(V, np.arange(len(A)) % 2 == 0)
    together = largest_singular_values(A, start)
    for chosen in ([0], [94, 1], list(range(17, 60)), [99, 91, 3, 2, 7], [100, 104, 88, 89]):
        alone = largest_singular_values(A[chosen], Start(V[chosen], start.known[chosen]))
        for mine, theirs in zip(alone, together, strict=True):
            assert np.array_equal(mine, theirs[chosen])
