"""The optimisers against closed forms, in float64; tolerances are a few roundings (1e-14).

Claims:
- SGD on L = w^2 / 2 with rate a leaves w (1 - a)^n;
- momentum with a constant gradient g has the velocity g (1 - m^n) / (1 - m);
- Adam with a constant gradient moves by its rate at every step, whatever the size of the gradient
  (with epsilon negligible): both corrected means are exact;
- Adam's first step has the sign of the gradient, entry by entry;
- members have rates and numbers of steps of their own, and do not see each other.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.lessons.optimizers import OPTIMIZERS, Adam, Momentum, Sgd

ONE = np.array([1])


def slots_of(optimizer: Sgd | Momentum | Adam, like: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.zeros_like(like) for name in optimizer.slots}


def test_sgd_on_a_parabola_shrinks_by_one_minus_its_rate() -> None:
    w, rate = np.array([[2.0, -3.0]]), np.array([0.3])
    start = w.copy()
    for n in range(1, 30):
        w -= Sgd().step(w, {}, rate, ONE * n)
        np.testing.assert_allclose(w, start * 0.7**n, rtol=1e-14)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_momentum_of_a_constant_gradient_is_a_geometric_sum(kept: float) -> None:
    g, rate, optimizer = np.array([[1.0, -4.0]]), np.array([0.1]), Momentum(kept)
    slots = slots_of(optimizer, g)
    for n in range(1, 40):
        found = optimizer.step(g, slots, rate, ONE * n)
        np.testing.assert_allclose(found, 0.1 * g * (1 - kept**n) / (1 - kept), rtol=1e-13)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_adam_of_a_constant_gradient_moves_by_its_rate(size: float) -> None:
    g, rate, optimizer = size * np.array([[1.0, -2.0]]), np.array([0.01]), Adam(epsilon=1e-30)
    slots = slots_of(optimizer, g)
    for n in range(1, 200):
        found = optimizer.step(g, slots, rate, ONE * n)
        # the corrections divide differences of numbers near 1: about n roundings
        np.testing.assert_allclose(found, 0.01 * np.sign(g), rtol=1e-12)


def test_adams_epsilon_stands_beside_the_root() -> None:
    g = np.array([[3.0]])
    found = Adam(epsilon=1.0).step(g, slots_of(Adam(), g), np.array([1.0]), ONE)
    np.testing.assert_allclose(found, 3.0 / (3.0 + 1.0), rtol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_do_not_see_each_other(name: str) -> None:
    optimizer, rng = OPTIMIZERS[name](), np.random.default_rng(0)
    both = slots_of(optimizer, np.zeros((2, 3, 4)))
    alone = [slots_of(optimizer, np.zeros((1, 3, 4))) for _ in range(2)]
    rates, taken = np.array([0.1, 3.0]), np.array([1, 7])
    for _ in range(5):
        g = rng.normal(size=(2, 3, 4))
        found = optimizer.step(g, both, rates, taken)
        for r in range(2):
            own = optimizer.step(g[r : r + 1], alone[r], rates[r : r + 1], taken[r : r + 1])
            assert np.array_equal(found[r], own[0])
        taken += 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_precision_is_that_of_the_gradient(name: str) -> None:
    g = np.ones((1, 2), np.float32)
    optimizer = OPTIMIZERS[name]()
    found = optimizer.step(g, slots_of(optimizer, g), np.array([0.1]), ONE)
    assert found.dtype == np.float32
