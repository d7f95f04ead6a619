"""Lyapunov exponents, and the product spectrum of a run.

Claims:
- The sum of all exponents is the mean of ln |det J_t|, forward, adjoint, with and without factors;
  the sum of the ln product singular values is T times that.
- Scaled rotations have ln g, exactly, by either method and at every T.
- Forward QR, adjoint QR and finite-time exponents differ at small T and come together as 1 / T;
  random Gaussian products have the exponents of the closed form.
- What is taken from the blocks of a backward pass is what the Jacobians give, for every cell, and
  for one nonlinearity around a product its factors are its Jacobian.
- A member's bits depend neither on the ensemble nor on checkpoints.
- An LSTM without input at g = 3: the whole state grows, dh/dh at fixed c shrinks.
- Products and exponents that run side by side take the pulls of each step once, and have the
  bits that they have by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradlab.analysis.exponents import finite_time_exponents
from gradlab.cells.interface import Factored
from gradlab.engine.backward import sweep
from gradlab.engine.lyapunov import LyapunovExponents, QRExponents
from gradlab.engine.product_spectrum import ProductSpectrum
from gradlab.engine.products import ProductState, Pull
from gradlab.engine.pulls import StepPulls, step_pulls
from tests.cells.derivatives import VARIANTS, point
from tests.engine.ensembles import Array, Ensemble, drawn


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def rotation(n: int, seed: int) -> Array:
    return np.linalg.qr(random(n, n, seed=seed))[0]


def acting(A: Array) -> Callable[[Array], Array]:
    return lambda X: A @ X


def by_qr(jacobians: list[Array], burn_in: int = 0) -> Array:
    """Exponents with A = jacobians in this order, from a random frame: (n,)."""
    n = len(jacobians[0])
    frame = QRExponents(1, n, start=rotation(n, 123)[None])
    for k, A in enumerate(jacobians):
        frame.push(acting(A), count=k >= burn_in)
    return frame.exponents()[0]


def log_sigma(jacobians: list[Array]) -> Array:
    """Of J_T ... J_1."""
    state = ProductState(1, len(jacobians[0]))
    for J in reversed(jacobians):
        state.push(acting(J.T))
    return state.log_sigma()[0]


def adjoint(jacobians: list[Array]) -> list[Array]:
    return [J.T for J in reversed(jacobians)]


def log_det(jacobians: list[Array]) -> float:
    return float(sum(np.linalg.slogdet(J)[1] for J in jacobians))


# exact


@pytest.mark.parametrize("T", [1, 7, 300])
def test_sums_are_the_determinant(T: int) -> None:
    jacobians = [0.8 * random(7, 7, seed=t) for t in range(T)]
    expected = log_det(jacobians)
    # each pivot and each determinant is right to about kappa eps, kappa up to 1e3 a step
    assert abs(log_sigma(jacobians).sum() - expected) < 1e-10
    assert abs(by_qr(jacobians).sum() - expected / T) < 1e-10 / T
    assert abs(by_qr(adjoint(jacobians)).sum() - expected / T) < 1e-10 / T


@pytest.mark.parametrize("T", [1, 40])
@pytest.mark.parametrize("g", [0.2, 1.0, 3.0])
def test_scaled_rotations(g: float, T: int) -> None:
    jacobians = [g * rotation(6, t) for t in range(T)]
    # every pivot is g to a few eps
    assert np.abs(by_qr(jacobians) - np.log(g)).max() < 1e-14
    assert np.abs(log_sigma(jacobians) / T - np.log(g)).max() < 1e-14


def test_a_zero_direction_and_a_lost_member() -> None:
    frame = QRExponents(3, 3, start=np.tile(rotation(3, 1), (3, 1, 1)))
    frame.push(acting(np.stack([np.eye(3), np.diag([1.0, 1, 0]), np.diag([1.0, np.inf, 1])])))
    found = frame.exponents()
    # pivots of an orthonormal frame are 1 to a few eps
    assert np.abs(found[0]).max() < 1e-15
    assert np.isneginf(found[1]).tolist() == [False, False, True]
    assert np.isnan(found[2]).all()


def test_nothing_counted_is_unknown() -> None:
    frame = QRExponents(1, 2)
    frame.push(acting(np.eye(2)), count=False)
    assert np.isnan(frame.exponents()).all()
    assert np.isnan(finite_time_exponents(np.zeros((1, 2)), np.array([0]))).all()


# convergence


def test_three_ways_differ_at_first_and_come_together() -> None:
    def spread(T: int) -> float:
        jacobians = [random(5, 5, seed=t) / np.sqrt(5) for t in range(T)]
        ways = by_qr(jacobians), by_qr(adjoint(jacobians)), log_sigma(jacobians) / T
        return max(float(np.abs(a - b).max()) for a in ways for b in ways)

    # differences of order one over T; they are of order one times a few
    assert spread(3) > 0.05
    assert spread(300) < 0.03
    assert spread(3000) < 0.003


def test_untied_gaussian_products_have_the_exponents_of_the_closed_form() -> None:
    """lambda_i = 1/2 [ln(2/N) + psi((N - i + 1) / 2)] for entries N(0, 1/N) (Newman 1986)."""
    N, T = 8, 20_000
    jacobians = list(random(T, N, N) / np.sqrt(N))
    found = by_qr(jacobians, burn_in=100)
    # a pivot's ln has variance psi'((N - i + 1) / 2) / 4, at most 1.24: 4 sigma are 0.03 at i = N
    assert abs(found[0] - -0.065088) < 0.012  # variance .07
    assert abs(found[-1] - -1.674902) < 0.035
    assert abs(by_qr(adjoint(jacobians), burn_in=100)[0] - -0.065088) < 0.012


# from a run


def jacobians_of(run: Ensemble) -> Array:
    """(T, R, B, D, D)."""
    trajectory = run.forward()
    segment = trajectory.whole()
    p = trajectory.weights.at(1)
    local = run.cell.linearize(p, segment.states[:-1], segment.activations, segment.states[1:])
    return run.cell.jacobian(p, local)


def recorded(
    run: Ensemble, rows: Array, sequences: int, values: int | None = None
) -> tuple[ProductSpectrum, LyapunovExponents]:
    trajectory = run.forward()
    R, D, _ = run.s0.shape
    product = ProductSpectrum(rows, R, D, sequences, values)
    exponents = LyapunovExponents(R, D, sequences)
    steps = StepPulls(trajectory.cell, trajectory.weights, sequences, [product, exponents])
    for block in sweep(trajectory, run.injection):
        steps.add(block)
    product.complete()
    return product, exponents


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_has_the_products_of_its_jacobians(variant: str) -> None:
    run = drawn(variant, [3, 4], H=4, B=3, T=21)
    J = jacobians_of(run)
    rows = np.arange(0, 22, 3)
    product, exponents = recorded(run, rows, sequences=2)
    for r in range(2):
        for b in range(2):
            own = list(J[:, r, b])
            for k, t in enumerate(rows):
                expected = log_sigma(own[t:]) if t < 21 else np.zeros(len(own[0]))
                found = product.log_sigma[k, r, b]
                # the Jacobian and the vjp differ by a few eps times kappa(J_t), up to 1e6 here
                zero = np.isneginf(expected)
                assert np.array_equal(np.isneginf(found), zero)
                assert np.abs(found[~zero] - expected[~zero]).max(initial=0) < 1e-8
            total = exponents.exponents()[r, b].sum()
            if np.isfinite(total):
                assert abs(total - log_det(own) / 21) < 1e-8
            else:
                assert np.isneginf(log_sigma(own)).any()


FACTORED = [v for v, (cell, _) in VARIANTS.items() if isinstance(cell, Factored)]


@pytest.mark.parametrize("variant", FACTORED)
def test_factors_are_the_jacobian(variant: str) -> None:
    at = point(variant, (5, 3, 2), "typical")
    assert isinstance(at.cell, Factored)
    d, W = at.cell.factors(at.p, at.local)
    product = d.swapaxes(-1, -2)[..., None] * W[..., None, :, :]
    assert np.array_equal(product, at.cell.jacobian(at.p, at.local))


def test_only_the_vanilla_cell_has_a_diagonal_to_tell_apart() -> None:
    assert [v for v in VARIANTS if v.startswith("rnn")] == FACTORED


@pytest.mark.parametrize("variant", ["rnn-relu", "rnn-tanh", "lstm", "accumulator"])
@pytest.mark.parametrize("values", [None, 2])
def test_bits_depend_on_the_member_alone(variant: str, values: int | None) -> None:
    run = drawn(variant, [1, 2, 3], H=6, B=3, T=40, g=[0.5, 1.5, 4.0])
    rows = np.arange(41)
    whole, exponents = recorded(run, rows, 2, values)
    for other, r in ((run.members([1]), [1]), (run.members([2, 0]), [2, 0])):
        product, own = recorded(other, rows, 2, values)
        assert np.array_equal(product.log_sigma, whole.log_sigma[:, r], equal_nan=True)
        assert np.array_equal(own.exponents(), exponents.exponents()[r], equal_nan=True)
    marks = recorded(replace(run, every=16), rows, 1, values)[0]
    assert np.array_equal(marks.log_sigma[:, :, 0], whole.log_sigma[:, :, 0], equal_nan=True)


def test_side_by_side_the_pulls_of_a_step_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = drawn("gru", [1, 2], H=5, B=2, T=23)
    trajectory, rows = run.forward(), np.arange(24)
    met = []

    def counted(*args: Any) -> tuple[Pull, ...]:
        met.append(args)
        return step_pulls(*args)

    monkeypatch.setattr("gradlab.engine.pulls.step_pulls", counted)
    product, exponents = recorded(run, rows, 2)
    assert len(met) == 23

    def alone(running: Any) -> Any:
        steps = StepPulls(trajectory.cell, trajectory.weights, 2, [running])
        for block in sweep(trajectory, run.injection):
            steps.add(block)
        return running

    own = alone(ProductSpectrum(rows, 2, 5, 2))
    own.complete()
    assert np.array_equal(own.log_sigma, product.log_sigma)
    assert np.array_equal(alone(LyapunovExponents(2, 5, 2)).exponents(), exponents.exponents())


def test_a_linear_run_with_rotations() -> None:
    g, H, T = 1.3, 6, 90
    cell, options = VARIANTS["linear"]
    W = g * np.stack([rotation(H, 1), rotation(H, 2)])
    tensors = {"weight_hh": W, "weight_ih": np.zeros((2, H, 1))}
    dh = random(2, H, 1)
    run = Ensemble(cell, options, tensors, np.zeros((T, 2, 1, 1)), np.zeros((2, H, 1)), dh, (T,))
    rows = np.array([0, 31, 90])
    product, exponents = recorded(run, rows, 1)
    finite = finite_time_exponents(product.log_sigma, T - rows)
    # a few eps a step
    assert np.abs(finite[:2] - np.log(g)).max() < 1e-14
    assert (product.log_sigma[2] == 0).all()
    assert np.abs(exponents.exponents() - np.log(g)).max() < 1e-14


def test_the_whole_state_grows_where_dh_by_dh_shrinks() -> None:
    H, T = 200, 1500
    cell, options = VARIANTS["lstm"]
    tensors = {
        "weight_hh": 3 / np.sqrt(H) * random(1, 4 * H, H),
        "weight_ih": np.zeros((1, 4 * H, 1)),
    }
    frame, partial = QRExponents(1, 2 * H, 1), QRExponents(1, H, 1)
    s0, dh = 0.5 * random(1, 2 * H, 1, seed=1), np.ones((1, H, 1))
    run = Ensemble(cell, options, tensors, np.zeros((T, 1, 1, 1)), s0, dh, (T,))
    trajectory = run.forward()
    segment, p = trajectory.whole(), trajectory.weights.at(1)
    local = cell.linearize(p, segment.states[:-1], segment.activations, segment.states[1:])
    for k in range(T):
        J = cell.jacobian(p, type(local)(*(field[k] for field in local)))[:, 0]
        frame.push(acting(J), count=k >= 200)
        partial.push(acting(J[:, :H, :H]), count=k >= 200)
    # published pair: +.049 and -.444; the weights drawn move them by about .01 at 200 units
    assert abs(frame.exponents()[0, 0] - 0.049) < 0.02
    assert abs(partial.exponents()[0, 0] - -0.444) < 0.02
